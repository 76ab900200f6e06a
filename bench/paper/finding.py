"""What a check of a paper finds."""

from dataclasses import asdict, dataclass
from typing import Any

OWN_WORDS = r"without a key, so nothing says what it is; \benchnum{-}{…} marks words of your own"


@dataclass(frozen=True)
class Finding:
    """One thing in which a file and the store do not agree."""

    file: str
    line: int
    what: str
    """What it is about: of a number, its column and row."""
    paper: str
    store: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.paper} here, {self.store}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

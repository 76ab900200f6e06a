"""What a command does to a store, counted: files opened, blocks validated, ids hashed.

    python -m tests.faults.work plan SUITE --store DIR

Prints JSON. Wall time depends on the machine; these counts do not.
"""

import contextlib
import io
import json
import sys
from collections import Counter
from pathlib import PurePath
from typing import Any

from bench import cell, expand, kept
from bench.cli.app import app


class Counted:
    """A validator that counts."""

    def __init__(self, validator: Any, counts: Counter[str]) -> None:
        self.validator, self.counts = validator, counts

    def validate_python(self, value: Any) -> Any:
        self.counts["validated"] += 1
        return self.validator.validate_python(value)


def main() -> None:
    counts: Counter[str] = Counter()
    hashed = cell._CANONICAL

    def opened(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir") and "/cells/" in str(arguments[0]):
            counts[PurePath(arguments[0]).name if event == "open" else event] += 1

    def canonical(data: Any) -> str:
        counts["hashed"] += isinstance(data, dict)  # what ids are made of
        return hashed(data)

    cell._CANONICAL = canonical  # type: ignore[assignment]
    expand._SPECS = {root: Counted(validator, counts) for root, validator in expand._SPECS.items()}
    kept.WORTH_S = 0.0  # small tables are kept too
    sys.addaudithook(opened)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app(sys.argv[1:], standalone_mode=False)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()

"""Rows that the scripts beside this file hand to `all.py`: one measured figure of ours beside a peer's."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A comparison. Figures are of the same unit, medians of interleaved rounds; less is better where the unit is a time."""

    what: str
    unit: str
    ours: float
    theirs: float
    peer: str
    goal: str = ""
    """What the project aims at, in words; empty for none."""

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        more_is_better = self.unit.endswith("/s")
        return self.ours / self.theirs if more_is_better else self.theirs / self.ours


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Row]:
    """Read what `write` wrote."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def markdown(rows: Iterable[Row]) -> str:
    """A table, the ratio first."""
    lines = ["| ratio | what | Stridebench | peer | unit | against | goal |", "| ---: | --- | ---: | ---: | --- | --- | --- |"]
    lines += [
        f"| {row.ratio:.2f}x | {row.what} | {row.ours:.3g} | {row.theirs:.3g} | {row.unit} | {row.peer} | {row.goal or '–'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"

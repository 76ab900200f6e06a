"""One cell of a table in pieces: words, and numbers that can be found again wherever they stand."""

from dataclasses import dataclass
from typing import Any

from bench.layout import Layout
from bench.leaderboard import PERCENT, Row
from bench.names import EXTERNAL

NOTHING = "–"
BRACKETS = ("[", "]")


@dataclass(frozen=True)
class Number:
    """A number as a table shows it."""

    column: str
    part: str
    """"low", "high" or "half" of an interval, or "" for the value itself."""
    value: float
    """Exact, in the unit shown: a score in percent where the table is in percent."""
    text: str


Piece = str | Number
_DIGITS = {
    "images_per_s": 1,
    "latency_ms": 1,
    "latency_p95_ms": 1,
    "peak_memory_gib": 2,
    "p_leader": 3,
    "parameters": 2,
    "flops": 2,
}
_UNITS = {"parameters": (1e6, " M"), "flops": (1e9, " G")}


def published(column: str) -> str | None:
    """The score whose published value a column shows."""
    metric = column.removesuffix("_published")
    return metric if metric != column and metric in PERCENT else None


def pieces(row: Row, column: str, layout: Layout, brackets: tuple[str, str] = BRACKETS) -> list[Piece]:
    """One cell of a table for people."""
    if metric := published(column):
        return _published(row, column, metric, layout)
    value = row.to_json().get(column)
    if column == "status":
        return [str(value)]
    if value is None:
        return [NOTHING]
    if column == "model" and row.external:
        return [f"{value} {EXTERNAL}"]
    if column in PERCENT:
        return _score(row, column, layout, brackets)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [str(value)]
    if column.endswith("_of_ceiling"):
        return [_scaled(column, "", value, layout)]
    scale, unit = _UNITS.get(column, (1, ""))
    digits = _DIGITS.get(column)
    shown = Number(column, "", value / scale, f"{value:g}" if digits is None else f"{value / scale:.{digits}f}")
    return [shown, unit] if unit else [shown]


def text(cell: list[Piece]) -> str:
    """A cell as plain text."""
    return "".join(piece.text if isinstance(piece, Number) else piece for piece in cell)


def _score(row: Row, column: str, layout: Layout, brackets: tuple[str, str]) -> list[Piece]:
    value = _scaled(column, "", row.scores[column] or 0.0, layout)
    interval = row.intervals.get(column)
    if interval is None or layout.interval == "none":
        return [value]
    if layout.interval == "pm":
        return [value, " ± ", _scaled(column, "half", (interval.high - interval.low) / 2, layout)]
    low, high = (_scaled(column, part, getattr(interval, part), layout) for part in ("low", "high"))
    return [value, f" {brackets[0]}", low, ", ", high, brackets[1]]


def _published(row: Row, column: str, metric: str, layout: Layout) -> list[Piece]:
    if metric not in row.published:
        return [NOTHING]
    found = row.published[metric]
    value = _scaled(column, "", found.expectation.value, layout)
    return [value, " ± ", _scaled(column, "half", found.expectation.tolerance, layout), f" {found.verdict}"]


def _scaled(column: str, part: str, value: Any, layout: Layout) -> Number:
    shown = float(value) * (100 if layout.percent else 1)
    return Number(column, part, shown, f"{shown:.{1 if layout.percent else 3}f}")

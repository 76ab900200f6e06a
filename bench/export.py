"""The leaderboard as a table. Scores are in percent here and in [0, 1] everywhere else; JSON and CSV keep [0, 1]."""

from collections.abc import Callable
from functools import partial

from bench.conventions import warnings
from bench.footnotes import footnotes
from bench.layout import Layout, chosen_columns, group_of
from bench.leaderboard import Row
from bench.pieces import pieces, text
from bench.tables import WRITERS, Table
from bench.titles import TITLES as TITLES
from bench.titles import title

WORDS = ("model", "dataset", "augmentation", "status")
"""Columns that hold words."""


def columns(rows: list[Row], layout: Layout | None = None) -> list[str]:
    """The columns of a table for people: those asked for, or those that always stand and those that differ between rows."""
    return chosen_columns(rows, layout or Layout())


def cell_text(row: Row, column: str, layout: Layout | None = None) -> str:
    """One cell of a table for people."""
    return text(pieces(row, column, layout or Layout()))


def table(rows: list[Row], layout: Layout | None = None) -> Table:
    """The rows as a table, those of a group below a line that names it; records hold all keys unless the layout chooses columns."""
    layout = layout or Layout()
    shown, plain = columns(rows, layout), [row.to_json() for row in rows]
    keys = dict.fromkeys(key for record in plain for key in record)  # an axis may be that of some rows alone
    kept = [key for key in keys if not layout.columns or _stem(key) in layout.columns]
    lines: list[list[str]] = []
    for place, row in enumerate(rows):
        if layout.group_by and (not place or group_of(row, layout) != group_of(rows[place - 1], layout)):
            lines.append([f"{title(layout.group_by)}: {group_of(row, layout)}", *[""] * (len(shown) - 1)])
        lines.append([cell_text(row, name, layout) for name in shown])
    return Table(
        titles=[title(name, layout) for name in shown],
        lines=lines,
        records=[{key: record.get(key) for key in kept} for record in plain],
        notes=footnotes(rows, shown if layout.columns else None, layout),
        warnings=warnings(rows),
        left=frozenset(title(name) for name in WORDS),
    )


def _stem(key: str) -> str:
    """The column a key of a record belongs to: bounds go with their score."""
    return key.removesuffix("_low").removesuffix("_high")


def _written(writer: Callable[[Table], str], rows: list[Row]) -> str:
    return writer(table(rows))


FORMATS: dict[str, Callable[[list[Row]], str]] = {name: partial(_written, writer) for name, writer in WRITERS.items()}

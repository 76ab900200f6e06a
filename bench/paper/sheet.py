"""A table for a paper before it is written: its cells, marks, footnotes and caption, with a key for every number."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from bench.cell import digest
from bench.conventions import warnings
from bench.footnotes import Sentences, sentences
from bench.layout import LABELS, Layout, chosen_columns, chosen_rows, group_of
from bench.leaderboard import PERCENT, Row
from bench.marks import Mark, Weighed, weigh
from bench.names import names
from bench.paper.provenance import provenance
from bench.pieces import Number, Piece, pieces
from bench.store import Store
from bench.titles import title as column_title

VERSION = 2
WHOLE = "all"
"""Stands for the row in the keys of a caption's numbers."""
_CAUSES = {"oom": "out of memory", "error": "failed with an error", "input": "refused"}
_BRACKETS = ("(", ")")


@dataclass(frozen=True)
class Entry:
    """One cell of the table."""

    pieces: list[Piece]
    mark: Mark | None
    note: int | None
    """Place of its footnote."""


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    key: str
    name: str
    group: str
    entries: list[Entry]


@dataclass(frozen=True)
class Sheet:
    """All that a table for a paper says."""

    title: str
    options: dict[str, Any]
    """What it takes to make the table again: suite, score, convention, settings and layout."""
    layout: Layout
    columns: list[str]
    heads: list[str]
    """What stands above each column."""
    words: list[bool]
    """Whether a column holds words."""
    lines: list[Line]
    notes: list[str]
    """Footnotes: why a score is missing, or is the mean over fewer seeds."""
    caption: Sentences
    provenance: str

    @property
    def tag(self) -> str:
        """Tells the tables of a document apart."""
        return digest(self.options)[:6]


def sheet(rows: list[Row], store: Store, title: str, layout: Layout, options: dict[str, Any]) -> Sheet:
    """The table of some ranked rows; raises BenchError for rows and columns there are not.

    ``title`` begins the caption; ``options`` are what the rows were made with: "suite", "metric", "convention" and "settings".
    """
    shown = chosen_rows(rows, layout)
    columns = [name for name in chosen_columns(shown, layout) if name in layout.columns or name not in _left_out(shown)]
    weighed = weigh(rows, shown, columns)
    options = {**options, "layout": _plain(rows, shown, layout).to_json()}
    why = [_why(row) for row in shown]
    notes = list(dict.fromkeys(text for text in why if text))
    lines = [
        Line(row_key(row), name, group_of(row, layout), _entries(place, row, columns, weighed, layout, notes))
        for place, (row, name) in enumerate(zip(weighed.rows, names(shown), strict=True))
    ]
    told: Sentences = [[each] for each in warnings(weighed.rows)]
    return Sheet(
        title=title,
        options=options,
        layout=layout,
        columns=columns,
        heads=[column_title(name, layout) for name in columns],
        words=[name in (*LABELS, "status") for name in columns],
        lines=lines,
        notes=notes,
        caption=[*sentences(weighed.rows, columns, layout), *legend(weighed), *told],
        provenance=provenance(rows, store, options),
    )


def _left_out(rows: list[Row]) -> tuple[str, ...]:
    """Columns that a page has no room for, unless they are asked for: footnotes, marks and caption say the same."""
    alike = len({len(row.cells) for row in rows if not row.external}) <= 1
    return ("status", "rank", "parameters", *(("seeds",) if alike else ()))


def _plain(rows: list[Row], shown: list[Row], layout: Layout) -> Layout:
    """The layout with the rows by their full names, or unnamed where they are all: tables alike then have the same options."""
    full = {id(row): name for row, name in zip(rows, names(rows), strict=True)}
    for named in ((), tuple(full[id(row)] for row in shown)):
        same = replace(layout, rows=named)
        if list(map(id, chosen_rows(rows, same))) == list(map(id, shown)):
            return same
    return layout


def row_key(row: Row) -> str:
    """What names a row in a key: letters of its model's label, and the hash of all that sets it apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", row.cells[0].model_label.lower()).strip("-")[:20]
    return f"{plain}-{digest(list(row.cells[0].group))[:6]}"


def _entries(place: int, row: Row, columns: list[str], weighed: Weighed, layout: Layout, notes: list[str]) -> list[Entry]:
    why = _why(row)
    scores = [name for name in columns if name in PERCENT] or columns[:1]
    return [
        Entry(
            pieces(row, name, layout, _BRACKETS),
            weighed.marks.get((place, name)),
            notes.index(why) if why and name in scores else None,
        )
        for name in columns
    ]


def _why(row: Row) -> str:
    """Why the row lacks seeds, in words; "" where it has all."""
    missing = len(row.cells) - len(row.results) - len(row.failures)
    causes = Counter(_CAUSES.get(failure.cause, failure.cause) for failure in row.failures)
    causes += Counter({"not run": missing})
    if not causes:
        return ""
    if len(row.cells) == 1:
        return f"{next(iter(causes)).capitalize()}."
    listed = ", ".join(f"{count} {cause}" for cause, count in causes.items())
    rest = f"; mean over the other {len(row.results)}" if row.results else ""
    return f"Of {len(row.cells)} seeds {listed}{rest}."


def legend(weighed: Weighed) -> Sentences:
    """What bold and underlined mean, where either occurs."""
    tested = "paired over images, Holm's correction, 5 %"
    found = set(weighed.marks.values())
    told: dict[Mark, str] = {
        "best": f"Bold: significantly better than all other rows on the same images ({tested}).",
        "tied": f"Underlined: the highest score and those not told apart from it ({tested}).",
    }
    return [[text] for mark, text in told.items() if mark in found]


def keyed(made: Sheet) -> dict[str, tuple[Number, Mark | None, str]]:
    """Every number of a table by its key, without tag and mark: the number, its mark, and the row's name."""
    found = {}
    for line in made.lines:
        for entry in line.entries:
            for piece in entry.pieces:
                if isinstance(piece, Number):
                    found[number_key(line.key, piece)] = (piece, entry.mark if not piece.part else None, line.name)
    for sentence in made.caption:
        for piece in sentence:
            if isinstance(piece, Number):
                found[number_key(WHOLE, piece)] = (piece, None, "the caption")
    return found


def number_key(row: str, number: Number) -> str:
    """The key of a number in a row: ``<row>/<column>`` and, of an interval, ``/low``, ``/high`` or ``/half``."""
    return "/".join([row, number.column, *([number.part] if number.part else [])])

"""A leaderboard taken apart, as a table for a paper: the numbers of its cells get keys from the words beside and above them."""

import re
from typing import Any

from bench.cell import digest
from bench.layout import Layout
from bench.leaderboard import Row
from bench.paper.provenance import provenance
from bench.paper.sheet import Entry, Line, Sheet
from bench.pieces import Number, Piece
from bench.store import Store
from bench.tables import Table

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")


def breakdown(table: Table, rows: list[Row], store: Store, title: str, layout: Layout, options: dict[str, Any]) -> Sheet:
    """The table of `bench export --by`; ``options`` are those of `bench.paper.sheet.sheet`, and "by"."""
    options = {**options, "layout": layout.to_json()}
    columns = [f"column-{digest(head)[:6]}" for head in table.titles]
    words = [head in table.left for head in table.titles]
    lines = []
    for cells in table.lines:
        named = cells[: max(1, words.index(False) if False in words else 1)]  # the words that stand before the numbers
        entries = [
            Entry([cell] if left else _pieces(cell, name), None, None)
            for cell, name, left in zip(cells, columns, words, strict=True)
        ]
        lines.append(Line(f"row-{digest(named)[:6]}", ", ".join(named), "", entries))
    return Sheet(
        title=title,
        options=options,
        layout=layout,
        columns=columns,
        heads=table.titles,
        words=words,
        lines=lines,
        notes=[],
        caption=[[note] for note in (*table.notes, *table.warnings)],
        provenance=provenance(rows, store, options),
    )


def _pieces(cell: str, column: str) -> list[Piece]:
    """The numbers of a cell and what stands between them; a number's part is its place."""
    found: list[Piece] = []
    end = 0
    for place, match in enumerate(_NUMBER.finditer(cell)):
        found += [cell[end : match.start()]] if match.start() > end else []
        found.append(Number(column, str(place) if place else "", float(match[0]), match[0]))
        end = match.end()
    return [*found, *([cell[end:]] if end < len(cell) else [])]

"""A leaderboard taken apart, as a table for a paper: the numbers of its cells get keys from the words beside and above them."""

import re
from dataclasses import replace
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
    before = max(1, next((place for place, head in enumerate(table.titles) if head not in table.left), 1))
    # Words behind the numbers are sentences, which a page has no room for beside them: they become footnotes of the first cell.
    kept = [place for place, head in enumerate(table.titles) if place < before or head not in table.left]
    columns = [f"column-{digest(table.titles[place])[:6]}" for place in kept]
    notes: list[str] = []
    lines = []
    for cells in table.lines:
        entries = [
            Entry([cells[place]] if place < before else _pieces(cells[place], name), None, None)
            for place, name in zip(kept, columns, strict=True)
        ]
        if words := "; ".join(cell for place, cell in enumerate(cells) if place not in kept and cell):
            said = f"{words[0].upper()}{words[1:]}."
            notes += [] if said in notes else [said]
            entries[0] = replace(entries[0], note=notes.index(said))
        named = cells[:before]
        lines.append(Line(f"row-{digest(named)[:6]}", ", ".join(named), "", entries))
    return Sheet(
        title=title,
        options=options,
        layout=layout,
        columns=columns,
        heads=[table.titles[place] for place in kept],
        words=[place < before for place in kept],
        lines=lines,
        notes=notes,
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

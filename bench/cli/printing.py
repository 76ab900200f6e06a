"""How commands print: plain lines, JSON, and tables that a pipe can read too."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.cell import Cell
from bench.tables import Table

Row = Mapping[str, Any]
MANY = 500
"""Rows above which a table is printed without rich."""


def say(text: str) -> None:
    """One line for a person, on standard error, so that standard output stays a command's product."""
    print(text, file=sys.stderr, flush=True)


def print_json(rows: Any) -> None:
    """Print plain data as JSON."""
    print(json.dumps(rows, indent=1, allow_nan=False))


def cell_row(cell: Cell) -> dict[str, Any]:
    """The columns that name a cell."""
    named = {"dataset": cell.dataset_label, "model": cell.model_label, "external": cell.external}
    if cell.external:  # nothing is known of its training
        return {**named, "augmentation": None, **dict(cell.axes), "fraction": None, "seed": None}
    trained = {"augmentation": cell.augmentation_label, **dict(cell.axes), "fraction": round(cell.fraction, 6), "seed": cell.seed}
    return {**named, **trained}


def print_table(rows: Sequence[Row], title: str = "", drop_constant: Iterable[str] = ()) -> None:
    """A table of plain rows; columns named in ``drop_constant`` are left out when they say the same in every row."""
    from rich.table import Table

    if not rows:
        say("Nothing to show.")
        return
    dropped = {key for key in drop_constant if len(rows) > 1 and len({str(row.get(key)) for row in rows}) == 1}
    columns = [key for key in rows[0] if key not in dropped]
    numeric = {key for key in columns if all(isinstance(row.get(key), (int, float, type(None))) for row in rows)}
    if len(rows) > MANY:
        print(title, end="\n" * bool(title))
        lines = [[_text(row.get(key)) for key in columns] for row in rows]
        print(_plain([key.replace("_", " ") for key in columns], lines, [key in numeric for key in columns]))
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for key in columns:
        table.add_column(key.replace("_", " "), justify="right" if key in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(key)) for key in columns))
    console().print(table)


def show(table: Table) -> None:
    """Print a table for people, with its notes and warnings below."""
    from rich.table import Table as RichTable

    out = console()
    if len(table.lines) > MANY:
        print(_plain(table.titles, table.lines, [title not in table.left for title in table.titles]))
    else:
        grid = RichTable(header_style="bold", box=None, pad_edge=False)
        for title in table.titles:
            left = title in table.left
            grid.add_column(title, justify="left" if left else "right", no_wrap=not left)
        for line in table.lines:
            grid.add_row(*line)
        out.print(grid)
    for note in table.notes:
        out.print(note, style="dim")
    for warning in table.warnings:
        out.print(warning, style="yellow")


def _plain(titles: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """The same table as text, nothing folded: measuring and styling ten thousand rows takes rich ten seconds."""
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    form = "  ".join(f"{{:{'>' if each else '<'}{width}}}" for width, each in zip(widths, right, strict=True))
    return "\n".join(form.format(*line).rstrip() for line in (titles, *lines))


def console() -> Any:
    """Standard output; wide when it is not a terminal, so that nothing is cut off in a file or a pipe."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else 200
    return Console(width=wide, markup=False, highlight=False, soft_wrap=False)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)

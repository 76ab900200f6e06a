"""One table, written for people (Markdown, LaTeX, a terminal) or for programs (CSV, JSON)."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.tex import escaped


@dataclass(frozen=True)
class Table:
    """A table twice over: as text for people and as plain records for programs."""

    titles: list[str]
    """The head of each column."""
    lines: list[list[str]]
    """The text of each cell."""
    records: list[dict[str, Any]]
    """The same rows as plain data: scores in [0, 1], None for what is not there; all with the same keys."""
    notes: list[str] = field(default_factory=list)
    """What the numbers mean."""
    warnings: list[str] = field(default_factory=list)
    """What a reader may get wrong; these stand after the notes."""
    left: frozenset[str] = frozenset()
    """Titles of the columns that hold words."""


def to_json(table: Table) -> str:
    """A list of objects."""
    return json.dumps(table.records, indent=1, allow_nan=False) + "\n"


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would take for a formula."""


def to_csv(table: Table) -> str:
    """One record a line; lists are joined by spaces and nothing is an empty field.

    Text that a spreadsheet would run as a formula has an apostrophe before it (OWASP, "CSV Injection"); numbers are as they are.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_inert, table.records[0] if table.records else table.titles))
    for record in table.records:
        writer.writerow(map(_inert, record.values()))
    return out.getvalue()


def _inert(value: Any) -> Any:
    text = " ".join(map(str, value)) if isinstance(value, list) else value
    if not isinstance(text, str):
        return text
    # Python quotes a field for the line end that it writes itself; any other would begin a line, and so a cell.
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{lines}" if text.startswith(FORMULA) else lines


def to_markdown(table: Table) -> str:
    """A table for a README, with its notes below."""
    rule = "|".join(" --- " if title in table.left else " ---: " for title in table.titles)
    lines = [_markdown_line(table.titles), f"|{rule}|", *map(_markdown_line, table.lines)]
    return "\n".join([*lines, "", *table.notes, *table.warnings]) + "\n"


def to_latex(table: Table) -> str:
    """A booktabs tabular with its notes as caption; needs \\usepackage{booktabs}."""
    align = "".join("l" if title in table.left else "r" for title in table.titles)
    parts = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        _latex_line(table.titles),
        r"\midrule",
        *map(_latex_line, table.lines),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{' '.join(map(escaped, [*table.notes, *table.warnings]))}}}",
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"


def _markdown_line(cells: list[str]) -> str:
    # A name is text: what renders Markdown would take a tag in it for one.
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _latex_line(cells: list[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


WRITERS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "md": to_markdown, "latex": to_latex, "json": to_json}

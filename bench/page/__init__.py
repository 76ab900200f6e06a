"""A suite's results as one HTML file that opens without a server and without a network."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bench.errors import BenchError
from bench.layout import LABELS, Layout, chosen_columns, chosen_rows
from bench.leaderboard import Row
from bench.paper.figures import FIGURES, Drawing, drawings
from bench.paper.latex import letter
from bench.paper.sheet import Entry, Line, Sheet
from bench.pieces import Number, text
from bench.titles import title

_HERE = Path(__file__).parent
_LEGENDS = {
    "stride": "Bands and bars are 95 % intervals; dashed: what prediction at the stride could reach on the same labels.",
    "tradeoff": "Up and to the right is better; a bubble's area is the number of parameters, the dotted line the Pareto front.",
    "boundary": "Mean over seeds, over the whole set.",
}


def roomy(rows: list[Row], layout: Layout) -> Layout:
    """The layout with all columns of the leaderboard by name: a browser has room for them, and a paper has not."""
    columns = chosen_columns(chosen_rows(rows, layout), layout)
    return replace(layout, columns=tuple(name for name in columns if name != "status" or name in layout.columns))


def page(sheet: Sheet, rows: list[Row], command: str, version: str) -> str:
    """The page of a table and the figures of its rows; ``command`` is what made it.

    Plotly's script stands in it once. All text of results is escaped, and a policy in the head forbids the page to load anything.
    """
    made = [each for name in FIGURES for each in _drawn(rows, name)]
    plots = [
        {"title": each.title, "legend": _LEGENDS[kind], "panels": [_panel(panel) for panel in each.panels]} for kind, each in made
    ]
    groups = _groups(sheet)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        title=sheet.title,
        suite=sheet.options["suite"],
        heads=[{"text": head, "words": words} for head, words in zip(sheet.heads, sheet.words, strict=True)],
        groups=groups,
        barred=any(cell["bounds"] for group in groups for line in group["lines"] for cell in line["cells"]),
        notes=[(letter(place), note) for place, note in enumerate(sheet.notes)],
        caption=[text(sentence) for sentence in sheet.caption],
        provenance=sheet.provenance,
        command=command,
        version=version,
        plots=plots,
        style=_file("page.css"),
        script=_file("page.js"),
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")) if plots else None,
    )


def _drawn(rows: list[Row], name: str) -> Sequence[tuple[str, Drawing]]:
    try:
        return [(name, each) for each in drawings(rows, name)]
    except BenchError:  # results that hold no curves have no such figure
        return []


def _panel(panel: Any) -> dict[str, Any]:
    # In a script "<" could end it; JSON has another way to write it.
    return {"title": panel.layout.title.text, "data": Markup(panel.to_json().replace("<", "\\u003c"))}


def _groups(sheet: Sheet) -> list[dict[str, Any]]:
    """The lines below each heading; one group without a heading where rows are not grouped."""
    heading = title(sheet.layout.group_by) if sheet.layout.group_by else ""
    return [
        {"heading": f"{heading}: {name}" if heading else "", "lines": [_line(sheet, line) for line in lines]}
        for name, lines in groupby(sheet.lines, key=lambda line: line.group)
    ]


def _line(sheet: Sheet, line: Line) -> dict[str, Any]:
    cells = [_cell(entry, name, sheet.layout.percent) for entry, name in zip(line.entries, sheet.columns, strict=True)]
    rank = next((cell["value"] for cell, name in zip(cells, sheet.columns, strict=True) if name == "rank"), None)
    return {"name": line.name, "rank": rank, "cells": cells}


def _cell(entry: Entry, column: str, percent: bool) -> dict[str, Any]:
    numbers = {piece.part: piece for piece in entry.pieces if isinstance(piece, Number)}
    shown = text(entry.pieces)
    bounds = None
    if "low" in numbers and "high" in numbers:
        bounds = [round(numbers[part].value * (1 if percent else 100), 2) for part in ("low", "", "high")]
    return {
        "text": shown,
        "value": numbers[""].value if "" in numbers else None,
        "head": column == "model",
        "words": column in LABELS,
        "mark": entry.mark,
        "note": None if entry.note is None else letter(entry.note),
        "bounds": bounds,
    }


def _file(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))

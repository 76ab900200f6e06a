"""Rows as CSV, Markdown, LaTeX or JSON. Scores are in percent here and in [0, 1] everywhere else; JSON and CSV keep [0, 1]."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from bench.leaderboard import Row

TITLES = {
    "rank": "#",
    "model": "Model",
    "dataset": "Data",
    "augmentation": "Augmentation",
    "fraction": "Data share",
    "output_stride": "Stride",
    "miou": "mIoU %",
    "boundary_iou": "Boundary IoU %",
    "images_per_s": "Images/s",
    "latency_ms": "Latency ms",
    "parameters": "Parameters",
    "seeds": "Seeds",
    "status": "Status",
}
EXTERNAL = "†"
"""Marks the models that were trained elsewhere."""
ALWAYS = ("rank", "model", "output_stride", "miou", "boundary_iou", "images_per_s", "parameters", "seeds")

OF_TRAINED = ("images_per_s", "parameters", "seeds")
"""Those of them that no external model has."""


def columns(rows: list[Row]) -> list[str]:
    """The columns of a table for people: those that always stand, and those that differ between rows."""
    plain = [row.to_json() for row in rows]
    axes = [path for path, _ in rows[0].cells[0].axes] if rows else []
    trained = [row for row in plain if not row["external"]]
    varying = ["dataset"] if len({row["dataset"] for row in plain}) > 1 else []
    varying += [key for key in ("augmentation", "fraction", *axes) if len({str(row.get(key)) for row in trained}) > 1]
    names = [*ALWAYS[:2], *varying, *(name for name in ALWAYS[2:] if trained or name not in OF_TRAINED)]
    return [*names, "status"] if any(row["status"] for row in plain) else names


def cell_text(row: Row, column: str) -> str:
    """One cell of a table for people."""
    value = row.to_json().get(column)
    if column == "status":
        return str(value)
    if value is None:
        return "–"
    if column == "model" and row.external:
        return f"{value} {EXTERNAL}"
    if column in ("miou", "boundary_iou"):
        interval = row.intervals.get(column)
        bounds = f" [{interval.low * 100:.1f}, {interval.high * 100:.1f}]" if interval else ""
        return f"{value * 100:.1f}{bounds}"
    if column == "parameters":
        return f"{value / 1e6:.2f} M"
    if column in ("images_per_s", "latency_ms"):
        return f"{value:.1f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def footnotes(rows: list[Row]) -> list[str]:
    """What the numbers of a table mean and how they were measured."""
    results = [result for row in rows for result in row.results]
    if not results:
        return []
    images = sorted({result.data["test_images"] for result in results})
    seeds = sorted({len(row.results) for row in rows if row.results and not row.external})
    widths = sorted({width for result in results for width in result.data.get("boundary_width_px", [])})
    over = (
        "images and seeds (noise between seeds pooled within an architecture)"
        if max(seeds, default=1) > 1
        else "images alone" + (", since one seed says nothing about the noise between trainings" if seeds else "")
    )
    trainings = f", {_span(seeds)} seed{'s' if seeds != [1] else ''}" if seeds else ""
    notes = [
        f"mIoU over the set, classes absent from truth and prediction left out; {_span(images)} images"
        f"{trainings}; 95 % intervals by bootstrap over {over}.",
        "Rows that cannot be told apart (paired over images, Holm's correction, 5 %) share a rank.",
    ]
    if widths:
        notes.append(f"Boundary IoU with a band of {_span(widths)} px.")
    measured = sorted({_speed(result.profile) for result in results if result.profile})
    notes += [f"Speed: {text}." for text in measured]
    if any(row.external for row in rows):
        notes.append(f"{EXTERNAL} trained elsewhere: its predictions were scored here, its stride is as stated by its makers.")
    return notes


def _speed(profile: dict[str, Any]) -> str:
    threads = f", {profile['threads']} threads" if profile.get("threads") else ""
    size = f"{profile['height_px']}x{profile['width_px']} px"
    return f"{profile['device']}{threads}, {profile['precision']}, {size}, batch {profile['batch']}, class map included"


def _span(values: list[int]) -> str:
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def to_json(rows: list[Row]) -> str:
    """A list of objects with the documented keys."""
    return json.dumps([row.to_json() for row in rows], indent=1, allow_nan=False) + "\n"


def to_csv(rows: list[Row]) -> str:
    """The documented keys as columns, one row a line; cell ids are joined by spaces."""
    plain = [{**row.to_json(), "cells": " ".join(row.to_json()["cells"])} for row in rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(plain[0]) if plain else ["rank"], lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(plain)
    return out.getvalue()


def to_markdown(rows: list[Row]) -> str:
    """A table for a README."""
    names = columns(rows)
    lines = ["| " + " | ".join(TITLES.get(name, name) for name in names) + " |"]
    lines.append(
        "|" + "|".join(" --- " if name in ("model", "dataset", "augmentation", "status") else " ---: " for name in names) + "|"
    )
    lines += ["| " + " | ".join(cell_text(row, name).replace("|", "\\|") for name in names) + " |" for row in rows]
    return "\n".join([*lines, "", *footnotes(rows)]) + "\n"


def to_latex(rows: list[Row]) -> str:
    """A booktabs tabular with its notes as comments and caption; needs \\usepackage{booktabs}."""
    names = columns(rows)
    align = "".join("l" if name in ("model", "dataset", "augmentation", "status") else "r" for name in names)
    head = " & ".join(_tex(TITLES.get(name, name)) for name in names)
    body = [" & ".join(_tex(cell_text(row, name)) for name in names) + r" \\" for row in rows]
    notes = " ".join(_tex(note) for note in footnotes(rows))
    parts = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{notes}}}",
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "–": "--",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "·": r"\textperiodcentered{}",
    "†": r"\textdagger{}",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)


FORMATS: dict[str, Callable[[list[Row]], str]] = {"csv": to_csv, "md": to_markdown, "latex": to_latex, "json": to_json}

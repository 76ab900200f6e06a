"""The leaderboard as a table. Scores are in percent here and in [0, 1] everywhere else; JSON and CSV keep [0, 1]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.conventions import warnings
from bench.leaderboard import PERCENT, Row
from bench.metrics.dialects import DIALECTS, same_as
from bench.names import EXTERNAL, EXTERNAL_NOTE, names, varying
from bench.statistics import MOST_UNDEFINED
from bench.tables import WRITERS, Table

TITLES = {
    "rank": "#",
    "model": "Model",
    "dataset": "Data",
    "augmentation": "Augmentation",
    "fraction": "Data share",
    "output_stride": "Stride",
    "miou": "mIoU %",
    "boundary_iou": "Boundary IoU %",
    "miou_of_ceiling": "% of ceiling",
    "boundary_iou_of_ceiling": "Boundary, % of ceiling",
    "trimap_iou_3px": "Trimap IoU 3 px %",
    "boundary_f1": "BF score %",
    "davis_f": "DAVIS F %",
    "fwiou": "fwIoU %",
    "pixel_accuracy": "Pixel accuracy %",
    "mean_accuracy": "Mean accuracy %",
    "images_per_s": "Images/s",
    "latency_ms": "Latency ms",
    "parameters": "Parameters",
    "seeds": "Seeds",
    "status": "Status",
}
WORDS = ("model", "dataset", "augmentation", "status")
"""Columns that hold words."""
ALWAYS = ("rank", "model", "output_stride", "miou", "miou_of_ceiling", "boundary_iou", "images_per_s", "parameters", "seeds")
OF_TRAINED = ("images_per_s", "parameters", "seeds")
"""Those of them that no external model has."""


def columns(rows: list[Row]) -> list[str]:
    """The columns of a table for people: those that always stand, and those that differ between rows."""
    trained = any(not row.external for row in rows)
    names = [*ALWAYS[:2], *varying(rows), *(name for name in ALWAYS[2:] if trained or name not in OF_TRAINED)]
    by = rows[0].ranked_by if rows else "miou"
    if by not in names:
        names.insert(names.index("miou"), by)
    names += [f"{metric}_published" for metric in PERCENT if any(metric in row.published for row in rows)]
    return [*names, "status"] if any(row.status for row in rows) else names


def cell_text(row: Row, column: str) -> str:
    """One cell of a table for people."""
    value = row.to_json().get(column)
    if metric := _published(column):
        return row.published[metric].text if metric in row.published else "–"
    if column == "status":
        return str(value)
    if value is None:
        return "–"
    if column == "model" and row.external:
        return f"{value} {EXTERNAL}"
    if column in PERCENT:
        interval = row.intervals.get(column)
        bounds = f" [{interval.low * 100:.1f}, {interval.high * 100:.1f}]" if interval else ""
        return f"{value * 100:.1f}{bounds}"
    if column.endswith("_of_ceiling"):
        return f"{value * 100:.1f}"
    if column == "parameters":
        return f"{value / 1e6:.2f} M"
    if column in ("images_per_s", "latency_ms"):
        return f"{value:.1f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _published(column: str) -> str | None:
    """The score whose published value a column shows."""
    metric = column.removesuffix("_published")
    return metric if metric != column and metric in PERCENT else None


def title(column: str) -> str:
    """The head of a column."""
    metric = _published(column)
    return f"Published {TITLES[metric]}" if metric else TITLES.get(column, column)


def _sources(rows: list[Row]) -> list[str]:
    """Where the published scores come from, each once, and what they are not comparable in."""
    found = [each for row in rows for each in row.published.values()]
    notes = [f"Published scores with their tolerance: {text}." for text in dict.fromkeys(each.expectation.source for each in found)]
    others = dict.fromkeys(each.splits for each in found if each.splits[0] != each.splits[1])
    return notes + [f"They are of {theirs}, and this table is of {ours}: other images, other scores." for theirs, ours in others]


def footnotes(rows: list[Row]) -> list[str]:
    """What the numbers of a table mean and how they were measured."""
    results = [result for row in rows for result in row.results]
    if not results:
        return _sources(rows)
    images = sorted({result.data["test_images"] for result in results})
    seeds = sorted({len(row.results) for row in rows if row.results and not row.external})
    widths = sorted({width for result in results for width in result.data.get("boundary_width_px", [])})
    over = (
        "images and seeds (noise between seeds pooled within an architecture)"
        if max(seeds, default=1) > 1
        else "images alone" + (", since one seed says nothing about the noise between trainings" if seeds else "")
    )
    trainings = f", {_span(seeds)} seed{'s' if seeds != [1] else ''}" if seeds else ""
    convention, by = rows[0].convention, rows[0].ranked_by
    ordered = DIALECTS[convention].ordered
    notes = [
        f"mIoU as in {convention}: {DIALECTS[convention].rule}. {_span(images)} images{trainings}; "
        f"95 % intervals by bootstrap over {over}."
    ]
    if ordered:
        notes.append(f"mIoU as in {convention} depends on the order of the images and so has no interval.")
    if ordered and by == "miou":
        notes.append("Ranks follow the score alone: nothing tests whether rows can be told apart.")
    else:
        notes.append(
            f"A rank is 1 + the number of rows significantly better in {TITLES[by].removesuffix(' %')} (paired over images, Holm's "
            "correction, 5 %)."
        )
    if any(row.results and row.scores.get("miou") is None for row in rows):
        notes.append(f"–: {convention} defines no mIoU there.")
    notes += _undefined(rows)
    if same_as(convention) != "fcn" and any(result.ceiling for result in results):
        notes.append(f"% of ceiling: only for FCN's mIoU, not for that of {convention}.")
    protocols = sorted({result.ceiling["protocol"] for result in results if result.ceiling})
    if protocols:
        how = ", ".join(protocols)
        notes.append(
            f"Ceiling: mIoU of the labels themselves, reduced to the output stride and enlarged ({how}); within reach, no bound."
        )
    if widths:
        notes.append(f"Boundary IoU with a band of {_span(widths)} px.")
    measured = sorted({_speed(result.profile) for result in results if result.profile})
    notes += [f"Speed: {text}." for text in measured]
    notes += _sources(rows)
    if any(row.external for row in rows):
        notes.append(EXTERNAL_NOTE)
    return notes


def _undefined(rows: list[Row]) -> list[str]:
    """Which rows have draws without a score, and which have so many that nothing can be said of them."""
    notes = []
    for name, row in zip(names(rows), rows, strict=True):
        for metric, share in row.undefined.items():
            end = "so it has no interval and no test" if share > MOST_UNDEFINED else "which its interval leaves out"
            notes.append(f"{name}: {share * 100:.2g} % of the bootstrap draws have no {TITLES[metric].removesuffix(' %')}, {end}.")
    return notes


def _speed(profile: dict[str, Any]) -> str:
    threads = f", {profile['threads']} threads" if profile.get("threads") else ""
    size = f"{profile['height_px']}x{profile['width_px']} px"
    return f"{profile['device']}{threads}, {profile['precision']}, {size}, batch {profile['batch']}, class map included"


def _span(values: list[int]) -> str:
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def table(rows: list[Row]) -> Table:
    """The leaderboard as a table."""
    shown, plain = columns(rows), [row.to_json() for row in rows]
    keys = dict.fromkeys(key for record in plain for key in record)  # an axis may be that of some rows alone
    return Table(
        titles=[title(name) for name in shown],
        lines=[[cell_text(row, name) for name in shown] for row in rows],
        records=[{key: record.get(key) for key in keys} for record in plain],
        notes=footnotes(rows),
        warnings=warnings(rows),
        left=frozenset(TITLES.get(name, name) for name in WORDS),
    )


def _written(writer: Callable[[Table], str], rows: list[Row]) -> str:
    return writer(table(rows))


FORMATS: dict[str, Callable[[list[Row]], str]] = {name: partial(_written, writer) for name, writer in WRITERS.items()}

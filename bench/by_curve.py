"""Where a row goes wrong, from the curves of its results: by size of object, width of the trimap, distance to the boundary."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from bench.classes import external_note, percent, row_keys
from bench.errors import BenchError
from bench.leaderboard import Row
from bench.names import marked, names
from bench.sound import unequal, unsound
from bench.tables import Table

Number = float | None
WIDTHS_PX = (1, 2, 3, 5, 10, 20, 40)
"""Trimaps of the table for people; records have all."""
CURVES = {"size": "object_iou", "trimap": "trimap_iou", "distance": "error_by_distance"}
"""What a row is taken apart by -> the curve of its results that holds it."""
BANDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, float("inf"))
"""Distances in strides of the table for people; records have quarters of a stride."""


def by_size(rows: list[Row]) -> Table:
    """mIoU over the objects of a size, by the side of the true object in px; strata down, rows across."""
    scored = _with(rows, CURVES["size"])
    sides = scored[0][2]["side_px"]
    titles = [f"{low} to {high} px" for low, high in pairwise(sides)] + [f"{sides[-1]} px and more"]
    counts = list(dict.fromkeys(tuple(curve["objects"]) for _, _, curve in scored))  # one a set of images
    means = [_means(row, "object_iou", "miou") for _, row, _ in scored]
    records = [
        {**keys, "side_px": side, "miou": mean[place], "objects": curve["objects"][place]}
        for (keys, _, curve), mean in zip(scored, means, strict=True)
        for place, side in enumerate(sides)
    ]
    return Table(
        titles=["Object's side", "Objects", *_titles(rows, scored)],
        lines=[
            [title, " / ".join(str(each[place]) for each in counts), *(percent(mean[place]) for mean in means)]
            for place, title in enumerate(titles)
            if any(each[place] for each in counts)
        ],
        records=records,
        notes=[
            "mIoU in percent over the true objects of a size, mean over seeds; side: square root of the object's area.",
            *external_note(rows),
        ],
        left=frozenset({"Object's side"}),
    )


def by_trimap(rows: list[Row]) -> Table:
    """mIoU over the pixels at most so far from a true boundary; widths down, rows across."""
    scored = _with(rows, CURVES["trimap"])
    means = [_means(row, "trimap_iou") for _, row, _ in scored]
    widths = range(1, max(map(len, means)) + 1)
    return Table(
        titles=["Trimap", *_titles(rows, scored)],
        lines=[[f"{width} px", *(percent(mean[width - 1]) for mean in means)] for width in WIDTHS_PX if width in widths],
        records=[
            {**keys, "width_px": width, "miou": mean[width - 1]}
            for (keys, _, _), mean in zip(scored, means, strict=True)
            for width in widths
        ],
        notes=["mIoU in percent over the pixels at most so far from a true boundary, mean over seeds.", *external_note(rows)],
        left=frozenset({"Trimap"}),
    )


def by_distance(rows: list[Row]) -> Table:
    """Share of wrong pixels by the distance to the nearest true boundary, in each row's own output strides; distances down."""
    scored = _with(rows, CURVES["distance"])
    records = [
        {**keys, "edge_strides": edge, "error": error, "share": share}
        for keys, row, curve in scored
        for edge, error, share in zip(curve["edge_strides"], _means(row, "error_by_distance", "error"), curve["share"], strict=True)
    ]
    columns = [_banded(_means(row, "error_by_distance", "error"), curve) for _, row, curve in scored]
    titles = [f"{low:g} to {high:g} strides" for low, high in pairwise(BANDS[:-1])] + [f"{BANDS[-2]:g} strides and more"]
    return Table(
        titles=["Distance to the boundary", *_titles(rows, scored)],
        lines=[
            [title, *(percent(column[place]) for column in columns)] for place, title in enumerate([*titles, "farther than 40 px"])
        ],
        records=records,
        notes=[
            "Wrong pixels in percent, mean over seeds; a stride is the row's own output stride, and distances end at 40 px.",
            *external_note(rows),
        ],
        left=frozenset({"Distance to the boundary"}),
    )


def _banded(errors: list[Number], curve: dict[str, Any]) -> list[Number]:
    """Errors in `BANDS`, and that of the last bin, which has no upper edge: a band's wrong pixels over its pixels."""
    bins = [
        (edge, error * share, share)
        for edge, error, share in zip(curve["edge_strides"], errors, curve["share"], strict=True)
        if error is not None and share is not None
    ]
    near = [each for each in bins if each[0] is not None]
    bands = [[each for each in near if low < each[0] <= high] for low, high in pairwise(BANDS)]
    return [_ratio(band) for band in [*bands, [each for each in bins if each[0] is None]]]


def _ratio(bins: Iterable[tuple[Any, float, float]]) -> Number:
    wrong, pixels = (sum(column) for column in list(zip(*bins, strict=True))[1:]) if bins else (0.0, 0.0)
    return wrong / pixels if pixels else None


def _with(rows: list[Row], curve: str) -> list[tuple[dict[str, Any], Row, Any]]:
    """The keys of a record, the row and its first seed's curve, of all rows that have it."""
    found = [
        (row_keys(name, row), row, row.results[0].curves[curve])
        for name, row in zip(names(rows), rows, strict=True)
        if row.results and all(result.curves.get(curve) for result in row.results)
    ]
    if not found:
        raise BenchError(f"no row has the curve {curve!r}; an update may have brought it: bench rescore SUITE")
    for _, row, _ in found:
        if problem := damage(row, curve):
            raise BenchError(problem)
    return found


def damage(row: Row, curve: str) -> str | None:
    """What is wrong with a curve of a row, with the file and the next step; None where there is nothing, or no such curve."""
    held = [(result.cell_id, result.curves.get(curve)) for result in row.results]
    if not held or not all(each for _, each in held):
        return None
    for cell_id, each in held:
        if problem := unsound(curve, each):
            return f"cells/{cell_id}/result.json: the curve {curve} {problem}. Make it anew: bench rescore SUITE"
    problem = unequal(curve, [each for _, each in held])
    return f"{row.cells[0].label}: the curve {curve} {problem}. Make it anew: bench rescore SUITE" if problem else None


def _titles(rows: list[Row], scored: Sequence[tuple[Any, Row, Any]]) -> list[str]:
    titles = dict(zip(map(id, rows), marked(rows), strict=True))
    return [titles[id(row)] for _, row, _ in scored]


def _means(row: Row, curve: str, key: str | None = None) -> list[Number]:
    """A curve of a row, mean over the seeds that have a value there."""
    seeds = [result.curves[curve][key] if key else result.curves[curve] for result in row.results]
    known = [[value for value in column if value is not None] for column in zip(*seeds, strict=True)]
    return [sum(values) / len(values) if values else None for values in known]

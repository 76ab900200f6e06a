"""A leaderboard taken apart: by class, stride, size of object, distance to the boundary, convention of mIoU, image."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.by_curve import by_distance, by_size, by_trimap
from bench.classes import by_class, by_stride, external_note, percent, row_keys
from bench.conventions import by_convention, warnings
from bench.leaderboard import Row, on_same_images
from bench.metrics.dialects import DIALECTS
from bench.metrics.scores import number
from bench.names import marked, names
from bench.tables import Table


def by_convention_table(rows: list[Row]) -> Table:
    """mIoU under every convention, and each row's place by it among the rows on its images."""
    scored = [row for row in rows if row.images]
    named = dict(zip(map(id, rows), names(rows), strict=True))
    titles = dict(zip(map(id, rows), marked(rows), strict=True))
    values: dict[str, dict[int, tuple[float | None, int | None]]] = {}
    for group in on_same_images(scored):
        for convention, scores in by_convention(group).items():
            places = {row: 1 + sum(other > score for other in scores) for row, score in zip(map(id, group), scores, strict=True)}
            placed = zip(map(id, group), scores, strict=True)
            there = {row: (score, places[row]) if np.isfinite(score) else (None, None) for row, score in placed}
            values.setdefault(convention, {}).update(there)
    return Table(
        titles=["Convention", *(titles[id(row)] for row in scored), "Rule"],
        lines=[[name, *(_placed(*each[id(row)]) for row in scored), DIALECTS[name].rule] for name, each in values.items()],
        records=[
            {"convention": name, **row_keys(named[id(row)], row), "miou": each[id(row)][0], "place": each[id(row)][1]}
            for name, each in values.items()
            for row in scored
        ],
        notes=[
            "mIoU in percent, mean over seeds; in brackets the row's place by it, whether told apart or not.",
            *external_note(rows),
        ],
        warnings=warnings(rows),
        left=frozenset({"Convention", "Rule"}),
    )


def by_image(rows: list[Row]) -> Table:
    """One record a row, seed and image: scores of each image on its own, None where an image has none. For programs alone."""
    records: list[dict[str, Any]] = []
    for name, row in zip(names(rows), rows, strict=True):
        seeds = {cell.id: cell.seed for cell in row.cells}
        for result, cell in zip(row.results, row.images, strict=True):
            keys = {**row_keys(name, row), "seed": None if row.external else seeds[result.cell_id]}
            scores = cell.scores()
            for place, image in enumerate(cell.ids):
                records.append({**keys, "image": image, **{metric: number(each[place]) for metric, each in scores.items()}})
    return Table(titles=list(records[0]) if records else [], lines=[], records=records)


BREAKDOWNS: dict[str, Callable[[list[Row]], Table]] = {
    "class": by_class,
    "stride": by_stride,
    "size": by_size,
    "trimap": by_trimap,
    "distance": by_distance,
    "convention": by_convention_table,
    "image": by_image,
}


def _placed(score: float | None, place: int | None) -> str:
    return "–" if score is None else f"{percent(score)} ({place})"

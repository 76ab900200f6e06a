"""The figures of a suite for a paper: stride, trade-off and boundary, each for one data set."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench import figures
from bench.frame import breakdown_frame, rows_frame
from bench.leaderboard import Row

_SCORES = ("miou", "boundary_iou")


@dataclass(frozen=True)
class Drawing:
    """One figure, of one or several panels."""

    name: str
    """For a file, without its ending."""
    title: str
    panels: list[Any]


def stride(rows: list[Row]) -> list[Any]:
    """Scores and throughput over the output stride."""
    frame = rows_frame(rows)
    return [figures.stride(frame, metric) for metric in (*_SCORES, "images_per_s")]


def tradeoff(rows: list[Row]) -> list[Any]:
    """Scores against throughput."""
    frame = rows_frame(rows)
    return [figures.tradeoff(frame, "images_per_s", metric) for metric in _SCORES]


def boundary(rows: list[Row]) -> list[Any]:
    """Where models go wrong. Raises BenchError when the results hold no such curves."""
    made: dict[str, Callable[[Any], Any]] = {
        "trimap": figures.trimap, "distance": figures.distance, "size": figures.sizes,
    }  # fmt: skip
    return [draw(breakdown_frame(rows, by)) for by, draw in made.items()]


FIGURES: dict[str, tuple[str, Callable[[list[Row]], list[Any]]]] = {
    "stride": ("Output stride", stride),
    "tradeoff": ("Trade-off", tradeoff),
    "boundary": ("Boundaries", boundary),
}


def drawings(rows: list[Row], name: str) -> Iterator[Drawing]:
    """One of `FIGURES` for each data set that has something to draw; raises BenchError when results lack what it shows."""
    title, make = FIGURES[name]
    sets = list(dict.fromkeys(row.cells[0].dataset_label for row in rows if row.results))
    for dataset in sets:
        panels = [panel for panel in make([row for row in rows if row.cells[0].dataset_label == dataset]) if panel.data]
        if panels:
            suffix = f"_{re.sub('[^A-Za-z0-9.-]+', '_', dataset)[:40]}_{sets.index(dataset) + 1}" if len(sets) > 1 else ""
            yield Drawing(f"{name}{suffix}", f"{title}, {dataset}" if len(sets) > 1 else title, panels)

"""The figures of a suite for a paper: stride, trade-off and boundary, each for one data set."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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


Panel = tuple[Any, Callable[..., Any]]
"""The frame of all that a panel may show, and what draws a part of it ``among`` the whole: families look alike in all data sets."""


def stride(rows: list[Row]) -> list[Panel]:
    """Scores and throughput over the output stride."""
    frame = rows_frame(rows)
    return [(frame, partial(figures.stride, metric=metric)) for metric in (*_SCORES, "images_per_s")]


def tradeoff(rows: list[Row]) -> list[Panel]:
    """Scores against throughput."""
    frame = rows_frame(rows)
    return [(frame, partial(figures.tradeoff, cost="images_per_s", metric=metric)) for metric in _SCORES]


def boundary(rows: list[Row]) -> list[Panel]:
    """Where models go wrong. Raises BenchError when the results hold no such curves."""
    draw = {"trimap": figures.trimap, "distance": figures.distance, "size": figures.sizes}
    return [(breakdown_frame(rows, by), each) for by, each in draw.items()]


FIGURES: dict[str, tuple[str, Callable[[list[Row]], list[Panel]]]] = {
    "stride": ("Output stride", stride),
    "tradeoff": ("Trade-off", tradeoff),
    "boundary": ("Boundaries", boundary),
}


def drawings(rows: list[Row], name: str) -> Iterator[Drawing]:
    """One of `FIGURES` for each data set that has something to draw; raises BenchError when results lack what it shows."""
    title, make = FIGURES[name]
    finished = [row for row in rows if row.results]
    sets = list(dict.fromkeys(row.cells[0].dataset_label for row in finished))
    panels = make(finished) if finished else []
    for dataset in sets:
        drawn = [draw(frame[frame["dataset"] == dataset], among=frame) for frame, draw in panels]
        if any(panel.data for panel in drawn):
            suffix = f"_{re.sub('[^A-Za-z0-9.-]+', '_', dataset)[:40]}_{sets.index(dataset) + 1}" if len(sets) > 1 else ""
            named = f"{title}, {dataset}" if len(sets) > 1 else title
            yield Drawing(f"{name}{suffix}", named, [panel for panel in drawn if panel.data])

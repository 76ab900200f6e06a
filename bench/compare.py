"""Two rows side by side: what sets them apart, and whether the images and seeds can tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.classes import PER_CLASS, class_scores
from bench.errors import BenchError
from bench.judge import resampled, sample
from bench.leaderboard import Row, pools
from bench.metrics.scores import Floats
from bench.pairs import spec_differences
from bench.scored import Scored, statistic
from bench.statistics import Samples, SeedsNeeded, holm, interval, paired_p, seeds_to_settle, sign_flip_p

METRICS = ("miou", "boundary_iou")
"""Compared unless others are asked for."""


Drawn = tuple[Samples, int]
"""Draws of several rows, and the place of one among them."""


@dataclass(frozen=True)
class Difference:
    """One score of A minus the same of B, in [-1, 1]."""

    metric: str
    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    """Over images and seeds: would other images and other trainings show a difference? None, as are ``low`` and ``high``, where a
    row has no score, or too many of its draws have none."""
    p_images: float | None
    """Over images alone, these trainings given, by swapping the models' predictions; None unless both have the same seeds."""
    note: str
    """What was resampled."""
    seeds: SeedsNeeded | None
    """Seeds of each that would tell them apart; None when fewer than two seeds of either are there."""
    p_holm: float | None = None
    """``p`` with Holm's correction over a family of pairs."""


@dataclass(frozen=True)
class Comparison:
    """Everything that the results of two rows on the same images say about them."""

    a: Row
    b: Row
    scores: list[Difference]
    classes: dict[str, list[tuple[str, float, float]]]
    """Metric -> (class, A, B), where A leads most first; classes without a score on either side are left out."""
    wins: tuple[int, int, int]
    """Images whose mIoU is higher in A, alike, higher in B; images without a score on either side are left out."""
    images: list[tuple[str, float, float]]
    """(id, mIoU in A, in B), mean over seeds, where A leads most first."""
    specs: list[tuple[str, Any, Any]]
    """Fields of the two specs that differ, with both values."""


def compare(a: Row, b: Row, peers: Sequence[Row], *, metrics: Sequence[str] = METRICS, draws: int = 2000) -> Comparison:
    """Compare two ranked rows; ``peers`` are the rows of their table, with which they share the noise between seeds.

    Raises BenchError for rows without results, on different images or on other labels.
    """
    for row in (a, b):
        if not row.images:
            raise BenchError(f"{row.cells[0].label} has no result to compare; run it first")
    if any(cell.truth != a.images[0].truth for cell in (*a.images, *b.images)):
        alike = all(cell.ids == a.images[0].ids for cell in b.images)
        what = "different labels of images with the same ids, such as another size" if alike else "different images"
        raise BenchError(
            f"{a.cells[0].label} and {b.cells[0].label} were scored on {what}, so they cannot be compared. "
            "Compare rows of one data set, split and size."
        )
    (scores,) = differences_of([(a, b)], peers, metrics=metrics, draws=draws)
    by_image = [_image_scores(row.images) for row in (a, b)]
    images = _sorted(zip(a.images[0].ids, *by_image, strict=True))
    lead = np.array([one - other for _, one, other in images])
    return Comparison(
        a=a,
        b=b,
        scores=list(scores),
        classes={metric: _classes(a, b, metric) for metric in metrics if metric in PER_CLASS},
        wins=(int((lead > 0).sum()), int((lead == 0).sum()), int((lead < 0).sum())),
        images=images,
        specs=spec_differences(a.cells[0], b.cells[0]),
    )


def differences_of(
    pairs: Sequence[tuple[Row, Row]], peers: Sequence[Row], *, metrics: Sequence[str] = METRICS, draws: int = 2000
) -> list[tuple[Difference, ...]]:
    """The differences of several pairs in each score, with Holm's correction over the pairs."""
    convention = pairs[0][0].convention
    if not all(resampled(metric, convention) for metric in metrics):
        raise BenchError(f"--convention {convention}: depends on the order of the images, so nothing can be tested under it")
    columns = []
    for metric in metrics:
        drawn: dict[int, Drawn] = {}
        for truth in {a.images[0].truth for a, _ in pairs}:
            rows = [row for row in peers if row.images and row.images[0].truth == truth]
            samples = sample([row.images for row in rows], pools(rows), metric=metric, convention=convention, draws=draws)
            drawn |= {id(row): (samples, place) for place, row in enumerate(rows)}
        found = [_difference(a, b, metric, drawn[id(a)], drawn[id(b)], draws) for a, b in pairs]
        tested = {place: each.p for place, each in enumerate(found) if each.p is not None}
        for place, p in zip(tested, holm(list(tested.values())), strict=True):
            found[place] = replace(found[place], p_holm=float(p))
        columns.append(found)
    return list(zip(*columns, strict=True))


def _difference(a: Row, b: Row, metric: str, one: Drawn, other: Drawn, draws: int) -> Difference:
    """From both rows' draws and what was resampled for them."""
    rule = statistic(metric, a.convention)
    tables = rule.table(a.images), rule.table(b.images)
    scores = [float(rule.scores(row.images).mean()) for row in (a, b)]
    values = [samples.values[place] for samples, place in (one, other)]
    judged = all(samples.judged(place) for samples, place in (one, other))
    order = _same_seeds(a, b) if judged else None
    swapped = sign_flip_p(tables[0], tables[1][order], finish=rule.finish, draws=draws) if order else None
    enough = judged and min(len(a.images), len(b.images)) > 1
    low, high = interval(values[0] - values[1]) if judged else (None, None)
    return Difference(
        metric=metric,
        a=scores[0],
        b=scores[1],
        difference=scores[0] - scores[1],
        low=low,
        high=high,
        p=paired_p(*values) if judged else None,
        p_images=swapped,
        note="; ".join(sorted({samples.notes[place] for samples, place in (one, other)})),
        seeds=seeds_to_settle(*tables, finish=rule.finish, draws=draws) if enough else None,
    )


def _same_seeds(a: Row, b: Row) -> list[int] | None:
    """Where in B the seeds of A stand; None unless both have the same, as a permutation of part of them tests another difference.

    A model that was trained elsewhere has no seed, so it is paired with a single training alone.
    """
    seeds = [[cell.seed for result in row.results for cell in row.cells if cell.id == result.cell_id] for row in (a, b)]
    if a.external or b.external:
        return [0] if len(seeds[0]) == len(seeds[1]) == 1 else None
    return [seeds[1].index(seed) for seed in seeds[0]] if sorted(seeds[0]) == sorted(seeds[1]) else None


def _image_scores(cells: list[Scored]) -> Floats:
    """mIoU of each image on its own, mean over seeds: (N,)."""
    return np.mean([cell.scores()["miou"] for cell in cells], axis=0)


def _classes(a: Row, b: Row, metric: str) -> list[tuple[str, float, float]]:
    one, other = class_scores(a, metric), class_scores(b, metric)
    return _sorted((name, one[name], other.get(name)) for name in one)


def _sorted(entries: Any) -> list[tuple[str, float, float]]:
    """(name, A, B) where A leads most first; entries without a score on either side are left out."""
    known = [(name, float(one), float(other)) for name, one, other in entries if one is not None and other is not None]
    return sorted((each for each in known if np.isfinite(each[1] - each[2])), key=lambda each: each[2] - each[1])

"""Intervals, tests and ranks of rows that were scored on the same images."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from bench.metrics.dialects import DIALECTS
from bench.scored import Scored, statistic
from bench.statistics import Interval, Samples, bootstrap, leader_p, ranks


@dataclass(frozen=True)
class Verdict:
    """What the images and seeds say of several rows, in the order of the rows."""

    intervals: list[dict[str, Interval]]
    """Metric -> interval."""
    ranks: list[int]
    p_leader: list[float | None]
    """Against the row with the highest score, with Holm's correction; None for itself."""


def judge(
    rows: Sequence[list[Scored]],
    pools: Sequence[Hashable],
    *,
    metric: str = "miou",
    convention: str = "fcn",
    also: tuple[str, ...] = ("miou", "boundary_iou"),
    draws: int = 2000,
) -> Verdict:
    """Judge rows, each the sums of its seeds, by ``metric``; intervals for the scores in ``also`` as well.

    Rows share a rank when a paired test with Holm's correction does not tell them apart. A convention of mIoU that depends
    on the order of the images has neither intervals nor tests: such rows are ranked by their score alone.
    """
    metrics = [name for name in dict.fromkeys((*also, metric)) if resampled(name, convention)]
    samples = {name: sample(rows, pools, metric=name, convention=convention, draws=draws) for name in metrics}
    intervals = [
        {name: each.interval(row) for name, each in samples.items() if not np.isnan(each.scores[row])} for row in range(len(rows))
    ]
    if metric not in samples:
        scores = [statistic(metric, convention).scores(row).mean() for row in rows]
        places = np.argsort(np.argsort([-score for score in scores], kind="stable"), kind="stable") + 1
        return Verdict(intervals, places.tolist(), [None] * len(rows))
    p_values = [None if np.isnan(p) else float(p) for p in leader_p(samples[metric])]
    return Verdict(intervals, ranks(samples[metric]).tolist(), p_values)


def resampled(metric: str, convention: str) -> bool:
    """Whether a score may be resampled image by image."""
    return metric != "miou" or not DIALECTS[convention].ordered


def sample(
    rows: Sequence[list[Scored]], pools: Sequence[Hashable], *, metric: str, convention: str = "fcn", draws: int = 2000
) -> Samples:
    """Bootstrap draws of a score, paired over images across rows. ``pools`` names what each row shares its seeds' noise with.

    Raises BenchError when the rows or their seeds were scored on different images.
    """
    ids = {cell.ids for row in rows for cell in row}
    if len(ids) > 1:
        raise BenchError(f"rows scored on different images ({', '.join(map(str, sorted(map(len, ids))))}) cannot be paired")
    rule = statistic(metric, convention)
    return bootstrap([rule.table(row) for row in rows], finish=rule.finish, draws=draws, pools=pools)

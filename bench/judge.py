"""Intervals, tests and ranks of rows that were scored on the same images."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bench.errors import BenchError
from bench.metrics.dialects import DIALECTS
from bench.scored import Scored, statistic
from bench.statistics import Interval, Samples, bootstrap, leader_p, ranks


@dataclass(frozen=True)
class Verdict:
    """What the images and seeds say of several rows, in the order of the rows."""

    intervals: list[dict[str, Interval]]
    """Metric -> interval, where the row has one (`bench.statistics.Samples.judged`)."""
    ranks: list[int]
    undefined: list[dict[str, float]]
    """Metric -> share of the row's draws that have no score, where some have none though the row has one."""
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

    A rank is 1 + the number of rows that a paired test with Holm's correction finds better. A convention of mIoU that depends
    on the order of the images has neither intervals nor tests: such rows are ranked by their score alone.
    """
    metrics = [name for name in dict.fromkeys((*also, metric)) if resampled(name, convention)]
    samples = {name: sample(rows, pools, metric=name, convention=convention, draws=draws) for name in metrics}
    intervals = [{name: each.interval(row) for name, each in samples.items() if each.judged(row)} for row in range(len(rows))]
    undefined = [
        {name: each.undefined[row] for name, each in samples.items() if each.undefined[row] and np.isfinite(each.scores[row])}
        for row in range(len(rows))
    ]
    if metric not in samples:
        scores = [statistic(metric, convention).scores(row).mean() for row in rows]
        places = np.argsort(np.argsort([-score for score in scores], kind="stable"), kind="stable") + 1
        return Verdict(intervals, places.tolist(), undefined, [None] * len(rows))
    tested, p_leader = samples[metric], leader_p(samples[metric])
    p_values = [None if np.isnan(p) or not tested.judged(row) else float(p) for row, p in enumerate(p_leader)]
    return Verdict(intervals, ranks(samples[metric]).tolist(), undefined, p_values)


def resampled(metric: str, convention: str) -> bool:
    """Whether a score may be resampled image by image."""
    return metric != "miou" or not DIALECTS[convention].ordered


def _apart(cells: list[Scored]) -> str:
    """One cell of those that most agree with and one that is apart, by the folders of their sums."""
    usual = Counter(cell.truth for cell in cells).most_common(1)[0][0]
    one, other = next(cell for cell in cells if cell.truth == usual), next(cell for cell in cells if cell.truth != usual)
    return f"{other.path} has the sums of {len(other.ids)} images, {one.path.parent.name} of {len(one.ids)}. {other.mend}"


def sample(
    rows: Sequence[list[Scored]], pools: Sequence[Hashable], *, metric: str, convention: str = "fcn", draws: int = 2000
) -> Samples:
    """Bootstrap draws of a score, paired over images across rows. ``pools`` names what each row shares its seeds' noise with.

    Raises BenchError when the rows or their seeds were scored on different images, or on other labels of them.
    """
    if len({cell.truth for row in rows for cell in row}) > 1:
        raise BenchError(f"rows scored on different images or labels cannot be paired: {_apart([*chain(*rows)])}")
    rule = statistic(metric, convention)
    return bootstrap([rule.table(row) for row in rows], finish=rule.finish, draws=draws, pools=pools)

"""Tests between rows, ranks that respect them, and how much evidence is missing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError
from bench.statistics.bootstrap import Finish, Floats, Samples, bootstrap, class_ratios, scores


@dataclass(frozen=True)
class SeedsNeeded:
    """How many seeds a row would settle a comparison, and what that rests on."""

    seeds: int | None
    """Seeds of each row in all; None when no number of seeds suffices, because the images alone leave too much doubt."""
    difference: float
    seed_sd: float
    """Standard deviation of the difference between one training of each."""
    image_sd: float
    """Standard error of the difference due to the choice of images."""


@dataclass(frozen=True)
class NoiseFloor:
    """How far scores move when nothing changes but the repetition."""

    sd: float
    difference: float
    """Differences between two single trainings up to this are expected in 95 of 100 repetitions, by the t distribution."""
    repeats: int


def paired_p(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided bootstrap p-value of the difference between two rows' (draws,) values from the same ``bootstrap`` call.

    Twice the smaller share of draws on either side of 0, never below 2 / (draws + 1): with 2,000 draws that leaves Holm's
    correction room for 49 comparisons at 0.05.
    """
    return float(_paired_p(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)[None])[0])


def _paired_p(row: Floats, others: Floats) -> Floats:
    """`paired_p` of one row with each of many: (draws,) and (rows, draws) -> (rows,)."""
    below, above = (row <= others).sum(-1), (row >= others).sum(-1)  # neither in a draw where one has no score
    there = (~np.isnan(row) & ~np.isnan(others)).sum(-1)  # none at all: p is 1
    return np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (there + 1))


def sign_flip_p(a: ArrayLike, b: ArrayLike, *, finish: Finish | None = None, draws: int = 2000, seed: int = 0) -> float:
    """Two-sided permutation p-value: images swap their models at random; (S, N, P, C) twice with S alike.

    Exact for the trained models at hand; says nothing about other seeds, which ``paired_p`` does.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.shape == second.shape, f"{first.shape} and {second.shape}: a permutation needs the same seeds and images"
    seeds, images = first.shape[:2]
    swapped = np.random.default_rng(seed).integers(0, 2, (draws, images)).astype(np.float64)
    change = np.swapaxes(second - first, 0, 1).reshape(images, -1)
    moved = (swapped @ change).reshape(draws, seeds, *first.shape[2:])
    ones = first.sum(1) + moved
    others = second.sum(1) - moved
    finish = finish or class_ratios
    found = abs(scores(first, finish).mean() - scores(second, finish).mean())
    null = np.abs(finish(ones).mean(1) - finish(others).mean(1))
    return float(((null >= found - 1e-12).sum() + 1) / (draws + 1))


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down correction (1979): adjusted p-values in the order given, to be compared with alpha itself."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(values) else steps
    return adjusted


def ranks(samples: Samples, *, alpha: float = 0.05) -> NDArray[np.int64]:
    """Rank of every row: 1 + the number of rows significantly better. Rows nothing beats share rank 1. -> (rows,)

    Each row is tested against all rows that score lower, with Holm's correction within that family; for the best row these
    are the tests against the leader. A lower score can have a better rank when its interval is wider. NaN scores rank last.
    """
    order = np.argsort(-np.nan_to_num(samples.scores, nan=-np.inf), kind="stable")
    better = np.zeros(len(order), dtype=np.int64)
    least = 2 / (samples.values.shape[1] + 1)  # no p-value is below it, and Holm's first step multiplies it by their number
    for place, row in enumerate(order):
        rest = order[place + 1 :]
        if min(least * len(rest), 1.0) <= alpha:
            better[rest] += holm(_paired_p(samples.values[row], samples.values[rest])) <= alpha
    return better + 1


def leader_p(samples: Samples) -> Floats:
    """Each row's p-value against the row with the highest score, with Holm's correction over these tests; NaN for the leader."""
    leader = int(np.argmax(np.nan_to_num(samples.scores, nan=-np.inf)))
    others = [row for row in range(len(samples.scores)) if row != leader]
    adjusted = np.full(len(samples.scores), np.nan)
    adjusted[others] = holm(_paired_p(samples.values[leader], samples.values[others]))
    return adjusted


def seeds_to_settle(
    a: ArrayLike,
    b: ArrayLike,
    *,
    finish: Finish | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    draws: int = 2000,
    seed: int = 0,
) -> SeedsNeeded:
    """Seeds of each row at which the difference seen would come out significant with probability ``power``.

    From the normal approximation with Guenther's correction; (S, N, P, C) twice, two seeds or more each. BenchError for fewer.
    """
    tables = [np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)]
    by_seed = [scores(table, finish) for table in tables]
    if min(map(len, by_seed)) < 2:
        raise BenchError(f"rows with {len(by_seed[0])} and {len(by_seed[1])} seeds: noise shows from two seeds on; train one more.")
    difference = float(by_seed[0].mean() - by_seed[1].mean())
    seed_variance = float(sum(each.var(ddof=1) for each in by_seed))
    # Sums averaged over seeds behave as one training without noise, so that only the images are left to vary.
    drawn = bootstrap([table.mean(0, keepdims=True) for table in tables], finish=finish, draws=draws, seed=seed)
    image_sd = float(np.nanstd(drawn.values[0] - drawn.values[1]))
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    room = (difference / (z_alpha + z_power)) ** 2 - image_sd**2
    seeds = max(2, math.ceil(seed_variance / room + z_alpha**2 / 4)) if room > 0 else None
    return SeedsNeeded(seeds, difference, math.sqrt(seed_variance), image_sd)


def noise_floor(repeats: Sequence[ArrayLike]) -> NoiseFloor:
    """The noise between trainings of the same seed: one array of scores for each cell that was trained more than once.

    On a CPU it should be 0; what is left on a GPU no number of digits can hide. BenchError when nothing was repeated.
    """
    from scipy.special import stdtrit  # a leaderboard needs none of it

    groups = [np.asarray(group, dtype=np.float64) for group in repeats]
    freedom = sum(len(group) - 1 for group in groups if len(group))
    if freedom < 1:
        raise BenchError("no cell was trained twice with one seed; repeat one to learn the noise floor.")
    variance = sum(((group - group.mean()) ** 2).sum() for group in groups if len(group)) / freedom
    sd = float(np.sqrt(variance))
    return NoiseFloor(sd, float(stdtrit(freedom, 0.975)) * math.sqrt(2) * sd, freedom)

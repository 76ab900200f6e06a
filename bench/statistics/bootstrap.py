"""Bootstrap over images and seeds, as products of weights with per-image sums."""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.seed_noise import Floats, SeedNoise, seed_noise_of

_IMAGES_ONLY = "images only: one seed says nothing about the noise between trainings"
MOST_UNDEFINED = 0.05
"""Share of a row's draws that may have no score; with more, what is left of them is no sample, and the row has no interval."""
Finish = Callable[[Floats], Floats]
"""From sums over images to scores: (..., P, C) -> (...). `class_ratios` is mIoU's."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, and what was resampled for it."""

    low: float
    high: float
    level: float
    note: str


@dataclass(frozen=True)
class Samples:
    """Bootstrap draws of several rows, draw by draw over the same images."""

    values: Floats
    """(rows, draws): differences between rows are taken draw by draw. NaN throughout for a row that is not `judged`."""
    centred: Floats
    """(rows, draws): the same about each row's score, widened to a t-interval, for the intervals of single rows."""
    scores: Floats
    """(rows,) from the images as they are."""
    seeds: tuple[int, ...]
    """Number of seeds of each row."""
    images: int
    notes: tuple[str, ...]
    """What was resampled for each row, in words."""
    undefined: tuple[float, ...]
    """Share of each row's draws in which nothing could be scored."""

    def judged(self, row: int) -> bool:
        """Whether a row has an interval and tests: a score, and few draws without one."""
        return bool(np.isfinite(self.scores[row])) and self.undefined[row] <= MOST_UNDEFINED

    def interval(self, row: int, level: float = 0.95) -> Interval:
        """The interval of one row from its widened draws, within [0, 1] as every score is."""
        low, high = np.clip(interval(self.centred[row], level), 0.0, 1.0).tolist()
        return Interval(low, high, level, self.notes[row])


def bootstrap(
    rows: Sequence[ArrayLike],
    *,
    finish: Finish | None = None,
    draws: int = 2000,
    seed: int = 0,
    seed_noise: SeedNoise = "pooled",
    pools: Sequence[Hashable] | None = None,
) -> Samples:
    """Bootstrap the scores of rows evaluated on the same N images: a (S, N, P, C) array each -> values (rows, draws).

    ``finish`` makes a score of summed statistics; unset, it is `class_ratios` of a part and a whole (P = 2). Images are drawn with
    replacement, the same for all rows and seeds, so that differences between rows are paired. Three seeds cannot be resampled
    honestly: the interval of their mean would hold the truth four times in five. So the noise between trainings is added as a
    t-distributed term instead. ``seed_noise`` says where its variance comes from:

    - "pooled": from all rows of one pool together, as in an analysis of variance; their noise is taken to be alike. Works from two
      seeds. ``pools`` names each row's pool, for example its architecture; without it all rows are one.
    - "own": from the row alone, paired between rows by the seed's place; needs four or more seeds to be of use.
    - "resample": seeds drawn with replacement, the textbook's hierarchical bootstrap; too narrow below ten seeds.

    A row with one seed has no part in the variance. Where nothing is known about it only images are resampled, and the row's note
    says so. Apart from the images drawn, which all rows share, chance comes from each row's own sums: a row's interval depends on
    no other row, its pool's variance apart, and equal rows have equal intervals.
    """
    tables = [np.asarray(row, dtype=np.float64) for row in rows]
    images = tables[0].shape[1]
    assert all(t.ndim == 4 and t.shape[1] == images for t in tables), f"{[t.shape for t in tables]}"
    finish = finish or class_ratios
    rng = np.random.default_rng(seed)
    weights = _image_weights(rng, draws, images)
    values = np.stack([_resample(weights, table, finish) for table in tables])
    by_seed = [scores(table, finish) for table in tables]
    found = np.array([each.mean() for each in by_seed])
    streams = [np.random.default_rng([seed, _fingerprint(table)]) for table in tables]
    centred = np.stack([_widened(*each, finish) for each in zip(streams, values, tables, found, strict=True)])
    pool: list[Hashable] = list(pools) if pools is not None else [None] * len(tables)
    noise, noisy = seed_noise_of(seed, rng, streams, by_seed, pool, draws, seed_noise)
    notes = [f"images and seeds ({seed_noise})" if each else _IMAGES_ONLY for each in noisy]
    undefined = np.isnan(values).mean(1)
    values[undefined > MOST_UNDEFINED] = np.nan
    counts = tuple(map(len, by_seed))
    return Samples(values + noise, centred + noise, found, counts, images, tuple(notes), tuple(undefined.tolist()))


def bootstrap_interval(row: ArrayLike, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """The interval of one row on its own: (S, N, 2, C). Rows of one table are better served by ``bootstrap`` together."""
    return bootstrap([np.asarray(row)], draws=draws, seed=seed).interval(0, level)


def interval(samples: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of (draws,) samples; NaN draws, in which nothing could be scored, are left out."""
    values = np.asarray(samples, dtype=np.float64)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]) if np.isfinite(values).any() else (np.nan, np.nan)
    return float(low), float(high)


def scores(table: ArrayLike, finish: Finish | None = None) -> Floats:
    """Score of every seed: (S, N, P, C) -> (S,)."""
    return (finish or class_ratios)(np.asarray(table, dtype=np.float64).sum(1))


def area_sums(counts: ArrayLike) -> Floats:
    """Hits and unions from confusion counts: (..., C, C) -> (..., 2, C)."""
    table = np.asarray(counts, dtype=np.float64)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return np.stack([hits, table.sum(-1) + table.sum(-2) - hits], axis=-2)


def band_sums(bands: ArrayLike) -> Floats:
    """Boundary sums with their axes in this module's order: (..., C, 2) -> (..., 2, C)."""
    return np.moveaxis(np.asarray(bands, dtype=np.float64), -1, -2)


def _fingerprint(table: Floats) -> int:
    """A number that equal sums share, to draw a row's own chance from."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(table).data, digest_size=8).digest(), "little")


def _image_weights(rng: np.random.Generator, draws: int, images: int) -> Floats:
    """(draws, N) multinomial counts: how often each image is drawn. Counting draws is ten times faster than `multinomial`."""
    drawn = rng.integers(0, images, (draws, images)) + np.arange(draws)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=draws * images).reshape(draws, images).astype(np.float64)


def _resample(weights: Floats, table: Floats, finish: Finish) -> Floats:
    """Mean over seeds of the score in every draw: (draws, N) weights and (S, N, P, C) -> (draws,)."""
    seeds, images, parts, classes = table.shape
    sums = weights @ np.swapaxes(table, 0, 1).reshape(images, -1)
    return finish(sums.reshape(-1, seeds, parts, classes)).mean(1)


def _widened(rng: np.random.Generator, draws: Floats, table: Floats, score: float, finish: Finish) -> Floats:
    """Draws of one row over images, moved to its score and widened to the jackknife's t-interval: (draws,) -> (draws,).

    A ratio of sums is biased, and its draws are biased once more; and where a class lives in few images they vary too little. In
    simulated sets of 60 to 500 images plain percentiles held the truth 86 to 96 times in 100, these 92 to 97 times.
    """
    rest = finish(table.sum(1, keepdims=True) - table).mean(0)  # (N,) scores with one image left out
    rest, known = rest[~np.isnan(rest)], draws[~np.isnan(draws)]
    shifts = (rest - rest.mean()) ** 2 if len(rest) else rest
    if not len(known) or known.std() == 0 or shifts.sum() == 0:
        return draws
    freedom = 2 * shifts.sum() ** 2 / (shifts**2).sum()  # Satterthwaite's: how many images the jackknife's variance rests on
    wider = np.sqrt(shifts.sum() * freedom / rng.chisquare(freedom, len(draws))) / known.std()
    return score + (draws - known.mean()) * wider


def class_ratios(sums: Floats) -> Floats:
    """Mean over classes of part over whole, classes without a whole left out: (..., 2, C) -> (...)."""
    part, whole = sums[..., 0, :], sums[..., 1, :]
    there = whole > 0
    if there.all():  # as most sums are, and twice as quick; the same to the bit
        return (part / whole).sum(-1) / whole.shape[-1]
    ratios = np.divide(part, whole, out=np.zeros_like(part), where=there)
    count = there.sum(-1)
    return np.divide(ratios.sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)

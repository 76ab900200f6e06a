"""Bootstrap over images and seeds, as products of weights with per-image sums."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_IMAGES_ONLY = "images only: one seed says nothing about the noise between trainings"
SeedNoise = Literal["pooled", "own", "resample"]


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
    """(rows, draws)."""
    scores: Floats
    """(rows,) from the images as they are."""
    seeds: tuple[int, ...]
    """Number of seeds of each row."""
    images: int
    notes: tuple[str, ...]
    """What was resampled for each row, in words."""

    def interval(self, row: int, level: float = 0.95) -> Interval:
        """The percentile interval of one row, within [0, 1] as every score is."""
        low, high = np.clip(interval(self.values[row], level), 0.0, 1.0).tolist()
        return Interval(low, high, level, self.notes[row])


def bootstrap(
    rows: Sequence[ArrayLike],
    *,
    draws: int = 2000,
    seed: int = 0,
    seed_noise: SeedNoise = "pooled",
    pools: Sequence[Hashable] | None = None,
) -> Samples:
    """Bootstrap the scores of rows evaluated on the same N images: a (S, N, 2, C) array each -> values (rows, draws).

    Images are drawn with replacement, the same for all rows and seeds, so that differences between rows are paired. Three seeds
    cannot be resampled honestly: the interval of their mean would hold the truth four times in five. So the noise
    between trainings is added as a t-distributed term instead. ``seed_noise`` says where its variance comes from:

    - "pooled": from all rows of one pool together, as in an analysis of variance; their noise is taken to be alike. Works from two
      seeds. ``pools`` names each row's pool, for example its architecture; without it all rows are one.
    - "own": from the row alone, paired between rows by the seed's place; needs four or more seeds to be of use.
    - "resample": seeds drawn with replacement, the textbook's hierarchical bootstrap; too narrow below ten seeds.

    A row with one seed has no part in the variance. Where nothing is known about it only images are resampled, and the row's note
    says so.
    """
    tables = [np.asarray(row, dtype=np.float64) for row in rows]
    images = tables[0].shape[1]
    assert all(t.ndim == 4 and t.shape[1] == images and t.shape[2] == 2 for t in tables), f"{[t.shape for t in tables]}"
    rng = np.random.default_rng(seed)
    weights = _image_weights(rng, draws, images)
    values = np.stack([_resample(weights, table) for table in tables])
    by_seed = [scores(table) for table in tables]
    counts = [len(each) for each in by_seed]
    pool = list(pools) if pools is not None else [None] * len(tables)
    if seed_noise == "pooled":
        members = {name: [row for row, each in enumerate(pool) if each == name] for name in dict.fromkeys(pool)}
        for rows_of in members.values():
            values[rows_of] += _pooled_noise(rng, [by_seed[row] for row in rows_of], draws)
    elif max(counts) > 1:
        values += _own_noise(rng, by_seed, draws, seed_noise)
    known = {pool[row] for row, count in enumerate(counts) if count > 1} if seed_noise == "pooled" else set()
    noisy = [count > 1 or pool[row] in known for row, count in enumerate(counts)]
    notes = tuple(f"images and seeds ({seed_noise})" if each else _IMAGES_ONLY for each in noisy)
    return Samples(values, np.array([each.mean() for each in by_seed]), tuple(counts), images, notes)


def bootstrap_interval(row: ArrayLike, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """The interval of one row on its own: (S, N, 2, C). Rows of one table are better served by ``bootstrap`` together."""
    return bootstrap([np.asarray(row)], draws=draws, seed=seed).interval(0, level)


def interval(samples: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of (draws,) samples; NaN draws, in which nothing could be scored, are left out."""
    values = np.asarray(samples, dtype=np.float64)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]) if np.isfinite(values).any() else (np.nan, np.nan)
    return float(low), float(high)


def scores(table: ArrayLike) -> Floats:
    """Score of every seed: (S, N, 2, C) -> (S,)."""
    return class_ratios(np.asarray(table, dtype=np.float64).sum(1))


def area_sums(counts: ArrayLike) -> Floats:
    """Hits and unions from confusion counts: (..., C, C) -> (..., 2, C)."""
    table = np.asarray(counts, dtype=np.float64)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return np.stack([hits, table.sum(-1) + table.sum(-2) - hits], axis=-2)


def band_sums(bands: ArrayLike) -> Floats:
    """Boundary sums with their axes in this module's order: (..., C, 2) -> (..., 2, C)."""
    return np.moveaxis(np.asarray(bands, dtype=np.float64), -1, -2)


def _image_weights(rng: np.random.Generator, draws: int, images: int) -> Floats:
    """(draws, N) multinomial counts: how often each image is drawn. Counting draws is ten times faster than `multinomial`."""
    drawn = rng.integers(0, images, (draws, images)) + np.arange(draws)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=draws * images).reshape(draws, images).astype(np.float64)


def _resample(weights: Floats, table: Floats) -> Floats:
    """Mean over seeds of the score in every draw: (draws, N) weights and (S, N, 2, C) -> (draws,)."""
    seeds, images, parts, classes = table.shape
    sums = weights @ np.swapaxes(table, 0, 1).reshape(images, -1)
    return class_ratios(sums.reshape(-1, seeds, parts, classes)).mean(1)


def class_ratios(sums: Floats) -> Floats:
    """Mean over classes of part over whole, classes without a whole left out: (..., 2, C) -> (...)."""
    part, whole = sums[..., 0, :], sums[..., 1, :]
    there = whole > 0
    ratios = np.divide(part, whole, out=np.zeros_like(part), where=there)
    count = there.sum(-1)
    return np.divide(ratios.sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)


def _pooled_noise(rng: np.random.Generator, by_seed: list[Floats], draws: int) -> Floats:
    """Noise of the mean over seeds, one variance for all rows: (S,) scores of each -> (rows, draws); 0 where all have one seed."""
    freedom = sum(len(each) - 1 for each in by_seed)
    if not freedom:
        return np.zeros((len(by_seed), draws))
    variance = sum(((each - each.mean()) ** 2).sum() for each in by_seed) / freedom
    spread = np.sqrt(variance * freedom / rng.chisquare(freedom, draws))
    return np.stack([rng.standard_normal(draws) * spread / np.sqrt(len(each)) for each in by_seed])


def _own_noise(rng: np.random.Generator, by_seed: list[Floats], draws: int, kind: SeedNoise) -> Floats:
    """Noise of the mean over seeds from each row's own: the scores (S,) -> (rows, draws). Rows with one seed get none."""
    most = max(map(len, by_seed))
    normal = rng.standard_normal((draws, most))
    noise = np.zeros((len(by_seed), draws))
    scale = {count: np.sqrt(count / rng.chisquare(count - 1, draws)) for count in sorted({len(s) for s in by_seed} - {1})}
    choice = {count: rng.integers(0, count, (draws, count)) for count in scale}
    for row, each in enumerate(by_seed):
        count = len(each)
        if count > 1 and kind == "own":
            centred = normal[:, :count] - normal[:, :count].mean(1, keepdims=True)
            noise[row] = centred @ each / count * scale[count]
        elif count > 1:
            noise[row] = each[choice[count]].mean(1) - each.mean()
    return noise

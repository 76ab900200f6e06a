"""The noise between trainings, as a t-distributed term for the mean over a row's seeds."""

import hashlib
from collections.abc import Hashable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SeedNoise = Literal["pooled", "own", "resample"]
"""Where the variance between seeds comes from; `bench.statistics.bootstrap` says what each is good for."""


def seed_noise_of(
    seed: int,
    rng: np.random.Generator,
    streams: list[np.random.Generator],
    by_seed: list[Floats],
    pool: list[Hashable],
    draws: int,
    kind: SeedNoise,
) -> tuple[Floats, list[bool]]:
    """Noise of each row's mean over seeds (rows, draws), and whether anything was known about it.

    ``rng`` is what rows share and ``streams`` are their own chance, so that pooled noise does not depend on a row's place.
    """
    noise = np.zeros((len(by_seed), draws))
    if kind == "pooled":
        for name in dict.fromkeys(pool):
            rows = [row for row, each in enumerate(pool) if each == name]
            noise[rows] = _pooled_noise(_shared(seed, name), [streams[row] for row in rows], [by_seed[row] for row in rows], draws)
        known = {name for name, each in zip(pool, by_seed, strict=True) if len(each) > 1}
        return noise, [name in known for name in pool]
    if max(map(len, by_seed)) > 1:
        noise = _own_noise(rng, by_seed, draws, kind)
    return noise, [len(each) > 1 for each in by_seed]


def _shared(seed: int, name: Hashable) -> np.random.Generator:
    """The chance that the rows of a pool share, whatever pools there are besides."""
    digest = hashlib.blake2b(repr(name).encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])


def _pooled_noise(shared: np.random.Generator, streams: list[np.random.Generator], by_seed: list[Floats], draws: int) -> Floats:
    """Noise of the mean over seeds: (S,) scores of each row of a pool -> (rows, draws); 0 where all have one seed.

    A row noisier than its pool keeps its own variance, lest its interval be too narrow.
    """
    scored = [each for each in by_seed if not np.isnan(each).any()]
    freedom = sum(len(each) - 1 for each in scored)
    if not freedom:
        return np.zeros((len(by_seed), draws))
    pooled = sum(((each - each.mean()) ** 2).sum() for each in scored) / freedom
    scale = np.sqrt(freedom / shared.chisquare(freedom, draws))
    spread = [np.sqrt(max(pooled, each.var(ddof=1) if len(each) > 1 else 0.0) / len(each)) for each in by_seed]
    return np.stack([own.standard_normal(draws) * scale * each for own, each in zip(streams, spread, strict=True)])


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

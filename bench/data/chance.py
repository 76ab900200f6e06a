"""Random numbers that are functions of what they are for, so that nothing random has to be saved or replayed.

A counter-based generator is keyed by (seed, purpose, step): resuming at a step, splitting a batch or changing the number of
workers changes no number.
"""

import hashlib
from dataclasses import dataclass

import numpy as np


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A generator that depends on its arguments alone. Row i of a drawn (n, k) array does not depend on n."""
    key = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def torch_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A 63-bit seed for torch with the same property."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()[:8], "little") >> 1


_UNIFORM, _GRID = 8, 3


@dataclass(frozen=True)
class Draws:
    """The random numbers of one batch: a row a sample, so that a batch may be split."""

    uniform: np.ndarray
    """(B, 8) in [0, 1): top, left, flip, zoom, angle, brightness, contrast, saturation."""
    normal: np.ndarray
    """(B, 2, 3, 3) standard normal: the elastic vectors, y and x, on the coarse grid."""
    noise: np.ndarray
    """(B, 2) whole numbers below 2^32: the keys of the samples' noise."""

    def rows(self, part: slice) -> "Draws":
        """The draws of a part of the batch."""
        return Draws(self.uniform[part], self.normal[part], self.noise[part])


def draw(seed: int, step: int, batch: int) -> Draws:
    """The random numbers of a training step."""
    uniform = generator(seed, "augment", step).random((batch, _UNIFORM))
    normal = generator(seed, "elastic", step).standard_normal((batch, 2 * _GRID * _GRID))
    noise = generator(seed, "noise", step).random((batch, 2)) * 2**32
    return Draws(uniform, normal.reshape(batch, 2, _GRID, _GRID), noise.astype(np.int64))

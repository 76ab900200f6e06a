"""Random numbers that are the same on every machine, and the noise fields made of them.

numpy promises the raw words of a bit generator for ever, its distributions for one version only; so the words are turned into
numbers here. Everything is made of + - * /, roots and floor, which IEEE 754 rounds alike on all platforms; sine and its kin
are not, and are left out.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]
"""Always float32; a type checker takes the product with a Python number for float64."""


class Stream:
    """The random numbers of one picture: Philox 4x64 (Salmon et al. 2011) under the key (seed, split), counting from index.

    Two streams with the same key never share a word, because an index owns 2^192 counters, and another key is another
    permutation of them. All three are below 2^64.
    """

    def __init__(self, seed: int, split: int, index: int) -> None:
        self._bits = np.random.Philox(key=seed | split << 64, counter=index << 192)

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * 2.0**-53)

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.uniform(0, high - low + 1))

    def chance(self, probability: float) -> bool:
        """Whether an event of that probability happens."""
        return self.uniform(0, 1) < probability

    def direction(self) -> tuple[float, float]:
        """A unit vector (y, x), every angle alike: a point of the unit disc, accepted or drawn again."""
        while True:
            y, x = self.uniform(-1, 1), self.uniform(-1, 1)
            length = math.sqrt(y * y + x * x)
            if 0.1 < length < 1:
                return y / length, x / length

    def white(self, *shape: int) -> Plane:
        """Independent numbers in (-1, 1), triangular with a standard deviation of 0.41: the sum of two bytes each."""
        count = math.prod(shape)
        words = np.asarray(self._bits.random_raw(-(-count // 4)), dtype="<u8")
        pairs = words.view(np.uint8).reshape(-1, 2)[:count].astype(np.float32)
        return ((pairs[:, 0] + pairs[:, 1] - 255) / 256).reshape(shape)

    def cloud(self, height: int, width: int, cell_px: int) -> Plane:
        """A smooth (height, width) field in (-1, 1): white noise on a lattice of that pitch, joined linearly."""
        row, down = _lattice(height, cell_px)
        column, right = _lattice(width, cell_px)
        knots = self.white(height // cell_px + 2, width // cell_px + 2)
        rows = knots[row] + (knots[row + 1] - knots[row]) * down[:, None]
        return rows[:, column] + (rows[:, column + 1] - rows[:, column]) * right


def _lattice(length: int, cell_px: int) -> tuple[NDArray[np.int64], Plane]:
    """For every pixel the knot before it, and its place (0 to 1) on the way to the next."""
    pixel = np.arange(length)
    return pixel // cell_px, ((pixel % cell_px) / cell_px).astype(np.float32)

"""What is kept of every scored image: sums, from which each score, interval and convention is made without the model.

Numpy alone, so that a leaderboard opens at once.
"""

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.npz import load_arrays
from bench.store import write_whole

Counts = NDArray[np.integer[Any]]
RESCORE = "Score the cell again, without training: bench rescore SUITE"
"""What to do about a trained cell whose sums are damaged."""


@dataclass(frozen=True)
class PerImage:
    """Sums of N images over C classes, in the order of ``ids``. The shapes are those of `bench.metrics.measure.Sums`."""

    ids: tuple[str, ...]
    counts: Counts
    """(N, C, C) pixels by (truth, prediction)."""
    bands: Counts
    """(N, C, 2) pixels in the intersection and union of the boundary bands."""
    trimap: Counts
    """(N, radius + 1, 3, C) hits, true and predicted pixels by distance to the nearest true boundary."""
    bf: Counts
    """(N, C, 4) contour pixels of the BF score."""
    davis: Counts
    """(N, C, 4) contour pixels of DAVIS' F."""
    objects: Counts
    """(N, 9, 4, C) hits, true pixels, false pixels and objects by the side of the true object."""
    widths_px: Counts
    """(N,) width of the boundary band."""
    seconds: float = 0.0
    """Wall time of the evaluation."""

    def write(self, path: Path) -> None:
        """Write compressed, whole or not at all."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        # No image has 2^31 pixels, and half the bytes compress in half the time.
        small = {name: array.astype(np.int32) for name, array in arrays.items() if isinstance(array, np.ndarray)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **small, ids=np.array(self.ids), seconds=np.array(self.seconds))
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> "PerImage":
        """What `write` wrote; raises BenchError for a file that is not that."""
        arrays = read_arrays(path, [each.name for each in fields(cls)])
        return cls(**{**arrays, "ids": tuple(map(str, arrays["ids"])), "seconds": float(arrays["seconds"])})


def read_arrays(path: Path, names: Iterable[str], mend: str = RESCORE) -> dict[str, Any]:
    """Some of the arrays of a file that `PerImage.write` wrote; the others are not decompressed."""
    try:
        return load_arrays(path, tuple(names))
    except FileNotFoundError:
        raise BenchError(f"{path} is missing. {mend}") from None
    except (OSError, BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, zlib.error) as error:
        raise damaged(path, getattr(error, "strerror", None) or error, mend) from None


def readable(path: Path) -> bool:
    """Whether a file is there and whole; all of it is read."""
    try:
        PerImage.read(path)
    except BenchError:
        return False
    return True


def damaged(path: Path, reason: object, mend: str = RESCORE) -> BenchError:
    """The error for a file that `PerImage.write` did not write, or not all of."""
    return BenchError(f"{path} cannot be read: {reason}. {mend}")

"""What is kept of every scored image: sums, from which each score, interval and convention is made without the model.

Numpy alone, so that a leaderboard opens at once.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.store import write_whole

Counts = NDArray[np.integer[Any]]
RESCORE = "Score the cell again, without training: bench rescore SUITE"
"""What to do about a trained cell whose sums are damaged."""
_DIRECTORY_END = struct.Struct("<4s4HIIH")
"""The last record of a zip file: mark, disks and entries, length and place of the directory, length of the comment."""


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
    if not path.exists():
        raise BenchError(f"{path} is missing. {mend}")
    try:
        with ZipFile(path) as saved:
            return {name: _array(saved.read(f"{name}.npy")) for name in names}
    except (OSError, BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, zlib.error) as error:
        raise damaged(path, getattr(error, "strerror", None) or error, mend) from None


def _array(content: bytes) -> Any:
    """What `numpy.load` would make of one array's file, which reads ten thousand headers that are alike one by one."""
    if content[:8] != b"\x93NUMPY\x01\x00":
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    begin = 10 + int.from_bytes(content[8:10], "little")
    shape, by_column, dtype = _header(content[8:begin])
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if by_column else "C")


@lru_cache(maxsize=1024)
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(text))
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    return shape, by_column, dtype


def looks_whole(path: Path) -> bool:
    """Whether a file is there and ends as `PerImage.write` ends one, at no more cost than opening it.

    What is cut off does not; bytes that changed inside are found by what reads them.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _DIRECTORY_END.size))
            mark, *_, length, offset, comment = _DIRECTORY_END.unpack(file.read())
    except (OSError, struct.error):
        return False
    return mark == b"PK\5\6" and offset + length + _DIRECTORY_END.size == size and comment == 0


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

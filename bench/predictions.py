"""Predicted label maps, kept in one file a cell: a zip of palette PNGs named by image, which any tool opens.

A few kilobytes an image, against half a megabyte for the logits of one class: enough for any later metric of label maps.
"""

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import BenchError

NAME = "predictions.zip"
Labels = NDArray[np.uint8]


class PredictionWriter:
    """Writes label maps as they come; the file appears whole at the end of the ``with`` block, or not at all."""

    def __init__(self, path: Path, palette: Sequence[tuple[int, int, int]]) -> None:
        self.path, self.beside = path, path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self.palette = [shade for colour in palette for shade in colour]

    def __enter__(self) -> "PredictionWriter":
        self.archive = zipfile.ZipFile(self.beside, "w", zipfile.ZIP_STORED)  # PNGs are compressed already
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.archive.close()
        if kind is None:
            self.beside.replace(self.path)
        else:
            self.beside.unlink(missing_ok=True)

    def add(self, name: str, labels: Labels) -> None:
        """Keep the (H, W) uint8 label map of an image."""
        picture = Image.fromarray(labels)
        picture.putpalette(self.palette)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        # A fixed date, so that equal predictions make equal files.
        self.archive.writestr(zipfile.ZipInfo(f"{name}.png", (1980, 1, 1, 0, 0, 0)), buffer.getvalue())


def join(parts: Sequence[Path], groups: Sequence[Sequence[str]], path: Path, palette: Sequence[tuple[int, int, int]]) -> None:
    """One file of several, which it removes: the names of ``groups`` in their order, group by group from one part after another."""
    with PredictionWriter(path, palette) as writer:
        for number, names in enumerate(groups):
            for name, labels in zip(names, read_predictions(parts[number % len(parts)], names), strict=True):
                writer.add(name, labels)
    for part in parts:
        part.unlink()


def read_predictions(path: Path, names: Sequence[str]) -> list[Labels]:
    """The (H, W) uint8 label maps of some images; raises BenchError for a file or an image that cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_decoded(archive.read(f"{name}.png")) for name in names]
    except (OSError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise BenchError(f"{path}: kept predictions cannot be read: {error}. Remove it; the cell is predicted again.") from None


def _decoded(data: bytes) -> Labels:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture)

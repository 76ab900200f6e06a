"""Files to arrays: an image as (H, W, 3) uint8 RGB, a label as (H, W) uint8 class ids with void as 255.

Two things a picture viewer does are left out. EXIF orientation is not applied, because labels are drawn on the stored pixel grid
and carry no such tag: turning the photograph alone would part the two. Colour profiles are not applied, because the published
readers do not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.depth import SPREAD, note_depth, stored_as
from bench.data.samples import Sample
from bench.errors import BenchError, FileError
from bench.registry import FILES, DatasetEntry, load
from bench.specs import DatasetSpec, Size

VOID = 255
Array = NDArray[np.uint8]
Pair = tuple[Array, Array]

COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
LABEL_MODES = ("P", "L", "I;16", "I;16B", "I")
"""Ids in 8 bits with and without a palette, and in 16 bits ("I" is how older Pillows open those)."""
_LARGEST_ID = 65_535
_LISTED = 10
"""Most unknown values that an error names."""


def files(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """The image (H, W, 3) and label (H, W) of a sample that has one file each, at the size the spec asks for.

    Raises BenchError naming the file for anything that is not a readable pair of one size with labels in range.
    """
    return read_pair(sample, spec, lambda path: read_label(path, entry))


def read_pair(sample: Sample, spec: DatasetSpec, label_of: Callable[[Path], Array]) -> Pair:
    """As `files`, with a reader of one's own for the label's file: it returns (H, W) uint8 class ids with void as 255."""
    if len(sample.files) != 2:
        raise BenchError(
            f"sample {sample.id!r} of {spec.name!r} has {len(sample.files)} files; this reader needs an image and its label."
        )
    return fitted(read_image(sample.files[0]), label_of(sample.files[1]), sample, spec)


def fitted(image: Array, label: Array, sample: Sample, spec: DatasetSpec) -> Pair:
    """An image and its label at the size the spec asks for; raises BenchError when they are not on one pixel grid."""
    if image.shape[:2] != label.shape:
        sizes = [f"{height}x{width}" for height, width in (image.shape[:2], label.shape)]
        raise FileError(
            "size",
            sample.files[0],
            f"is {sizes[0]} (height x width), but its label {sample.files[1]} is {sizes[1]}",
            "Both must be on one pixel grid; unpack the data set again, or undo the rotation or scaling of one of them.",
        )
    return resize(image, label, spec.resize) if spec.resize else (image, label)


def label_of(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Array:
    """The label alone, (H, W) uint8 at the size the spec asks for.

    The photograph is opened only where the data set has a decoder of its own, which may need it.
    """
    if entry.decode != FILES:
        label: Array = load(entry.decode)(sample, entry, spec)[1]
        return label
    label = read_label(sample.files[1], entry)
    return resize_label(label, spec.resize) if spec.resize else label


def read_image(path: Path) -> Array:
    """An image file as (H, W, 3) uint8 RGB: grey is repeated, transparency dropped; raises BenchError for deeper greys."""
    return rgb(opened(path), path)


def rgb(picture: Image.Image, path: Path) -> Array:
    """A picture of a file as (H, W, 3) uint8; raises BenchError for deeper greys."""
    if picture.mode not in COLOUR_MODES:
        raise FileError(
            "unreadable",
            path,
            f"has {picture.mode!r} pixels, deeper than 8 bits",
            "Which of their values are black and white is not for a reader to guess: convert the images to 8 bits with a fixed "
            "range first.",
        )
    return np.array(picture.convert("RGB"))


def read_label(path: Path, entry: DatasetEntry) -> Array:
    """A label file as (H, W) uint8 class ids with the data set's void as 255; raises BenchError for values that are no class."""
    return ids(opened(path), entry, path)


def ids(picture: Image.Image, entry: DatasetEntry, path: Path) -> Array:
    """A picture of one class id a pixel as (H, W) uint8 with void as 255; raises BenchError for colours and unknown values."""
    stored = stored_as(picture)
    if picture.mode not in LABEL_MODES:
        raise FileError(
            "unreadable",
            path,
            f"has {picture.mode!r} pixels; a label holds one class id a pixel, in 8 bits with a palette (P) or without (L), or "
            "in 16",
            "Convert it to 8 bits with the ids 0 and 1."
            if picture.mode == "1"
            else "If it holds colours, convert them to ids, or read it as `folder` with colours for its classes.",
        )
    if picture.mode == "L" and stored.partition(";")[2].startswith(("I", "2I", "4I")):
        raise FileError(
            "unreadable", path, "has greys stored with white as 0, which readers turn over", "Convert it to PNG with plain ids."
        )
    return to_ids(np.array(picture) // np.uint8(SPREAD[stored]) if stored in SPREAD else np.array(picture), entry, path)


def to_ids(label: NDArray[np.integer[Any]], entry: DatasetEntry, path: Path) -> Array:
    """Label values as they are on disk, (H, W), as classes with void as 255; raises BenchError for a value that is no class."""
    if label.min() < 0 or label.max() > _LARGEST_ID:
        raise FileError(
            "values",
            path,
            f"holds values from {label.min()} to {label.max()}, and a class id is 0 to {_LARGEST_ID}",
            "Correct the file: such values are no ids, or were read as another type.",
        )
    counts = np.bincount(label.ravel(), minlength=256)
    known = np.zeros(len(counts), bool)
    new = np.full(len(counts), VOID, np.uint8)
    void = [*entry.void_ids, *([] if entry.ignore_index is None else [entry.ignore_index])]
    known[[value for value in void if value < len(counts)]] = True
    for value, target in (entry.ids or {each: each for each in range(entry.num_classes)}).items():
        if value < len(counts):
            known[value], new[value] = True, target
    counts[known] = 0
    if counts.any():
        strange = [int(value) for value in np.argsort(-counts, kind="stable") if counts[value]]
        listed = ", ".join(f"{counts[value]} pixels have the label {value}" for value in strange[:_LISTED])
        many = len(strange) > _LISTED
        listed += f", and {len(strange) - _LISTED} labels more" if many else ""
        classes = f"0 to {entry.num_classes - 1}" if entry.ids is None else ", ".join(map(str, sorted(entry.ids)))
        no_void = "no value means void" if entry.ignore_index is None else f"void is {entry.ignore_index}"
        raise FileError(
            "values",
            path,
            f"{listed}, which is no class: they are {classes}, {no_void}",
            "So many values mean a file that was compressed with loss or scaled: save labels as PNG, to the nearest pixel."
            if many
            else "Correct the file, or unpack the data set again.",
        )
    return new[label]


def resize(image: Array, label: Array, size: Size) -> Pair:
    """Bring both to (height, width): the image by area where it shrinks and linearly where it grows, the label to the nearest.

    Both share one geometry: the outer edges of the first and the last pixel stay where they are.
    """
    height, width = size
    old_height, old_width = label.shape
    sums = image.astype(np.int64)
    if height < old_height:
        sums = _area_sums(sums, height)
    if width < old_width:
        sums = _area_sums(sums.swapaxes(0, 1), width).swapaxes(0, 1)
    weight = (old_height if height < old_height else 1) * (old_width if width < old_width else 1)
    shrunk = Image.fromarray(((sums + weight // 2) // weight).astype(np.uint8))
    return np.array(shrunk.resize((width, height), Image.Resampling.BILINEAR)), resize_label(label, size)


def resize_label(label: Array, size: Size) -> Array:
    """A label at (height, width), from the nearest pixels, as `resize` brings it there."""
    rows, columns = (_centres(new, old) for new, old in zip(size, label.shape, strict=True))
    return label[rows[:, None], columns]


def _area_sums(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Exact averages over ``size`` equal stretches of the first axis, times its old length so that they stay whole numbers."""
    length = len(values)
    whole, part = np.divmod(np.arange(size + 1) * length, size)
    before = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    edge = np.append(values, values[-1:], axis=0)[whole]
    return np.diff(before[whole] * size + edge * part[:, None, None], axis=0)


def _centres(size: int, old: int) -> NDArray[np.int64]:
    """The old pixel under the centre of every new one."""
    return (2 * np.arange(size) + 1) * old // (2 * size)


def opened(path: Path, frame: int = 0) -> Image.Image:
    """A picture with its pixels read, or one frame of a stack.

    Raises BenchError for a file that is absent or damaged, and for colours deeper than 8 bits, of which Pillow keeps one byte.
    """
    with readable(path), Image.open(path) as picture:
        picture.seek(frame)
        note_depth(picture, path)
        picture.load()
        return picture


def count_frames(path: Path) -> int:
    """The number of pictures in a file; raises BenchError for a file that is absent or damaged."""
    with readable(path), Image.open(path) as picture:
        return int(getattr(picture, "n_frames", 1))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what Pillow raises for a file that is absent or damaged into a BenchError that names it."""
    try:
        yield
    except FileNotFoundError:
        raise FileError("missing", path, "is not there", "Put it in its place, or unpack the data set again.") from None
    except Image.DecompressionBombError:
        limit = f"{2 * (Image.MAX_IMAGE_PIXELS or 0):,}"
        raise FileError("unreadable", path, f"has more than {limit} pixels, the most that are read", "Cut it into tiles.") from None
    except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
        raise FileError("unreadable", path, f"cannot be read as an image: {error}", "Unpack or download this file again.") from None

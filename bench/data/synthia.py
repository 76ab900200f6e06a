"""SYNTHIA-RAND-CITYSCAPES as released: RGB/*.png and GT/LABELS/*.png of one name below RAND_CITYSCAPES.

A label has three channels of 16 bits: the first is the class, the second the instance. Pillow keeps the upper byte of such
values, which is 0 in all of the first channel, so the lower one is asked for besides. GT/COLOR is for people and is not read.

The set has no published split. Its images are numbered from 0, random views of one world; here those whose number ends with 8
are `val`, with 9 `test`, and all others `train`: a rule that a missing file does not shift. `all` is every image.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from bench.data.decode import Array, Pair, read_pair, readable, to_ids
from bench.data.samples import Sample, names_in, paired, require
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec

_LAST_DIGITS = {"train": "01234567", "val": "8", "test": "9", "all": "0123456789"}


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train`, `val`, `test` or `all`, by number; raises BenchError for an image without its label."""
    images, labels = root / "RAND_CITYSCAPES" / "RGB", root / "RAND_CITYSCAPES" / "GT" / "LABELS"
    require([images, labels], spec.name, root)
    ids = sorted(name.removesuffix(".png") for name in names_in(images) if name.endswith(".png"))
    chosen = [each for each in ids if each[-1] in _LAST_DIGITS[split]]
    return paired(chosen, lambda each: (images / f"{each}.png", labels / f"{each}.png"), images)


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """A sample with the class of every pixel taken from the first channel of its label."""
    return read_pair(sample, spec, lambda path: to_ids(first_channel(path), entry, path))


def first_channel(path: Path) -> NDArray[np.uint16]:
    """The first channel (H, W) of a PNG with three channels of 16 bits; raises BenchError for any other file."""
    upper, lower = (_bytes(path, rawmode)[..., 0].astype(np.uint16) for rawmode in ("RGB;16B", "RGB;16L"))
    return upper * np.uint16(256) + lower


def _bytes(path: Path, rawmode: str) -> Array:
    """One byte of each value (H, W, 3): the upper as Pillow takes them, the lower when told that they are little-endian."""
    with readable(path), Image.open(path) as picture:
        stored = picture.tile[0][3] if isinstance(picture, PngImageFile) and picture.tile else picture.format
        if stored != "RGB;16B":
            raise BenchError(
                f"{path}: holds {stored} pixels; a label of SYNTHIA is a PNG with 3 channels of 16 bits, the first the class. "
                "Take the files of GT/LABELS, not those of GT/COLOR, as they were released."
            )
        picture.tile = [picture.tile[0]._replace(args=rawmode)]
        return np.array(picture)

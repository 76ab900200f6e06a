"""Any folder of images and any folder of labels, described in the suite (`FolderSpec`).

An image and its label share a name: what the `*` of a pattern stands for, or a file's path in its folder without the ending.
"""

import hashlib
import os
from itertools import accumulate
from pathlib import Path

import numpy as np

from bench.data.decode import VOID, Array, Pair, fitted, opened, read_label, read_pair
from bench.data.samples import Obstacle, Sample, listed, meet, require
from bench.errors import BenchError, FileError, nearest
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec, FolderSpec

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
COLOURED = ("P", "RGB")
UNSET = Path()
"""Stands for the image of a label that is all there is."""


def samples(root: Path, split: str, spec: FolderSpec) -> list[Sample]:
    """The samples of a split by name; raises BenchError for a name with two files, without an image or without a label."""
    if spec.images is None:
        labels = _found(root, spec.labels, spec)
        return [Sample(id=name, files=(UNSET, labels[name])) for name in _labelled(root, split, spec, labels)]
    images, labels = _found(root, spec.images, spec), _found(root, spec.labels, spec)
    names = _names(root, split, spec, sorted(images))
    for name in names:
        for kind, files, place in (("image", images, spec.images), ("label", labels, spec.labels)):
            if name not in files:
                error = BenchError(
                    f"{root / place}: the {kind} {name!r} of the split {split!r} is not there.{nearest(name, files)} "
                    f"An image and its label share a name; dataset.{kind}s says where they lie."
                )
                meet(Obstacle("missing", root / place / name, f"the {kind} is not there"), error)
    return [Sample(id=name, files=(images[name], labels[name])) for name in names if name in images and name in labels]


def _labelled(root: Path, split: str, spec: FolderSpec, labels: dict[str, Path]) -> list[str]:
    """The names of a split where there are labels alone."""
    names = _names(root, split, spec, sorted(labels))
    for name in (name for name in names if name not in labels):
        error = BenchError(f"{root / spec.labels}: the label {name!r} of the split {split!r} is not there.{nearest(name, labels)}")
        meet(Obstacle("missing", root / spec.labels / name, "the label is not there"), error)
    return [name for name in names if name in labels]


def _found(root: Path, pattern: str, spec: FolderSpec) -> dict[str, Path]:
    """Name -> file of a folder, sub-folders included, or of a pattern."""
    before, star, after = pattern.partition("*")
    before = before if star else f"{before.rstrip('/')}/"
    top = root / before.rpartition("/")[0]
    require([top], spec.name, root)
    found: dict[str, Path] = {}
    for folder, _, files in os.walk(top):
        for path in (Path(folder) / file for file in files):
            place = path.relative_to(root).as_posix()
            ending = after if star else path.suffix
            if path.suffix.lower() not in ENDINGS or not (place.startswith(before) and place.endswith(ending)):
                continue
            name = place.removeprefix(before).removesuffix(ending)
            if name in found:
                raise BenchError(
                    f"{path}: has the same name as {found[name]}. Remove one, or give a pattern that tells them apart."
                )
            found[name] = path
    return found


def _names(root: Path, split: str, spec: FolderSpec, names: list[str]) -> list[str]:
    """The names in a split: those of its list in its order, those in its sub-folder, or its share of all."""
    rule = spec.splits[split]
    if isinstance(rule, float):
        return sorted(_shares(spec, names)[split])
    if not rule.endswith(".txt"):
        return [name for name in names if name.startswith(f"{rule.rstrip('/')}/")]
    wanted = listed(root / rule, spec.name, root)
    if len(set(wanted)) < len(wanted):
        raise BenchError(f"{root / rule}: names an image more than once, and it would weigh double. Remove the surplus lines.")
    return [Path(line).with_suffix("").as_posix() if Path(line).suffix.lower() in ENDINGS else line for line in wanted]


def _shares(spec: FolderSpec, names: list[str]) -> dict[str, list[str]]:
    """The names dealt to all shares: in the order of a hash of seed and name, one share behind the other by split name.

    A name's place depends on no other name, so that an image more moves few others.
    """
    dealt = sorted(names, key=lambda name: hashlib.sha256(f"{spec.split_seed}/{name}".encode()).hexdigest())
    splits = sorted(spec.splits)
    ends = [round(share * len(names)) for share in accumulate(float(spec.splits[split]) for split in splits)]
    return {split: dealt[begin:end] for split, begin, end in zip(splits, [0, *ends], ends, strict=False)}


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """A sample whose label holds ids, or the colours that the suite gives; black where there is no image, only its label."""
    assert isinstance(spec, FolderSpec)
    if sample.files[0] == UNSET:
        label = read_colours(sample.files[1], spec) if spec.colours else read_label(sample.files[1], entry)
        return fitted(np.zeros((*label.shape, 3), np.uint8), label, sample, spec)
    return read_pair(sample, spec, lambda path: read_colours(path, spec) if spec.colours else read_label(path, entry))


def read_colours(path: Path, spec: FolderSpec) -> Array:
    """A label of colours as (H, W) uint8 ids with void as 255; raises BenchError for a colour that is no class's."""
    picture = opened(path)
    if picture.mode not in COLOURED:
        raise BenchError(
            f"{path}: has {picture.mode!r} pixels, and colours stand in RGB or palette files. Convert it, or give ids instead."
        )
    codes = _codes(np.array(picture.convert("RGB")))
    new = np.full(codes.shape, VOID, np.uint8)
    known = np.zeros(codes.shape, bool)
    for label, colour in enumerate([*(spec.colours or ()), *([] if spec.ignore is None else [spec.ignore])]):
        here = codes == _codes(np.array(colour))
        known |= here
        new[here] = label if label < len(spec.classes) else VOID
    if not known.all():
        values, counts = np.unique(codes[~known], return_counts=True)
        value = int(values[counts.argmax()])
        red, green, blue = value >> 16, value >> 8 & 255, value & 255
        raise FileError(
            "values",
            path,
            f"{counts.max()} pixels are [{red}, {green}, {blue}], which is the colour of no class",
            "Name it in dataset.classes or dataset.ignore; many such colours mean a file that was compressed with loss or scaled.",
        )
    return new


def _codes(colours: np.ndarray) -> np.ndarray:
    """One number a colour: (..., 3) to (...)."""
    red, green, blue = np.moveaxis(colours.astype(np.int64), -1, 0)
    codes: np.ndarray = red << 16 | green << 8 | blue
    return codes

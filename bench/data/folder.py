"""Any folder of images and any folder of labels, described in the suite (`FolderSpec`).

An image and its label share a name: what the `*` of a pattern stands for, or a file's path in its folder without the ending.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
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
MANY = 10
"""More unknown colours than this in one file are no forgotten classes."""


def samples(root: Path, split: str, spec: FolderSpec) -> list[Sample]:
    """The samples of a split by name; raises BenchError for a name with two files, without an image or without a label."""
    if spec.images is None:
        labels = _found(root, spec.labels, spec)
        return [Sample(id=name, files=(UNSET, labels[name])) for name in _labelled(root, split, spec, labels)]
    images, labels = _found(root, spec.images, spec), _found(root, spec.labels, spec)
    both = sorted(images.keys() | labels.keys())  # of shares and sub-folders, so that no half of a pair is passed over
    names = _names(root, split, spec, both)
    if not names and both and not _list_is_missing(root, spec.splits[split]):
        raise BenchError(f"the split {split!r} has no images: {_why_none(root, split, spec, both)}")
    for name in names:
        for kind, files, place in (("image", images, spec.images), ("label", labels, spec.labels)):
            if name not in files:
                error = BenchError(
                    f"{root / place}: the {kind} {name!r} of the split {split!r} is not there.{nearest(name, files)} "
                    f"An image and its label share a name; dataset.{kind}s says where they lie."
                )
                meet(Obstacle("missing", root / _file_of(place, name), f"the {kind} is not there"), error)
    return [Sample(id=name, files=(images[name], labels[name])) for name in names if name in images and name in labels]


def _file_of(pattern: str, name: str) -> str:
    """The file that a pattern or a folder has for a name, the ending apart where it is not known."""
    return pattern.replace("*", name) if "*" in pattern else f"{pattern.rstrip('/')}/{name}"


def _labelled(root: Path, split: str, spec: FolderSpec, labels: dict[str, Path]) -> list[str]:
    """The names of a split where there are labels alone."""
    names = _names(root, split, spec, sorted(labels))
    for name in (name for name in names if name not in labels):
        error = BenchError(f"{root / spec.labels}: the label {name!r} of the split {split!r} is not there.{nearest(name, labels)}")
        meet(Obstacle("missing", root / _file_of(spec.labels, name), "the label is not there"), error)
    return [name for name in names if name in labels]


def _found(root: Path, pattern: str, spec: FolderSpec) -> dict[str, Path]:
    """Name -> file of a folder, sub-folders included, or of a pattern."""
    before, star, after = pattern.partition("*")
    before = before if star else f"{before.rstrip('/')}/"
    top = root / before.rpartition("/")[0]
    require([top], spec.name, root)
    found: dict[str, Path] = {}
    for path in _files(top):
        place = path.relative_to(root).as_posix()
        ending = after if star else path.suffix
        if path.suffix.lower() not in ENDINGS or not (place.startswith(before) and place.lower().endswith(ending.lower())):
            continue
        name = place[len(before) : len(place) - len(ending)]
        if name in found:
            advice = "Remove one, or give a pattern that tells them apart."
            raise FileError("list", path, f"has the same name as {found[name]}", advice)
        found[name] = path
    if not found and top.exists():
        fault = f"matches none of the {sum(1 for _ in _files(top))} files there"
        advice = f"Correct the folder or pattern. Pictures end with {', '.join(ENDINGS)}; convert others."
        raise FileError("list", root / pattern, fault, advice)
    return found


def _files(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """The files below a folder, by name, links to folders followed and hidden ones left out; raises BenchError for no folder."""
    real = os.path.realpath(folder)
    if real in above or not folder.exists():  # a link to a folder that it lies in, or one that `require` has told of
        return
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise BenchError(f"{folder}: cannot be listed: {error.strerror}. Give a folder you may read, or a pattern.") from None
    for entry in inside:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if path.is_dir() if entry.is_symlink() else entry.is_dir():
            yield from _files(path, (*above, real))
        elif entry.is_symlink() or entry.is_file():  # a pipe would be waited for
            yield path


def _list_is_missing(root: Path, rule: float | str) -> bool:
    return str(rule).endswith(".txt") and not (root / str(rule)).exists()  # told of already, where somebody is `tolerating`


def _why_none(root: Path, split: str, spec: FolderSpec, names: list[str]) -> str:
    """Why a split is empty, and what to do."""
    rule = spec.splits[split]
    if isinstance(rule, float):
        return f"its share {rule:g} of {len(names)} images rounds to none. Give it a larger share."
    if rule.endswith(".txt"):
        return f"{root / rule} names none. Fill the list, or take the split out of dataset.splits."
    return f"none of {len(names)} names begins with the sub-folder {rule.rstrip('/')!r}. Correct dataset.splits."


def _names(root: Path, split: str, spec: FolderSpec, names: list[str]) -> list[str]:
    """The names in a split: those of its list in its order, those in its sub-folder, or its share of all."""
    rule = spec.splits[split]
    if isinstance(rule, float):
        return sorted(_shares(spec, names)[split])
    if not rule.endswith(".txt"):
        return [name for name in names if name.startswith(f"{rule.rstrip('/')}/")]
    lines = listed(root / rule, spec.name, root)
    wanted = [Path(line).with_suffix("").as_posix() if Path(line).suffix.lower() in ENDINGS else line for line in lines]
    if repeated := [each for each, times in Counter(wanted).items() if times > 1]:
        raise BenchError(
            f"{root / rule}: names {repeated[0]!r} more than once, and it would weigh double. Remove the surplus lines."
        )
    return wanted


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
            f"{path}: has {picture.mode!r} pixels, and colours stand in RGB or palette files of 8 bits. Convert it, or give ids "
            "instead: classes: [ground, leaf] for 0 and 1."
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
            "Name it in dataset.classes or dataset.ignore."
            if len(values) <= MANY
            else f"It is one of {len(values)} such colours: the file was compressed with loss or scaled. Save labels as PNG.",
        )
    return new


def _codes(colours: np.ndarray) -> np.ndarray:
    """One number a colour: (..., 3) to (...)."""
    red, green, blue = np.moveaxis(colours.astype(np.int64), -1, 0)
    codes: np.ndarray = red << 16 | green << 8 | blue
    return codes

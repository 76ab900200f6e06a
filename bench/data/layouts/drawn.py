"""Pictures for generated trees: the phantom's, with the labels of another data set."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.data import DATASETS, phantom
from bench.data.decode import VOID, Array, Pair
from bench.registry import DatasetEntry
from bench.specs import PhantomSpec, Size

BORDER_PX = 1
"""Void to either side of every outline."""


def pictures(name: str, split: str, count: int, size: Size, seed: int) -> Iterator[Pair]:
    """``count`` phantoms of (height, width) ``size`` with the labels of another data set, void included, as it has them on disk."""
    return pictures_of(DATASETS[name], split, count, size, seed)


def pictures_of(entry: DatasetEntry, split: str, count: int, size: Size, seed: int) -> Iterator[Pair]:
    """As `pictures`, of an entry; ``split`` is one of the phantom's own, `train`, `val` and `test`.

    The classes of every picture are given to the data set's least used ones, so a split holds as many as were drawn over all
    its pictures: four of 96x128 are enough for twenty.
    """
    spec = PhantomSpec(name="phantom", size=size, data_seed=seed)
    values = on_disk(entry)
    used = [0] * entry.num_classes
    for index in range(count):
        image, label = phantom.generate(index, split, spec)
        if entry.ignore_index is not None:
            label[_outline(label)] = VOID
        yield image, values[_renamed(label, used)]


def on_disk(entry: DatasetEntry) -> Array:
    """(256,) label values on disk by class, void at 255; a class with several values has the first."""
    values = np.arange(256)
    values[VOID] = VOID if entry.ignore_index is None else entry.ignore_index
    for value, label in reversed(list((entry.ids or {}).items())):
        values[label] = value
    return values.astype(np.uint8 if values.max() < 256 else np.uint16)


def folder_at(path: Path) -> Path:
    """That folder, made if need be."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def _renamed(label: Array, used: list[int]) -> Array:
    """The label with its classes given to the least ``used`` ones, which are counted up."""
    drawn = [int(value) for value in np.unique(label) if value != VOID]
    by_use = sorted(range(len(used)), key=lambda target: used[target])
    new = np.full(256, VOID, np.uint8)
    for place, old in enumerate(drawn):
        new[old] = target = by_use[place % len(by_use)]
        used[target] += 1
    return new[label]


def _outline(label: Array) -> np.ndarray:
    """Which pixels of (H, W) lie within BORDER_PX of another label; the edge of the image is no outline."""
    height, width = label.shape
    around = np.pad(label, BORDER_PX, mode="edge")
    steps = range(2 * BORDER_PX + 1)
    return np.any([around[y : y + height, x : x + width] != label for y in steps for x in steps], axis=0)

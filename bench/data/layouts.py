"""Generated trees in the on-disk layouts of real data sets, so that a suite is tried through the reader it will use.

The pictures are the phantom's. A layout is one function: it draws with `pictures`, and writes what the set's own tools write.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data import DATASETS, phantom
from bench.data.decode import VOID, Array, Pair
from bench.data.voc import colour
from bench.specs import PhantomSpec, Size

BORDER_PX = 1
"""Void to either side of every outline."""


def voc(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images of (height, width) ``size`` a split below ``root``/VOCdevkit/VOC2012: JPEGs, palette PNGs, lists."""
    base = root / "VOCdevkit" / "VOC2012"
    images, labels, lists = (_folder(base / name) for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
    palette = [shade for label in range(256) for shade in colour(label)]
    written: dict[str, list[str]] = {}
    for year, split in ((2007, "train"), (2008, "val")):
        written[split] = [f"{year}_{number:06d}" for number in range(count)]
        for name, (image, label) in zip(written[split], pictures("voc2012", split, count, size, seed), strict=True):
            Image.fromarray(image).save(images / f"{name}.jpg", quality=95)
            picture = Image.fromarray(label)
            picture.putpalette(palette)
            picture.save(labels / f"{name}.png")
    written["trainval"] = sorted(written["train"] + written["val"])
    for split, names in written.items():
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def camvid(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images of (height, width) ``size`` a split below ``root``/CamVid, as the SegNet tutorial lays them out."""
    base = root / "CamVid"
    for split in ("train", "val", "test"):
        images, labels = _folder(base / split), _folder(base / f"{split}annot")
        lines = []
        for number, (image, label) in enumerate(pictures("camvid", split, count, size, seed)):
            name = f"{split}_{number:06d}.png"
            Image.fromarray(image).save(images / name)
            Image.fromarray(label).save(labels / name)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}\n")
        (base / f"{split}.txt").write_text("".join(lines))


def pictures(name: str, split: str, count: int, size: Size, seed: int) -> Iterator[Pair]:
    """``count`` phantoms of (height, width) ``size`` with the labels of another data set, void included, as it has them on disk.

    The classes of every picture are given to the data set's least used ones, so a split holds as many as were drawn over all
    its pictures: four of 96x128 are enough for twenty.
    """
    entry = DATASETS[name]
    spec = PhantomSpec(name="phantom", size=size, data_seed=seed)
    used = [0] * entry.num_classes
    for index in range(count):
        image, label = phantom.generate(index, split, spec)
        if entry.ignore_index is not None:
            label[_outline(label)] = VOID
        yield image, _renamed(label, used, VOID if entry.ignore_index is None else entry.ignore_index)


def _renamed(label: Array, used: list[int], void: int) -> Array:
    """The label with its classes given to the least ``used`` ones, which are counted up."""
    drawn = [int(value) for value in np.unique(label) if value != VOID]
    by_use = sorted(range(len(used)), key=lambda target: used[target])
    new = np.full(256, void, np.uint8)
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


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path

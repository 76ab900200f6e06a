"""PASCAL VOC 2012, SBD and the two together: JPEGs, palette PNGs, .mat files and id lists."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_array

from bench.data.decode import VOID, Array
from bench.data.entries.colours import colour
from bench.data.layouts.drawn import folder_at, pictures
from bench.specs import Size


def voc(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images of (height, width) ``size`` a split below ``root``/VOCdevkit/VOC2012: JPEGs, palette PNGs, lists."""
    base = root / "VOCdevkit" / "VOC2012"
    images, labels, lists = (folder_at(base / name) for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
    palette = [shade for label in range(256) for shade in colour(label)]
    written: dict[str, list[str]] = {}
    for year, split in ((2007, "train"), (2008, "val")):
        written[split] = _ids(year, count)
        for name, (image, label) in zip(written[split], pictures("voc2012", split, count, size, seed), strict=True):
            Image.fromarray(image).save(images / f"{name}.jpg", quality=95)
            picture = Image.fromarray(label)
            picture.putpalette(palette)
            picture.save(labels / f"{name}.png")
    written["trainval"] = sorted(written["train"] + written["val"])
    for split, names in written.items():
        _write_list(lists / f"{split}.txt", names)


def sbd(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images a split below ``root``/benchmark_RELEASE: JPEGs and .mat files as the release has them.

    Its train also names the first image of VOC's val, as the real one names some.
    """
    base = root / "benchmark_RELEASE" / "dataset"
    images, labels = folder_at(base / "img"), folder_at(base / "cls")
    for split, names in {"train": [*_ids(2009, count), *_ids(2008, 1)], "val": _ids(2010, count)}.items():
        for name, (image, label) in zip(names, pictures("sbd", split, len(names), size, seed), strict=True):
            Image.fromarray(image).save(images / f"{name}.jpg", quality=95)
            (labels / f"{name}.mat").write_bytes(_mat({"GTcls": _struct(label)}))
        _write_list(base / f"{split}.txt", names)


def voc_sbd(root: Path, count: int, size: Size, seed: int) -> None:
    """Write both sets, and VOC 2011's list of val: that of 2012, with one image less."""
    voc(root, count, size, seed)
    sbd(root, count, size, seed + 1)  # other pictures, as it is in truth
    _write_list(folder_at(root / "VOCdevkit/VOC2011/ImageSets/Segmentation") / "val.txt", _ids(2008, max(2, count - 1)))


def _mat(variables: dict[str, np.ndarray]) -> bytes:
    """A MATLAB file without the time of its making, which its first 116 bytes, a text, would hold."""
    buffer = BytesIO()
    savemat(buffer, variables, do_compression=True)
    return b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]


def _struct(label: Array) -> np.ndarray:
    """A label as the release keeps it: beside the map its classes and, for every class, a sparse mask (there: of its boundary)."""
    fields = np.zeros((1, 1), [("Boundaries", "O"), ("Segmentation", "O"), ("CategoriesPresent", "O")])
    fields["Boundaries"][0, 0] = np.empty((20, 1), object)
    for number in range(20):
        fields["Boundaries"][0, 0][number, 0] = csc_array(label == number + 1)
    fields["Segmentation"][0, 0] = label
    fields["CategoriesPresent"][0, 0] = np.unique(label[(label > 0) & (label < VOID)]).reshape(-1, 1)
    return fields


def _ids(year: int, count: int) -> list[str]:
    return [f"{year}_{number:06d}" for number in range(count)]


def _write_list(path: Path, names: list[str]) -> None:
    path.write_text("".join(f"{name}\n" for name in names))

"""ScanNet's frames: scene*/color/*.jpg and scene*/label/*.png of one number below scannet_frames_25k, NYU40 ids in 8 or 16 bits.

The splits are lists of scenes, scannetv2_{train,val}.txt of the benchmark, which keep all scans of a room in one split.
"""

from pathlib import Path

import numpy as np

from bench.data.decode import Pair, fitted, read_image, read_label, resize
from bench.data.samples import Sample, listed, names_in, paired, require, stays_below
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The frames of `train` or `val`, scene after scene; raises BenchError for a frame without its label."""
    base = root / "scannet_frames_25k"
    source = base / f"scannetv2_{split}.txt"
    scenes = [scene for scene in listed(source, spec.name, root) if stays_below(scene, source)]
    frames: dict[str, tuple[Path, Path]] = {}
    for images, labels in ((base / scene / "color", base / scene / "label") for scene in scenes):
        require([images, labels], spec.name, root)
        numbers = sorted(name.removesuffix(".jpg") for name in names_in(images) if name.endswith(".jpg"))
        frames |= {f"{images.parent.name}/{each}": (images / f"{each}.jpg", labels / f"{each}.png") for each in numbers}
    return paired(list(frames), frames.__getitem__, base)


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """A frame on the pixel grid of its label: the camera's colour and label images need not have one resolution."""
    image, label = read_image(sample.files[0]), read_label(sample.files[1], entry)
    if image.shape[:2] != label.shape and _same_shape(image.shape[:2], label.shape):
        height, width = label.shape
        image, _ = resize(image, np.zeros(image.shape[:2], np.uint8), (height, width))
    return fitted(image, label, sample, spec)


def _same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two sizes have the same aspect ratio, up to the 1 % by which 1296x968 differs from 4 to 3."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < 0.01

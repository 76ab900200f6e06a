"""The pair of folders that a suite describes, with its patterns, its classes and its splits."""

from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.decode import VOID, Array
from bench.data.entries.folder import folder_entry
from bench.data.layouts.drawn import folder_at, on_disk, pictures_of
from bench.specs import FolderSpec, Size


def folder(root: Path, count: int, size: Size, seed: int, spec: FolderSpec) -> None:
    """Write images and labels where the spec says, ``count`` for each of its splits, or more where a share needs more."""
    names = _names(root, count, spec)
    entry = folder_entry(spec)
    values = on_disk(entry)
    for name, (image, label) in zip(names, pictures_of(entry, "train", len(names), size, seed), strict=True):
        if spec.images:
            Image.fromarray(image).save(_file(root, spec.images, name))
        Image.fromarray(_painted(label, spec) if spec.colours else label.astype(values.dtype)).save(_file(root, spec.labels, name))


def _names(root: Path, count: int, spec: FolderSpec) -> list[str]:
    """The names of the images to write, after the lists that hold them."""
    shares = [rule for rule in spec.splits.values() if isinstance(rule, float)]
    if shares:
        return [f"image_{number:04d}" for number in range(max(count * len(shares), ceil(2 / min(shares))))]
    names: list[str] = []
    for split, rule in spec.splits.items():
        listed = str(rule).endswith(".txt")
        mine = [f"{split}_{number:04d}" if listed else f"{str(rule).rstrip('/')}/image_{number:04d}" for number in range(count)]
        if listed:
            folder_at((root / str(rule)).parent)
            (root / str(rule)).write_text("".join(f"{name}\n" for name in mine))
        names += mine
    return list(dict.fromkeys(names))


def _painted(label: Array, spec: FolderSpec) -> Array:
    """(H, W) classes in the colours of the suite, (H, W, 3)."""
    shades = np.zeros((256, 3), np.uint8)
    shades[: len(spec.classes)] = spec.colours or ()
    shades[VOID] = spec.ignore if isinstance(spec.ignore, tuple) else (0, 0, 0)
    return shades[label]


def _file(root: Path, pattern: str, name: str) -> Path:
    place = pattern.replace("*", name) if "*" in pattern else f"{pattern.rstrip('/')}/{name}.png"
    path = root / place
    folder_at(path.parent)
    return path

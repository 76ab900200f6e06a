"""ScanNet and SUN RGB-D: frames of scenes, and labels that are numbered through."""

from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.layouts.drawn import folder_at, pictures
from bench.specs import Size


def scannet(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` frames a split below ``root``/scannet_frames_25k, in scenes of two; every other label has 16 bits."""
    base = root / "scannet_frames_25k"
    for split, first in (("train", 0), ("val", 500)):
        scenes = [f"scene{first + number // 2:04d}_00" for number in range(count)]
        for number, (image, label) in enumerate(pictures("scannet", split, count, size, seed)):
            name = f"{100 * (number % 2):06d}"
            Image.fromarray(image).save(folder_at(base / scenes[number] / "color") / f"{name}.jpg", quality=95)
            deep = label.astype(np.uint16) if number % 2 else label
            Image.fromarray(deep).save(folder_at(base / scenes[number] / "label") / f"{name}.png")
        (base / f"scannetv2_{split}.txt").write_text("".join(f"{scene}\n" for scene in dict.fromkeys(scenes)))


def sunrgbd(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images a split below ``root``/SUNRGBD, with labels numbered as those of the real 10,335."""
    labels = folder_at(root / "SUNRGBD/labels")
    for split, before in (("test", 0), ("train", 5050)):
        images = folder_at(root / "SUNRGBD" / split)
        for number, (image, label) in enumerate(pictures("sunrgbd", split, count, size, seed), start=1):
            Image.fromarray(image).save(images / f"img-{number:06d}.jpg", quality=95)
            Image.fromarray(label).save(labels / f"img-{before + number:06d}.png")

"""Oxford-IIIT Pet and ISBI 2012: trimaps, and stacks of slices in TIFF."""

from pathlib import Path

from PIL import Image

from bench.data.isbi import SLICES
from bench.data.layouts.drawn import folder_at, pictures
from bench.specs import Size


def pet(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images a split below ``root``/oxford-iiit-pet: JPEGs, trimaps, lists with breeds."""
    base = root / "oxford-iiit-pet"
    images, trimaps = folder_at(base / "images"), folder_at(base / "annotations/trimaps")
    for split, source, breed in (("trainval", "train", "Abyssinian"), ("test", "test", "american_bulldog")):
        names = [f"{breed}_{number}" for number in range(1, count + 1)]
        for name, (image, label) in zip(names, pictures("pet", source, count, size, seed), strict=True):
            Image.fromarray(image).save(images / f"{name}.jpg", quality=95)
            Image.fromarray(label).save(trimaps / f"{name}.png")
        (base / f"annotations/{split}.txt").write_text("".join(f"{name} 1 1 1\n" for name in names))


def isbi2012(root: Path, count: int, size: Size, seed: int) -> None:
    """Write two stacks of the challenge's 30 slices below ``root``/ISBI2012, whatever ``count`` is: the folds need them all."""
    base = folder_at(root / "ISBI2012")
    drawn = list(pictures("isbi2012", "train", SLICES, size, seed))
    stacks = {"train-volume.tif": [image[..., 1] for image, _ in drawn], "train-labels.tif": [label for _, label in drawn]}
    for name, slices in stacks.items():
        first, *others = (Image.fromarray(each) for each in slices)
        first.save(base / name, save_all=True, append_images=others)

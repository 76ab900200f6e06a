"""CamVid and Cityscapes: PNGs, lists of pairs, folders a city."""

from pathlib import Path

from PIL import Image

from bench.data.cityscapes import IMAGE, LABEL
from bench.data.layouts.drawn import folder_at, pictures
from bench.specs import Size


def camvid(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images of (height, width) ``size`` a split below ``root``/CamVid, as the SegNet tutorial lays them out."""
    base = root / "CamVid"
    for split in ("train", "val", "test"):
        images, labels = folder_at(base / split), folder_at(base / f"{split}annot")
        lines = []
        for number, (image, label) in enumerate(pictures("camvid", split, count, size, seed)):
            name = f"{split}_{number:06d}.png"
            Image.fromarray(image).save(images / name)
            Image.fromarray(label).save(labels / name)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}\n")
        (base / f"{split}.txt").write_text("".join(lines))


def cityscapes(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images a split below ``root``/cityscapes, dealt to two cities, with released ids (`_gtFine_labelIds`)."""
    for split, cities in (("train", ("aachen", "zurich")), ("val", ("frankfurt", "munster"))):
        for number, (image, label) in enumerate(pictures("cityscapes", split, count, size, seed)):
            city = cities[number % 2]
            name = f"{city}_{number:06d}_000019"
            Image.fromarray(image).save(folder_at(root / "cityscapes/leftImg8bit" / split / city) / (name + IMAGE))
            Image.fromarray(label).save(folder_at(root / "cityscapes/gtFine" / split / city) / (name + LABEL))

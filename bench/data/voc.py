"""PASCAL VOC 2012 as its devkit lays it out: JPEGImages, SegmentationClass and ImageSets/Segmentation below VOCdevkit/VOC2012."""

from pathlib import Path

from bench.data.samples import Sample, listed, paired, require
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train`, `val` or `trainval`; raises BenchError for a list that makes no sense."""
    base = root / "VOCdevkit" / "VOC2012"
    source, images, labels = base / "ImageSets" / "Segmentation" / f"{split}.txt", base / "JPEGImages", base / "SegmentationClass"
    require([base, source, labels], spec.name, root)
    return paired(listed(source, spec.name, root), lambda each: (images / f"{each}.jpg", labels / f"{each}.png"), source)


def colour(label: int) -> tuple[int, int, int]:
    """The (red, green, blue) of a label in VOC's palette: its bits dealt to the channels in turn (devkit VOCcolormap)."""
    shades = [0, 0, 0]
    for bit in range(8):
        shades[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return shades[0], shades[1], shades[2]

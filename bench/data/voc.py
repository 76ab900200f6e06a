"""PASCAL VOC 2012 as its devkit lays it out: JPEGImages, SegmentationClass and ImageSets/Segmentation below VOCdevkit/VOC2012."""

from pathlib import Path

from bench.data.samples import Sample, listed, paired, require
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train`, `val` or `trainval`; raises BenchError for a list that makes no sense."""
    require([root / "VOCdevkit" / "VOC2012"], spec.name, root)
    source = list_of(root, split)
    return named(root, spec, listed(source, spec.name, root), source)


def list_of(root: Path, split: str) -> Path:
    """Where the id list of a split lies below a data root."""
    return root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / f"{split}.txt"


def named(root: Path, spec: DatasetSpec, ids: list[str], source: Path) -> list[Sample]:
    """The samples of some ids, which the list ``source`` names."""
    images, labels = root / "VOCdevkit" / "VOC2012" / "JPEGImages", root / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    require([labels], spec.name, root)
    return paired(ids, lambda each: (images / f"{each}.jpg", labels / f"{each}.png"), source)

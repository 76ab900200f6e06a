"""Cityscapes as released: leftImg8bit/{split}/{city}/*_leftImg8bit.png and gtFine/{split}/{city}/*_gtFine_labelIds.png.

Labels are the released ids, of which 19 are classes and all others void. Where they were converted to `_gtFine_labelTrainIds.png`
and the released ones are not there, those are read: the classes 0 to 18, void 255.
"""

from dataclasses import replace
from pathlib import Path

from bench.data.decode import Pair, read_label, read_pair
from bench.data.samples import Sample, names_in, paired, require
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec

IMAGE, LABEL, CONVERTED = "_leftImg8bit.png", "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train` or `val`, city after city; raises BenchError for an image without its label."""
    images, labels = root / "cityscapes" / "leftImg8bit" / split, root / "cityscapes" / "gtFine" / split
    require([images, labels], spec.name, root)
    files: dict[str, tuple[Path, Path]] = {}
    for city in sorted(name for name in names_in(images) if (images / name).is_dir()):
        require([labels / city], spec.name, root)
        there = names_in(labels / city)
        for each in sorted(name.removesuffix(IMAGE) for name in names_in(images / city) if name.endswith(IMAGE)):
            suffix = CONVERTED if each + LABEL not in there and each + CONVERTED in there else LABEL
            files[each] = images / city / (each + IMAGE), labels / city / (each + suffix)
    return paired(list(files), files.__getitem__, images)


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """A sample whose label holds released ids or converted ones, as the file's name says."""
    converted = replace(entry, ids=None, void_ids=(), ignore_index=255)
    return read_pair(sample, spec, lambda path: read_label(path, converted if path.name.endswith(CONVERTED) else entry))

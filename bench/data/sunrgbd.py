"""SUN RGB-D with the 37 classes: {train,test}/img-000001.jpg and so on, and labels/img-000001.png of all 10,335 below SUNRGBD.

The labels are numbered through, test before train: image i of test has label i, image i of train has label 5050 + i.
"""

from pathlib import Path

from bench.data.samples import Sample, names_in, paired, require
from bench.specs import DatasetSpec

_TEST_IMAGES = 5050


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train` or `test`, by number; raises BenchError for an image without its label."""
    images, labels = root / "SUNRGBD" / split, root / "SUNRGBD" / "labels"
    require([images, labels], spec.name, root)
    before = _TEST_IMAGES if split == "train" else 0
    numbers = sorted(int(name[4:-4]) for name in names_in(images) if name.startswith("img-") and name[4:-4].isdecimal())
    files = {f"{split}_{each:06d}": (images / f"img-{each:06d}.jpg", labels / f"img-{before + each:06d}.png") for each in numbers}
    return paired(list(files), files.__getitem__, images)

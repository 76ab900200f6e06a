"""CamVid as the SegNet tutorial lays it out: {train,val,test}/*.png, {train,val,test}annot/*.png, {train,val,test}.txt.

The lists hold pairs of absolute paths of the authors' machine (`/SegNet/CamVid/train/x.png /SegNet/CamVid/trainannot/x.png`), so
only the file names are read and the folders follow from the split.
"""

from pathlib import Path, PurePosixPath

from bench.data.samples import Sample, listed, paired, require
from bench.errors import BenchError
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train`, `val` or `test`; raises BenchError for a list that makes no sense."""
    base = root / "CamVid"
    source, images, labels = base / f"{split}.txt", base / split, base / f"{split}annot"
    require([base, source, labels], spec.name, root)
    pairs = [_names(line, source) for line in listed(source, spec.name, root)]
    names = {PurePosixPath(image).stem: (images / image, labels / label) for image, label in pairs}
    return paired([PurePosixPath(image).stem for image, _ in pairs], names.__getitem__, source)


def _names(line: str, source: Path) -> tuple[str, str]:
    """The file names of an image and of its label."""
    match line.split():
        case [image, label]:
            return PurePosixPath(image).name, PurePosixPath(label).name
        case _:
            raise BenchError(f"{source}: {line!r} is not the path of an image and that of its label. Fetch the list again.")

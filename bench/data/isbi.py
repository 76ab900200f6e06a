"""ISBI 2012 EM: train-volume.tif and train-labels.tif below ISBI2012, 30 slices of one stack of tissue each.

The labels of the challenge's own test are secret, so the 30 slices are cut into `folds` contiguous blocks as even as can be; block
`fold` is `test`, all others are `train`. Contiguous, because neighbouring slices show nearly the same membranes: with every fifth
slice in `test`, each of them would lie between two of `train`, and the score would be one of memory. A block touches `train` at its
two ends only.
"""

from pathlib import Path

from bench.data.decode import Pair, count_frames, fitted, ids, opened, rgb
from bench.data.samples import Sample, require
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import IsbiSpec

SLICES = 30


def samples(root: Path, split: str, spec: IsbiSpec) -> list[Sample]:
    """The slices of `train`, `test` or `all` in the order of the stack; raises BenchError unless there are two stacks of 30."""
    stacks = root / "ISBI2012" / "train-volume.tif", root / "ISBI2012" / "train-labels.tif"
    require(stacks, spec.name, root)
    for path in stacks:
        if (count := count_frames(path)) != SLICES:
            raise BenchError(f"{path}: has {count} slices, and the stack of the challenge has {SLICES}. Fetch the file again.")
    block = range(SLICES * spec.fold // spec.folds, SLICES * (spec.fold + 1) // spec.folds)
    chosen = [number for number in range(SLICES) if split == "all" or (number in block) == (split == "test")]
    return [Sample(id=f"slice_{number:02d}", files=stacks, index=number) for number in chosen]


def decode(sample: Sample, entry: DatasetEntry, spec: IsbiSpec) -> Pair:
    """One slice and its label, of which every value but 0 and 255 is an error."""
    volume, labels = (opened(path, sample.index) for path in sample.files)
    return fitted(rgb(volume, sample.files[0]), ids(labels, entry, sample.files[1]), sample, spec)

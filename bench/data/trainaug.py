"""VOC 2012 and SBD together: the splits the literature trains and reports on, made from the id lists on disk.

`trainaug` is VOC's train, and every image of SBD's train and val that is in neither VOC's train nor VOC's val; so it shares no
image with `val`, whatever the lists say. An image of VOC's train has VOC's label in it, also where SBD has one too: VOC's have void
along the outlines as those of `val` have, and mmsegmentation chooses so as well.

`seg11valid` (Long et al. 2015, 736 images) is VOC 2011's val without SBD's train. It is what to report on after training on
`sbd_train`. Its photographs and labels are read from VOC 2012.
"""

from pathlib import Path

from bench.data import sbd, voc
from bench.data.samples import Sample, listed, missing
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of a split; raises BenchError for anything that the lists promise and the folders lack."""
    if split == "trainaug":
        return _trainaug(root, spec)
    if split == "sbd_train":
        return sbd.samples(root, "train", spec)
    if split == "seg11valid":
        return voc.named(root, spec, *_seg11valid(root, spec))
    return voc.samples(root, split, spec)


def _trainaug(root: Path, spec: DatasetSpec) -> list[Sample]:
    train = voc.samples(root, "train", spec)
    known = {sample.id for sample in train} | set(listed(voc.list_of(root, "val"), spec.name, root))
    sources = [sbd.folder(root) / f"{split}.txt" for split in ("train", "val")]
    more = {each for source in sources for each in listed(source, spec.name, root)} - known
    return train + sbd.named(root, spec, sorted(more), sources[0].with_name("{train,val}.txt"))


def _seg11valid(root: Path, spec: DatasetSpec) -> tuple[list[str], Path]:
    """The ids of seg11valid and the list they come from: its own where there is one, VOC 2011's val less SBD's train elsewhere."""
    own = voc.list_of(root, "seg11valid")
    if own.exists():
        return listed(own, spec.name, root), own
    of_2011 = root / "VOCdevkit" / "VOC2011" / "ImageSets" / "Segmentation" / "val.txt"
    if not of_2011.exists():
        raise missing(spec.name, root, own)
    trained = set(listed(sbd.folder(root) / "train.txt", spec.name, root))
    return [each for each in listed(of_2011, spec.name, root) if each not in trained], of_2011

"""Generated trees: written in the real sets' layouts, read by the real readers."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from bench.data import DATASETS, layouts
from bench.data.decode import files
from bench.data.entries.colours import colour
from bench.data.samples import list_samples
from bench.registry import load
from bench.specs import AnyDatasetSpec, DatasetSpec

SIZE = (96, 128)
COUNT = 8
WITH_LAYOUT = [name for name, entry in DATASETS.items() if entry.layout and name != "folder"]
SPEC: TypeAdapter[Any] = TypeAdapter(AnyDatasetSpec)
# Images a split: COUNT, or what follows from the layout's lists
COUNTS = {
    ("voc2012", "trainval"): 2 * COUNT,
    ("sbd", "train"): COUNT + 1,
    ("voc2012_sbd", "trainaug"): 3 * COUNT,
    ("voc2012_sbd", "sbd_train"): COUNT + 1,
    ("voc2012_sbd", "seg11valid"): COUNT - 2,
    **{(name, "all"): 3 * COUNT for name in ("synthia", "synthia_13", "synthia_16", "synthia_19")},
    **{("isbi2012", split): count for split, count in (("train", 24), ("test", 6), ("all", 30))},
}


def write(name: str, root: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    layout = DATASETS[name].layout
    assert layout is not None
    load(layout)(root, COUNT, size, seed)
    return root


@pytest.mark.parametrize("name", WITH_LAYOUT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_real_reader_finds_every_class_in_every_split(name: str, seed: int, tmp_path: Path) -> None:
    entry, spec = DATASETS[name], SPEC.validate_python({"name": name})
    decode = load(entry.decode)
    write(name, tmp_path, seed)
    for split in entry.splits:
        samples = list_samples(entry, tmp_path, spec, split)
        assert len(samples) == COUNTS.get((name, split), COUNT)
        seen: set[int] = set()
        for sample in samples:
            image, label = decode(sample, entry, spec)
            assert image.shape == (*SIZE, 3) and label.shape == SIZE
            assert image.dtype == label.dtype == np.uint8
            seen |= set(np.unique(label).tolist())
        assert seen == {*range(entry.num_classes), *([] if entry.ignore_index is None else [255])}


@pytest.mark.parametrize("name", WITH_LAYOUT)
def test_a_tree_is_its_seed(name: str, tmp_path: Path) -> None:
    trees = [write(name, tmp_path / str(number), seed) for number, seed in enumerate((0, 0, 1))]
    hashes = [
        {path.relative_to(tree): hashlib.sha256(path.read_bytes()).hexdigest() for path in tree.rglob("*") if path.is_file()}
        for tree in trees
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0].keys() == hashes[2].keys() and hashes[0] != hashes[2]


def test_voc_files_are_as_the_devkit_has_them(tmp_path: Path) -> None:
    base = write("voc2012", tmp_path) / "VOCdevkit/VOC2012"
    lists = {split: (base / f"ImageSets/Segmentation/{split}.txt").read_text().split() for split in ("train", "val", "trainval")}
    assert not set(lists["train"]) & set(lists["val"])
    assert sorted(lists["train"] + lists["val"]) == lists["trainval"]
    assert all(re.fullmatch(r"\d{4}_\d{6}", name) for name in lists["trainval"])
    with (
        Image.open(base / f"JPEGImages/{lists['val'][0]}.jpg") as image,
        Image.open(base / f"SegmentationClass/{lists['val'][0]}.png") as label,
    ):
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SIZE[::-1])
        assert (label.format, label.mode, label.size) == ("PNG", "P", SIZE[::-1])
        assert label.getpalette() == [shade for value in range(256) for shade in colour(value)]


def test_camvid_lists_hold_the_authors_paths(tmp_path: Path) -> None:
    base = write("camvid", tmp_path) / "CamVid"
    first = (base / "val.txt").read_text().splitlines()[0]
    image, label = first.split()
    assert image.startswith("/SegNet/CamVid/val/") and label.startswith("/SegNet/CamVid/valannot/")
    with Image.open(base / "valannot" / Path(label).name) as picture:
        assert picture.mode == "L"
        assert np.asarray(picture).max() == 11


def test_void_lies_on_outlines_alone() -> None:
    """Between any two classes there is void, and away from outlines there is none."""
    for _, label in layouts.pictures("voc2012", "train", 2, SIZE, 0):
        for a, b in ((label[1:], label[:-1]), (label[:, 1:], label[:, :-1])):
            assert ((a == b) | (a == 255) | (b == 255)).all()
        assert 0.02 < (label == 255).mean() < 0.35


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (17, 200)])
def test_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    write("camvid", tmp_path, size=size)
    entry, spec = DATASETS["camvid"], DatasetSpec(name="camvid")
    assert files(list_samples(entry, tmp_path, spec, "val")[-1], entry, spec)[1].shape == size

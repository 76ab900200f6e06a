"""The leak guard: no image is trained on and scored, and none chooses the checkpoint that it then reports on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.layouts import voc
from bench.errors import BenchError
from bench.expand import expand
from bench.plan import Plan, survey
from bench.store import Store
from bench.suite import load_suite

SUITE = """\
datasets: {{set: {{name: voc2012, {splits}}}}}
models: {{fcn: {{name: fcn, backbone: small, width: 4}}}}
matrix: {{model: fcn, dataset: set, eval.choose: {choose}}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    voc(folder, 4, (32, 48), 0)
    return folder


def surveyed(root: Path, store: Path, splits: str, choose: str = "last") -> Plan:
    path = store / "x.yaml"
    path.write_text(SUITE.format(splits=splits, choose=choose))
    return survey(expand(load_suite(path)), root, Store(store))


def test_disjoint_splits_pass(root: Path, tmp_path: Path) -> None:
    assert len(surveyed(root, tmp_path, "train: train, test: val").cells) == 1


@pytest.mark.parametrize(
    ("splits", "role"),
    [("train: trainval, test: val", "val"), ("train: train, test: trainval", "trainval"), ("train: train, test: train", "train")],
)
def test_an_image_trained_on_and_scored_ends_the_run(root: Path, tmp_path: Path, splits: str, role: str) -> None:
    with pytest.raises(BenchError, match=rf"4 images stand both in 'train(val)?', which is trained on, and in '{role}'"):
        surveyed(root, tmp_path, splits)


def test_an_image_in_the_choosing_split_counts_as_scored(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"trained on, and in 'trainval', which is scored.*dataset\.val"):
        surveyed(root, tmp_path, "train: train, val: trainval, test: val")


def test_no_checkpoint_is_chosen_on_what_is_reported(root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(root, data)
    lists = data / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    ids = (lists / "val.txt").read_text().split()
    (lists / "trainval.txt").write_text("\n".join(ids[:2]))  # a part of the reported split, under a name the table knows
    splits = "train: train, val: trainval, test: val"
    with pytest.raises(BenchError, match="2 images stand both in 'trainval', on which the best checkpoint is chosen, and in 'val'"):
        surveyed(data, tmp_path, splits, "best")
    with pytest.raises(BenchError, match="on which the best checkpoint is chosen"):
        surveyed(data, tmp_path, splits, "[last, best]")
    assert len(surveyed(data, tmp_path, splits, "last").cells) == 1


OWN = """\
datasets:
  mine: {name: folder, images: i, labels: l, classes: [a, b], splits: {train: train, test: test}}
models: {fcn: {name: fcn, backbone: small, width: 4}}
matrix: {model: fcn, dataset: mine, eval.choose: last}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for number, name in enumerate(("train/one", "train/two", "test/three", "test/four")):
        for folder, size in (("i", (4, 4, 3)), ("l", (4, 4))):
            path = tmp_path / "data" / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(size, number if folder == "i" else 0, np.uint8)).save(path)
    (tmp_path / "x.yaml").write_text(OWN)
    return tmp_path


def planned(folder: Path) -> Plan:
    return survey(expand(load_suite(folder / "x.yaml")), folder / "data", Store(folder))


def test_the_same_bytes_under_another_name_end_the_run(own: Path) -> None:
    assert len(planned(own).cells) == 1
    shutil.copy(own / "data/i/train/two.png", own / "data/i/test/four.png")
    with pytest.raises(BenchError, match=r"dataset mine: 1 images of 'test'.* same files .*: test/four is train/two\."):
        planned(own)


@pytest.mark.parametrize("target", ["nowhere", "four.png"])
def test_a_link_that_leads_nowhere_is_one_error(own: Path, target: str) -> None:
    path = own / "data/l/test/four.png"
    path.unlink()
    path.symlink_to(target)
    (reason,) = planned(own).missing()
    assert f"dataset mine: {path}: is a link that leads nowhere." in reason and len(reason.splitlines()) == 1


def test_a_folder_in_the_place_of_a_file_is_one_error(root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(root, data)
    path = sorted((data / "VOCdevkit/VOC2012/SegmentationClass").iterdir())[0]
    path.unlink()
    path.mkdir()
    (reason,) = surveyed(data, tmp_path, "train: train, test: val").missing()
    assert f"{path}: cannot be read: Is a directory" in reason

"""The leak guard: no image is trained on and scored, and none chooses the checkpoint that it then reports on."""

import shutil
from pathlib import Path

import pytest

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

"""Cell ids: they hash what can change the numbers, each stage apart, and nothing else."""

from pathlib import Path

import pytest

from bench.cell import Cell, cell_from_json, differences
from bench.expand import expand
from bench.suite import load_suite
from tests.test_suite import GOOD

PRINTS = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}


def first(folder: Path, *settings: str, text: str = GOOD) -> Cell:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return expand(load_suite(path, list(settings)))[0].seen(PRINTS)


def parts(cell: Cell) -> list[str]:
    return cell.id.split("-")


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("train.lr=0.5", [True, False, False]),
        ("model.width=3", [True, False, False]),
        ("train.on_oom=accumulate", [True, False, False]),
        ("train.on_oom=fail", [False, False, False]),
        ("augmentation.flip=0.5", [True, False, False]),
        ("matrix.seed=[7]", [True, False, False]),
        ("matrix.fraction=[0.5]", [True, False, False]),
        ("eval.boundary_ratio=0.01", [False, True, False]),
        ("eval.choose=last", [False, True, False]),
        ("profile.rounds=3", [False, False, True]),
        ("profile=null", [False, False, True]),
        ("name=other", [False, False, False]),
        ("title=other", [False, False, False]),
    ],
)
def test_each_stage_is_hashed_apart(tmp_path: Path, setting: str, changed: list[bool]) -> None:
    before, after = parts(first(tmp_path)), parts(first(tmp_path, setting))
    assert [one != other for one, other in zip(before, after, strict=True)] == changed


def test_labels_do_not_count(tmp_path: Path) -> None:
    assert first(tmp_path).id == first(tmp_path, text=GOOD.replace("a:", "z:").replace("[a,", "[z,")).id


@pytest.mark.parametrize(("split", "changed"), [("train", [True, False]), ("val", [True, False]), ("test", [False, True])])
def test_data_that_changes_makes_another_cell(tmp_path: Path, split: str, changed: list[bool]) -> None:
    cell = first(tmp_path)
    other = cell.seen({**PRINTS, split: "9" * 64})
    assert [one != two for one, two in zip(parts(cell), parts(other), strict=True)][:2] == changed


def test_a_cell_survives_json(tmp_path: Path) -> None:
    cell = first(tmp_path, "matrix.fraction=[1/3]")
    again = cell_from_json(cell.to_json())
    assert again == cell and again.id == cell.id


def test_differences_are_dotted_fields() -> None:
    one = {"train": {"lr": 1, "steps": 2}, "seed": 0}
    other = {"train": {"lr": 3, "steps": 2}, "seed": 0, "new": None}
    assert differences(one, other) == [("train.lr", 1, 3)]

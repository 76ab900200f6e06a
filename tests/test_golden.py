"""The golden numbers of `tests/golden`: first losses and final scores of the quickstart, and that a changed training is found."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cell import Cell
from tests import golden


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def test_first_losses_are_the_golden_ones(place: Path) -> None:
    assert golden.off_losses(golden.first_losses(golden.kinds(), place), golden.golden(golden.LOSSES)) == []


def test_published_scores_are_the_golden_ones() -> None:
    assert golden.off_scores(golden.final_scores(golden.PUBLISHED), golden.golden(golden.SCORES), rerun=False) == []


@pytest.mark.skipif(not os.environ.get("BENCH_TEST_STORE"), reason="BENCH_TEST_STORE names no store with a run of the quickstart")
def test_scores_of_a_run_are_the_golden_ones() -> None:
    found = golden.final_scores(Path(os.environ["BENCH_TEST_STORE"]))
    assert golden.off_scores(found, golden.golden(golden.SCORES), rerun=True) == []


def trained(**fields: object) -> Callable[[Cell], Cell]:
    return lambda cell: replace(cell, train=cell.recipe.model_copy(update=fields))


@pytest.mark.parametrize(
    "change",
    [trained(lr=0.0063), trained(label_smoothing=0.001), trained(momentum=0.89), lambda cell: replace(cell, seed=1)],
    ids=["rate", "smoothing", "momentum", "seed"],
)
def test_a_small_change_of_the_training_is_found(change: Callable[[Cell], Cell], place: Path) -> None:
    cell = golden.kinds()[2]
    changed = {cell.label: golden.first_losses([change(cell)], place).popitem()[1]}
    expected = golden.golden(golden.LOSSES)
    expected = expected | {"losses": {cell.label: expected["losses"][cell.label]}}
    assert cell.label.startswith("fcn8s") and golden.off_losses(changed, expected)


def test_a_mismatch_says_which_cell_step_value_and_what_was_expected() -> None:
    expected = {
        "losses": {"unet": {"step 1": 2.0, "step 2": 1.0}, "fcn8s": {"step 1": 3.0}},
        "relative_tolerance": {"step 1": 1e-3, "step 2": 0.1},
    }
    assert golden.off_losses({"unet": {"step 1": 2.01, "step 2": 1.09}, "other": {}}, expected) == [
        "unet, step 1: 2.01, expected 2 within 0.002",
        "fcn8s, step 1: no number, expected 3",
        "other: has numbers, and none were expected",
    ]
    scores = {"scores": {"unet": {"miou": 0.5}}, "tolerance_of_a_run": {"miou": 0.05}}
    assert golden.off_scores({"unet": {"miou": 0.54}}, scores, rerun=True) == []
    assert golden.off_scores({"unet": {"miou": 0.54}}, scores, rerun=False) == ["unet, miou: 0.54, expected 0.5 within 1e-12"]
    assert golden.off_losses({"unet": {"step 1": float("nan"), "step 2": 1.0}, "fcn8s": {"step 1": 3.0}}, expected) != []

"""Costs: one measurement a configuration, and the arithmetic of a prediction."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.costs import Costs, Measured, key, verdict
from bench.data.samples import Sample
from bench.expand import expand
from bench.plan import survey
from bench.store import Result, Store, split_key, write_json
from bench.suite import load_suite
from tests.faults.many_cells import sums_and_result
from tests.faults.stores import FEW

PRINTS = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}
SUITE = """\
models: {a: {name: unet, width: 4}}
matrix: {dataset: phantom, model: a, seed: [0, 1], fraction: [1, 0.5], train.batch: [2, 4]}
train: {epochs: 3, val_every: 10}
"""
MEASURED = Measured(2.0, 0.5, 0.25, 0.1, 0.2, 7.0, 3.0, 10.0)


def test_a_prediction_by_hand(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SUITE)
    cells = [cell.seen(PRINTS) for cell in expand(load_suite(tmp_path / "x.yaml"))]
    assert len(cells) == 8 and len({key(cell, "GPU", None) for cell in cells}) == 2, "batch alone changes the cost of a step"
    cell = next(each for each in cells if each.fraction == 0.5 and each.recipe.batch == 4)
    counts = {"train": 40, "val": 6, "test": 5}
    samples = {split_key(cell, split): [Sample(str(index)) for index in range(count)] for split, count in counts.items()}
    costs = Costs(Store(tmp_path))
    assert costs.predict(cell, "GPU", None, samples, 3.0) is None
    costs.add(key(cell, "GPU", None), MEASURED)
    cost = Costs(Store(tmp_path)).predict(cell, "GPU", None, samples, 3.0)
    # 20 images for 3 epochs in batches of 4: 15 steps, 2 validations of 6 images, so 8.7 s and 2 checkpoints on the way
    assert cost and cost.train_s == pytest.approx(15 * 0.5 + 2 * 6 * 0.1 + 3 * 0.25)
    assert cost.total_s == pytest.approx(2 + cost.train_s + 5 * 0.2 + 7)
    assert costs.predict(cell, "another GPU", None, samples, 3.0) is None


def test_plan_and_status_show_what_was_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    monkeypatch.chdir(tmp_path)

    def shown(command: str) -> tuple[list[dict[str, Any]], str]:
        done = CliRunner().invoke(app, [command, "few.yaml", "--json"])
        return json.loads(done.stdout), CliRunner().invoke(app, [command, "few.yaml"]).output

    assert "predicted_s" not in shown("plan")[0][0] and "predicted" not in shown("status")[1]
    store = Store(tmp_path / "runs")
    store.writable()
    plan = survey(expand(load_suite(tmp_path / "few.yaml")), tmp_path, store)
    unet = plan.cells[1]
    costs = Costs(store)
    costs.add(key(unet, "a GPU", None), replace(MEASURED, profile_s=70.0))
    costs.add(key(unet, "CPU: x", 2), MEASURED)  # the last one counts
    # 12 steps, 3 validations of 4 images, one checkpoint, 6 images scored: as measured, and as a run had predicted and needed
    expected = 2 + 12 * 0.5 + 3 * 4 * 0.1 + 0.25 + 6 * 0.2 + 7
    for command in ("plan", "status"):
        rows = {row["model"]: (row["predicted_s"], row["took_s"]) for row in shown(command)[0]}
        assert rows == {"fcn": (None, None), "unet": (pytest.approx(expected, abs=0.05), None)}
    sums, kept = sums_and_result(np.full((12, 6), 100), 0.5, np.random.default_rng(0))
    kept |= {"seconds": {"train_s": 20.0, "evaluate_s": 1.5}, "predicted": {"total_s": 18.04}}
    (store.open_cell(unet) / "per_image.npz").write_bytes(sums)
    write_json(store.folder(unet.id) / "result.json", Result(cell_id=unet.id, cell=unet.to_json(), **kept).model_dump())
    for command in ("plan", "status"):
        rows, words = shown(command)
        assert {row["model"]: (row["predicted_s"], row["took_s"]) for row in rows} == {"fcn": (None, None), "unet": (18.0, 21.5)}
        assert "Predicted 18 s for finished cells that were measured before; they took 22 s." in words


def test_verdicts() -> None:
    assert verdict(MEASURED, 1) == verdict(MEASURED, 3) == "fits"
    assert verdict(MEASURED, 4) == "out of memory with --slots 4"
    failed = {**vars(MEASURED), "error": "CUDA out of memory", "oom": True}
    assert verdict(Measured(**failed), 1) == "out of memory"
    assert verdict(Measured(**{**failed, "oom": False, "error": "no such file"}), 1) == "no such file"


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    for content in ("", "[1]", '{"x": 1}', '{"x": {"step_s": 1}}'):
        (tmp_path / "costs.json").write_text(content)
        assert Costs(Store(tmp_path)).known == {}

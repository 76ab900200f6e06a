"""The order of cells: longest first, chains counted whole, starts before what starts from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.cell import Cell
from bench.expand import expand
from bench.job import Job
from bench.plan import Trained
from bench.runners.local import fair_threads
from bench.runners.queue import Queue, no_start
from bench.store import Failure, Store, write_json
from bench.suite import load_suite

SUITE = """\
models:
  a: {name: fcn, backbone: small, width: 4, stride: 32}
  b: {name: fcn, backbone: small, width: 4, stride: 16, init_from: a}
  c: {name: fcn, backbone: small, width: 4, stride: 8, init_from: b}
  d: {name: unet, width: 4}
  e: {name: unet, width: 2}
matrix: {dataset: phantom, model: [c, b, a, d, e]}
"""
PRINTS = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}
SECONDS = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 25.0, "e": 40.0}


@pytest.fixture
def cells(tmp_path: Path) -> dict[str, Cell]:
    (tmp_path / "x.yaml").write_text(SUITE)
    return {cell.model_label: cell.seen(PRINTS) for cell in expand(load_suite(tmp_path / "x.yaml"))}


def queue(cells: dict[str, Cell], store: Path) -> Queue:
    return Queue([Job(cell, store, {}) for cell in cells.values()], lambda job: SECONDS[job.cell.model_label])


def test_the_longest_chain_begins_first(cells: dict[str, Cell], tmp_path: Path) -> None:
    waiting, trained, began = queue(cells, tmp_path), Trained(Store(tmp_path)), ""
    while job := waiting.next(trained, lambda job: False):
        began += job.cell.model_label
        waiting.take(job)
        if job.cell.model_label != "d":
            trained.add(job.cell)
    assert began == "eadbc", "e is 40 s; a with what follows it 30; then d with 25; then the rest of the chain"


def test_what_another_holds_is_passed_over(cells: dict[str, Cell], tmp_path: Path) -> None:
    waiting, trained = queue(cells, tmp_path), Trained(Store(tmp_path))
    found = waiting.next(trained, lambda job: job.cell.model_label in "ea")
    assert found and found.cell.model_label == "d"


def test_a_failure_is_handed_down_with_the_first_cause(cells: dict[str, Cell], tmp_path: Path) -> None:
    store = Store(tmp_path)
    waiting, trained = queue({name: cells[name] for name in "bc"}, tmp_path), Trained(store)
    failure = Failure(cell_id=cells["a"].id, cause="oom", message="too large", finished="now")
    write_json(store.open_cell(cells["a"]) / "failed.json", failure.model_dump())
    for name in "bc":
        (orphan,) = waiting.orphans([], trained)
        assert orphan.cell.model_label == name
        waiting.take(orphan)
        assert no_start(orphan).cause == "oom"
    written = store.failure(cells["c"].id)
    assert written and written.message == "it starts from a · phantom · seed 0, which failed: too large"


def test_a_training_left_by_another_scoring_counts(cells: dict[str, Cell], tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = replace(cells["a"], eval=cells["a"].eval.model_copy(update={"boundary_ratio": 0.1}))
    write_json(store.open_cell(other) / "trained.json", {})
    assert Trained(store)(cells["a"]) and not Trained(store)(cells["d"])


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert fair_threads(["cuda:0"]) is None
    assert fair_threads(["cuda:0", "cuda:1"]) == 8 and fair_threads(["cpu"] * 64) == 1

"""Looking at runs and stopping them: status, logs, cancel, retry, and tables that are kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cancel import Requests, ask_cell, ask_suite
from bench.claims import hold
from bench.cli import memory
from bench.plan import Trained, describe
from bench.running import running
from bench.store import Failure, Store, write_json
from bench.tables import Table
from tests.made_results import suite as made_suite
from tests.test_run import Bench, bench, command, environment, reached, results, scores, wait_for  # noqa: F401  a fixture among them


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.cancel.LOOK_S", 0.0)


def test_a_request_is_for_those_who_were_at_work_when_it_came(tmp_path: Path) -> None:
    store = Store(tmp_path)
    early = Requests(store)
    assert not early.cell("a") and not early.suite("s")
    ask_cell(store, "a")
    late = Requests(store)
    assert early.cell("a") and not early.cell("b") and not early.suite("s") and not early.suite("a")
    assert not late.cell("a"), "an old request stops no new run"
    ask_cell(store, "a")
    assert late.cell("a")
    ask_suite(store, "s")
    assert early.suite("s") and not early.suite("t")
    ask_suite(store, None)
    assert early.suite("t") and late.suite("t") and not Requests(store).suite("t")


def test_a_held_cell_is_running_and_a_free_one_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert running(store) == {}
    with hold(store.claims, "a") as mine:
        assert mine and list(running(store)) == ["a"]
    assert running(store) == {}


@pytest.mark.slow
def test_a_cancelled_cell_is_saved_and_the_others_go_on(bench: Bench, tiny_suite: Path, tmp_path: Path, repository: Path) -> None:  # noqa: F811
    longer = ("--set", "train.steps=400", "--tracking", "off")
    process = subprocess.Popen(
        command("run", tiny_suite, *longer), cwd=tmp_path, env=environment(repository), stderr=subprocess.PIPE, text=True
    )
    store = Store(tmp_path / "runs")
    wait_for(lambda: reached(store.root, 8))
    (cell_id,) = running(store)
    rows = json.loads(bench("status", tiny_suite, *longer[:2], "--json").stdout)
    assert {row["id"]: row["state"] for row in rows}[cell_id] == "running"
    assert "asked to save and end" in bench("cancel", cell_id[:8]).stderr
    _, words = process.communicate(timeout=200)
    assert process.returncode == 75 and "Go on with: bench run" in words
    (other,) = results(store.root)
    assert other != cell_id and store.state(cell_id) == "started" and not running(store)
    assert "nothing of" in bench("cancel", cell_id, code=1).stderr
    bench("run", tiny_suite, *longer)
    bench("run", tiny_suite, *longer, "--store", "whole")
    assert scores(store.root) == scores(tmp_path / "whole"), "a cancelled cell goes on to the same numbers"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["tiny.yaml", "tiny", None])
def test_the_drivers_of_a_suite_end_when_it_is_cancelled(
    bench: Bench,  # noqa: F811
    tiny_suite: Path,
    tmp_path: Path,
    repository: Path,
    what: str | None,
) -> None:
    longer = ("--set", "train.steps=4000", "--tracking", "off")
    process = subprocess.Popen(
        command("run", tiny_suite, *longer), cwd=tmp_path, env=environment(repository), stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: reached(tmp_path / "runs", 8))
    told = json.loads(bench("cancel", *([what] if what else []), "--json").stdout)
    process.communicate(timeout=60)
    assert process.returncode == 75 and len(told) == 1 and not results(tmp_path / "runs")


@pytest.mark.slow
def test_a_log_is_followed_and_a_watch_ends_with_the_run(bench: Bench, tiny_suite: Path, tmp_path: Path, repository: Path) -> None:  # noqa: F811
    process = subprocess.Popen(
        command("run", tiny_suite, "--tracking", "off"), cwd=tmp_path, env=environment(repository), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: any((tmp_path / "runs").glob("cells/*/cell.json")))
    lines = bench("status", tiny_suite, "--watch", "--every", 0.2, "--json").stdout.splitlines()
    assert process.wait(60) == 0
    ends = {(row := json.loads(line))["id"]: row["state"] for line in lines}
    assert ends == dict.fromkeys(results(tmp_path / "runs"), "finished")
    cell_id = min(ends)
    log = tmp_path / "runs" / "cells" / cell_id / "log.txt"
    log.write_text("one\ntwo\nthree\n")
    assert bench("logs", cell_id[:6], "--lines", 2).stdout == "two\nthree\n"
    assert bench("logs", cell_id, "--follow").stdout == "one\ntwo\nthree\n"
    log.unlink()
    assert "has no log yet" in bench("logs", cell_id, code=2).stderr
    assert "2 finished" in bench("status", tiny_suite, "--watch").stdout


def test_a_log_is_followed_until_its_cell_is_let_go(tmp_path: Path, repository: Path) -> None:
    store = Store(tmp_path / "runs")
    store.folder("abc").mkdir(parents=True)
    follow = command("logs", "abc", "-f")
    with hold(store.claims, "abc"):
        process = subprocess.Popen(follow, cwd=tmp_path, env=environment(repository), stdout=subprocess.PIPE, text=True)
        assert process.stdout
        log = store.folder("abc") / "log.txt"
        log.write_text("first\n")
        assert process.stdout.readline() == "first\n"
        log.write_text("first\nlast\n")
        assert process.stdout.readline() == "last\n" and process.poll() is None
    assert process.communicate(timeout=20)[0] == "" and process.returncode == 0


SUITE = """\
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  fcn: {name: fcn, backbone: small, width: 4, stride: 8}
matrix: {dataset: [small], model: [fcn], seed: [0, 1, 2]}
train: {steps: 4, batch: 4}
profile: null
"""


@pytest.mark.slow
def test_only_what_failed_so_is_run_again(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "s.yaml").write_text(SUITE)
    ids = [row["id"] for row in json.loads(bench("plan", "s.yaml", "--json").stdout)]
    store = Store(tmp_path / "runs")
    for cell_id, cause in zip(ids, ("oom", "diverged"), strict=False):
        store.folder(cell_id).mkdir(parents=True)
        failure = Failure(cell_id=cell_id, cause=cause, message="too large", finished="2026-01-01T00:00:00+00:00")
        write_json(store.folder(cell_id) / "failed.json", failure.model_dump())
    told = bench("retry", "s.yaml", "--cause", "omm", code=2).stderr
    assert "no cell of s failed so (1 oom, 1 diverged)" in told and "Did you mean 'oom'" in told
    bench("retry", "s.yaml", "--failed", "--cause", "oom", "--tracking", "off")
    assert [store.state(cell_id) for cell_id in ids] == ["finished", "failed", "new"]


def test_a_kept_table_is_made_anew_when_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.kept.WORTH_S", -1.0)
    cells, store = made_suite(tmp_path, SUITE)
    for cell in cells:
        store.open_cell(cell)
    made = []

    def make() -> Table:
        made.append(1)
        return Table(["a"], [["1"]], [{"a": 0.1, "b": None, "cells": ["x"]}], ["note"], [], frozenset({"a"}))

    def ask(asked: object = "miou") -> Table:
        return memory.remembered(store, "t", cells, asked, make)

    assert ask() == ask() == make() and len(made) == 2, "made once, and once here to compare"
    path = store.folder(cells[1].id) / "result.json"
    write_json(path, {})
    ask()
    assert len(made) == 3, "a new result"
    write_json(path, {})
    ask()
    assert len(made) == 4, "the same content written again"
    ask("fwiou")
    assert len(made) == 5, "another question"
    (kept,) = (store.cache / "tables").iterdir()
    kept.write_text("{")
    assert ask("fwiou") and len(made) == 6, "a damaged file"


def test_a_plan_of_many_cells_reads_the_store_once(tmp_path: Path) -> None:
    cells, store = made_suite(tmp_path, SUITE)
    write_json(store.open_cell(cells[0]) / "trained.json", {})
    weights = Trained(store)
    assert [describe(cell, store, weights)[1] for cell in cells] == [
        "is scored anew from the weights of a cell trained alike", "trains from the first step", "trains from the first step",
    ]  # fmt: skip


@pytest.mark.slow
def test_many_cells_are_listed_and_ranked_quickly(tmp_path: Path, repository: Path) -> None:
    """The short form of `tests/faults/many_cells.py`: a tenth of the cells, with a limit for a busy machine."""
    script = repository / "tests" / "faults" / "many_cells.py"
    asked = [sys.executable, str(script), "--cells", "1000", "--limit-s", "5", "--store", str(tmp_path)]
    done = subprocess.run(asked, env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count("median") == 3, done.stdout + done.stderr

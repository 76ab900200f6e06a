"""The job array of a suite: its tasks, its script as bash reads it, and a task run with a scheduler's part played here."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cell import Cell
from bench.errors import BenchError
from bench.expand import expand
from bench.slurm import Request, script, tasks
from bench.suite import load_suite
from tests.faults.stores import FEW, command, environment

PRINTS = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}
STAGED = """\
models:
  a: {name: fcn, backbone: small, width: 4, stride: 32}
  b: {name: fcn, backbone: small, width: 4, stride: 16, init_from: a}
  c: {name: fcn, backbone: small, width: 4, stride: 8, init_from: b}
  d: {name: fcn, backbone: small, width: 4, stride: 8, init_from: a, dropout: 0.1}
  e: {name: unet, width: 2}
matrix: {dataset: phantom, model: [d, c, b, a, e]}
"""


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    (tmp_path / "x.yaml").write_text(STAGED)
    return [cell.seen(PRINTS) for cell in expand(load_suite(tmp_path / "x.yaml"))]


def labels(cells: list[Cell], made: list[list[str]]) -> list[str]:
    names = {cell.id: cell.model_label for cell in cells}
    return ["".join(names[each] for each in task) for task in made]


def test_a_chain_is_one_task_and_what_must_wait_comes_last(cells: list[Cell]) -> None:
    assert sorted(labels(cells, tasks(cells))) == ["ad", "bc", "e"], (
        "d follows a; b and what follows it wait, or train a themselves"
    )
    assert labels(cells, tasks(cells))[-1] == "bc"
    left = [cell for cell in cells if cell.model_label != "a"]
    assert sorted(labels(cells, tasks(left))) == ["bc", "d", "e"], "what starts from a finished cell starts at once"


def test_more_cells_than_tasks_share_them(cells: list[Cell]) -> None:
    made = tasks(cells, most=2)
    assert len(made) == 2 and sorted(each for task in made for each in task) == sorted(cell.id for cell in cells)


def test_the_directives_say_what_was_asked_for() -> None:
    request = Request("gpu", None, "1-00:00:00", 2, 8, "32G", 4, 90, ("qos=long",))
    lines = request.directives("my suite; rm -rf", 40)
    assert lines == [
        "#SBATCH --job-name=my-suite-rm--rf", "#SBATCH --array=0-39%4", "#SBATCH --partition=gpu", "#SBATCH --time=1-00:00:00",
        "#SBATCH --gpus=2", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=32G", "#SBATCH --signal=B:USR1@90", "#SBATCH --qos=long",
        "#SBATCH --requeue", "#SBATCH --open-mode=append",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["gpu; rm", "a b", "a\n#SBATCH --x=y", "$(id)", ""])
def test_a_value_that_a_directive_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(BenchError, match="--partition"):
        Request(partition=value).directives("x", 1)
    with pytest.raises(BenchError):
        Request(more=(value,)).directives("x", 1)


class Scheduler:
    """A folder whose name no shell likes, and a `scontrol` that notes what it is told."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "it's $HOME; `id` here"
        (root / "bin").mkdir()
        self.folder.mkdir()
        self.told = root / "told"
        (root / "bin/scontrol").write_text(f'#!/bin/sh\necho "$@" >> "{self.told}"\n')
        (root / "bin/scontrol").chmod(0o755)
        self.path = f"{root / 'bin'}:{os.environ['PATH']}"

    def bench(self, *arguments: object, code: int = 0) -> str:
        line = command(*arguments)
        done = subprocess.run(line, cwd=self.folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stderr

    def start(self, file: str, task: int) -> "subprocess.Popen[str]":
        place = {"PATH": self.path, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_JOB_ID": "9"}
        spool = self.folder.parent / "slurm_script"  # Slurm runs a copy
        spool.write_bytes((self.folder / file).read_bytes())
        return subprocess.Popen(["bash", str(spool)], cwd="/", env=environment() | place, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def scheduler(tmp_path: Path) -> Scheduler:
    made = Scheduler(tmp_path)
    (made.folder / "few.yaml").write_text(FEW)
    return made


def test_bash_reads_the_script_and_the_cells_lie_beside_it(scheduler: Scheduler) -> None:
    words = scheduler.bench("slurm", "few.yaml", "--out", "night.sbatch", "--store", "my runs")
    assert "night.sbatch: 2 cells in 2 tasks" in words and "sbatch night.sbatch" in words
    subprocess.run(["bash", "-n", "night.sbatch"], cwd=scheduler.folder, check=True)
    listed = (scheduler.folder / "night.sbatch.cells").read_text().splitlines()
    assert len(listed) == 2 and not (scheduler.folder / "my runs").exists()
    outside = scheduler.start("night.sbatch", 2)
    assert "no cells for task 2" in outside.communicate()[1] and outside.returncode == 2
    assert "--time a b" in scheduler.bench("slurm", "few.yaml", "--time", "a b", code=2)
    assert "cannot be written" in scheduler.bench("slurm", "few.yaml", "--out", "nowhere/x", code=2)
    assert "Did you mean" in scheduler.bench("slurm", "few.yaml", "--set", "train.stepz=1", code=2)


@pytest.mark.slow
def test_a_task_whose_time_ends_saves_is_requeued_and_goes_on(scheduler: Scheduler) -> None:
    longer = ("--set", "train.steps=200", "--set", "matrix.model=[unet]")
    scheduler.bench("slurm", "few.yaml", *longer, "--store", "runs")
    runs = scheduler.folder / "runs"
    task = scheduler.start("few.sbatch", 0)
    wait_for(lambda: any("loss" in path.read_text() for path in runs.glob("cells/*/curve.jsonl")))
    task.send_signal(signal.SIGUSR1)
    words = task.communicate(timeout=60)[1]
    assert task.returncode == 75, words
    assert scheduler.told.read_text() == "requeue 7_0\n" and not list(runs.glob("cells/*/result.json"))
    assert list(runs.glob("cells/*/last.pt")) and not list((runs / "claims").iterdir())
    early = scheduler.start("few.sbatch", 0)
    wait_for(lambda: b"bench" in b"".join(arguments(pid) for pid in children(early.pid)))
    early.send_signal(signal.SIGUSR1)
    early.communicate(timeout=60)
    assert early.returncode == 75, "a signal before Python can listen is no failure"
    again = scheduler.start("few.sbatch", 0)
    words = again.communicate(timeout=120)[1]
    assert again.returncode == 0 and len(list(runs.glob("cells/*/result.json"))) == 1, words
    assert scheduler.told.read_text() == "requeue 7_0\n" * 2
    assert "Nothing to do" in scheduler.bench("slurm", "few.yaml", *longer, "--store", "runs")


@pytest.mark.slow
def test_a_cell_that_fails_is_the_tasks_exit_code_and_the_next_one_runs(scheduler: Scheduler) -> None:
    hot = FEW + "overrides:\n- {when: {model: fcn}, set: {train.lr: 1.0e+30, train.optimizer: sgd}}\n"
    (scheduler.folder / "few.yaml").write_text(hot)
    scheduler.bench("slurm", "few.yaml", "--max-tasks", "1", "--store", "runs")
    task = scheduler.start("few.sbatch", 0)
    words = task.communicate(timeout=120)[1]
    assert task.returncode == 3 and "diverged" in words and not scheduler.told.exists()
    assert len(list((scheduler.folder / "runs").glob("cells/*/result.json"))) == 1


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_for(happened: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_names_are_quoted_in_the_script(tmp_path: Path) -> None:
    text = script("x", tmp_path / "a 'b", tmp_path / "c d", [["1"]], ["bench", "run", "$(touch /tmp/no)"], Request())
    assert "'$(touch /tmp/no)'" in text and """/a '"'"'b'""" in text

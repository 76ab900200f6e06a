"""One cell over two processes on a CPU, from the command line to its files: finished, stopped, killed, failed, refused."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from bench.cell import Cell
from bench.drive import Options, place
from bench.errors import BenchError
from bench.expand import expand
from bench.job import Job
from bench.runners import local
from bench.runners.local import ranks_on
from bench.runners.process import Machine
from bench.store import Store
from bench.suite import load_suite
from tests.faults.stores import command, environment, files, scores

OFF = ("--tracking", "off", "--threads", "2")
TWO = """\
name: two
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 7}
models:
  unet: {name: unet, width: 4, depth: 2, norm: none}
augmentations:
  some: {flip: 0.5, scale: [0.8, 1.25], colour: 0.1}
matrix:
  dataset: [small]
  model: [unet]
  augmentation: [some]
train: {steps: 12, batch: 4, optimizer: adamw, lr: 0.003, val_every: 4, devices: 2}
eval: {batch: 2, keep_predictions: true}
profile: {size: [32, 32], batch: 1, warmup: 0, rounds: 1}
"""
FAULTY = """
import os, signal, time
from torch import nn

class Net(nn.Conv2d):
    output_stride, margin = 1, 0

    def __init__(self, num_classes, fault):
        super().__init__(3, num_classes, 3, padding=1)
        self.fault, self.steps = fault, 0

    def forward(self, images):
        self.steps += self.training
        if self.training and self.steps == 4 and os.environ.get("RANK") == "1":
            if self.fault == "killed" and not os.path.exists("killed"):
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "memory":
                raise MemoryError("no more of it")
            if self.fault == "hang":
                time.sleep(1000)
        return super().forward(images)
"""


def run(folder: Path, *arguments: object, code: int = 0) -> str:
    """What `bench` said on standard error."""
    line = command(*arguments)
    done = subprocess.run(line, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def wait_for(happened: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def ranks_below(folder: Path) -> list[int]:
    """The ranks that work in a folder, whoever their parents are by now."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if b"bench.runners.rank" in (each / "cmdline").read_bytes() and (each / "cwd").readlink() == folder:
                found.append(int(each.name))
        except OSError:
            continue
    return found


def there(folder: Path, name: str) -> list[Path]:
    return list((folder / "runs").glob(f"cells/*/{name}"))


def texts(folder: Path) -> str:
    """The logs of all cells."""
    return "".join(each.read_text() for each in there(folder, "log.txt"))


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "two.yaml").write_text(TWO)
    return tmp_path / "two.yaml"


def with_faults(folder: Path, *faults: str) -> Path:
    (folder / "faulty.py").write_text(FAULTY)
    models = "\n".join(f"  {fault}: {{name: 'faulty:Net', options: {{fault: {fault}}}}}" for fault in faults)
    text = TWO.replace(TWO[TWO.index("  unet:") : TWO.index("augmentations:")], models + "\n")
    (folder / "faulty.yaml").write_text(text.replace("[unet]", f"[{', '.join(faults)}]"))
    return folder / "faulty.yaml"


@pytest.mark.slow
def test_a_cell_over_two_processes_leaves_what_a_cell_leaves(suite: Path, tmp_path: Path) -> None:
    run(tmp_path, "run", suite, *OFF)
    run(tmp_path, "run", suite, *OFF, "--set", "train.devices=1", "--store", "one")
    (two,), (one,) = ([*(tmp_path / store / "cells").iterdir()] for store in ("runs", "one"))
    assert two.name != one.name and {each.name for each in two.iterdir()} == {each.name for each in one.iterdir()}
    made = [json.loads((folder / "result.json").read_text()) for folder in (two, one)]
    assert made[0]["data"]["devices"] == 2 and "devices" not in made[1]["data"]
    assert made[0]["data"]["test_images"] == 7 and made[0]["profile"]["images_per_s"] > 0
    curves = [[json.loads(line).get("loss") for line in (folder / "curve.jsonl").read_text().splitlines()] for folder in (two, one)]
    losses = [[loss for loss in curve if loss is not None] for curve in curves]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and len(losses[0]) == 12
    names = [ZipFile(folder / "predictions.zip").namelist() for folder in (two, one)]
    assert names[0] == names[1] and len(names[0]) == 7
    # Other scores of the same label maps need no second process.
    log = (two / "log.txt").read_text()
    assert "2 ranks on cpu" in log and "Nothing to do" in run(tmp_path, "run", suite, *OFF)
    run(tmp_path, "run", suite, *OFF, "--set", "eval.boundary_ratio=0.1")
    (again,) = set((tmp_path / "runs/cells").iterdir()) - {two}
    assert "scored from the label maps" in (again / "log.txt").read_text()
    assert "ranks on" not in (again / "log.txt").read_text()
    with np.load(again / "per_image.npz") as new, np.load(two / "per_image.npz") as old:
        assert (new["counts"] == old["counts"]).all(), "seven images, counted by two processes and by one"


@pytest.mark.slow
def test_stopped_ranks_have_saved_and_go_on_to_the_same_numbers(suite: Path, tmp_path: Path) -> None:
    longer = ("two.yaml", *OFF, "--set", "train.steps=200", "--set", "train.val_every=90", "--checkpoint-every", "0")
    codes = {}
    for whom in ("driver", "rank", "cell -9"):
        begun, before = time.time(), texts(tmp_path).count("stopped after step")
        process = subprocess.Popen(command("run", *longer), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
        wait_for(lambda begun=begun: any(each.stat().st_mtime > begun for each in there(tmp_path, "last.pt")))
        if whom == "driver":
            process.send_signal(signal.SIGUSR1)
        elif whom == "rank":
            os.kill(ranks_below(tmp_path)[0], signal.SIGTERM)
        else:
            os.kill(int(texts(tmp_path).split("process ")[-1].split(",")[0]), signal.SIGKILL)
        process.communicate(timeout=60)
        codes[whom] = process.returncode, texts(tmp_path).count("stopped after step") - before
        wait_for(lambda: not ranks_below(tmp_path), 5)
        assert there(tmp_path, "last.pt")
    assert codes == {"driver": (75, 1), "rank": (75, 1), "cell -9": (3, 0)}
    run(tmp_path, "run", *longer)
    run(tmp_path, "run", *longer, "--store", "whole")
    assert scores(tmp_path / "runs") == scores(tmp_path / "whole") and files(tmp_path / "runs") == files(tmp_path / "whole")


@pytest.mark.slow
def test_a_rank_that_breaks_is_the_cells_cause(tmp_path: Path) -> None:
    path = with_faults(tmp_path, "killed", "memory", "hang")
    words = run(tmp_path, "run", path, *OFF, "--allow-plugins", "--timeout", 25, code=3)
    store = Store(tmp_path / "runs")
    folders = {store.cell(each.name).model_label: each for each in (tmp_path / "runs/cells").iterdir()}
    failures = {label: store.failure(folder.name) for label, folder in folders.items()}
    assert {label: each and each.cause for label, each in failures.items()} == {
        "killed": "crashed", "memory": "oom", "hang": "timeout",
    }  # fmt: skip
    assert "rank 1 of 2 was ended by SIGKILL" in words and "no more of it (peak" in words and "raise train.devices" in words
    assert failures["killed"] and "torch" in failures["killed"].traceback, "the end of the log"
    assert "faulty.py" in (folders["hang"] / "log.txt").read_text(), "the log says where it hung"
    assert not ranks_below(tmp_path)
    run(tmp_path, "run", path, *OFF, "--allow-plugins", "--set", "matrix.model=[killed]")
    assert store.state(folders["killed"].name) == "finished"


@pytest.mark.slow
def test_what_cannot_be_shared_is_refused_before_anything_runs(suite: Path, tmp_path: Path) -> None:
    words = run(tmp_path, "run", suite, *OFF, "--set", "model.norm=batch", code=2)
    assert "two.yaml:5: models.unet: train.devices is 2, and batch normalisation" in words and "norm: none" in words
    assert "this machine has cpu" in run(tmp_path, "run", suite, *OFF, "--device", "cuda:0", code=2)
    assert not list((tmp_path / "runs").glob("cells/*"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.batch=5"], "batch is 5, which 2 devices cannot share evenly; set batch to 4 or 6, or devices to 1"),
        (
            ["train.batch=6", "train.devices=4"],
            "batch is 6, which 4 devices cannot share evenly; set batch to 4 or 8, or devices to 3",
        ),
        (["train.batch=1"], "set batch to 2, or devices to 1"),
        (["train.on_oom=accumulate"], "on_oom is 'accumulate' and devices is above 1"),
    ],
)
def test_a_batch_that_devices_cannot_share_is_told_with_the_nearest(suite: Path, settings: list[str], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        expand(load_suite(suite, settings))


def test_ids_know_of_devices_only_where_there_are_several(suite: Path) -> None:
    ids = {}
    for devices in (1, 2):
        (cell,) = expand(load_suite(suite, [f"train.devices={devices}"]))
        parts = cell.seen({"train": "a", "val": "b", "test": "c"}).parts["train"]["train"]
        ids[devices] = parts.get("devices")
        assert parts["batch"] == 4
    assert ids == {1: None, 2: 2}


def test_ranks_take_different_gpus_or_one_cpu_or_wait() -> None:
    assert ranks_on(1, ["cuda:1", "cuda:0"]) == ["cuda:1"]
    assert ranks_on(2, ["cuda:0", "cuda:0", "cuda:1"]) == ["cuda:0", "cuda:1"]
    assert ranks_on(2, ["cuda:0", "cuda:0"]) == [] == ranks_on(2, ["cuda:0", "cpu"])
    assert ranks_on(4, ["cpu", "cpu"]) == ["cpu"]


def test_a_shared_cell_waits_for_its_gpus_and_gives_them_back(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        """Ends at the second look, and has taken what its job says."""

        pid = 0
        waitable: tuple[object, ...] = ()

        def __init__(self, job: Job) -> None:
            self.job, self.looks = job, 0

        def ended(self) -> bool:
            self.looks += 1
            return self.looks > 1

        def messages(self) -> list[dict[str, object]]:
            return []

        def outcome(self) -> tuple[str, dict[str, object]]:
            return "finished", {}

    monkeypatch.setattr("bench.runners.local.CellProcess", Process)
    made = {seeds: _cells(suite, seeds, devices) for seeds, devices in (("[0, 1]", 1), ("[2]", 2), ("[3]", 1))}
    jobs = [Job(cell, tmp_path, {}) for cells in made.values() for cell in cells]
    lengths = {0: 9.0, 1: 8.0, 2: 7.0, 3: 6.0}
    began, ended = [], []

    def note(kind: str, job: Job, details: dict[str, object]) -> None:
        if kind == "start":
            began.append((job.cell.seed, details["device"], job.devices, len(ended)))
        if kind == "finished":
            ended.append(job.cell.seed)

    local.run(jobs, devices=["cuda:0", "cuda:1"], on_event=note, stopping=lambda: 0, seconds=lambda job: lengths[job.cell.seed])
    assert [each[:3] for each in began[:2]] == [(0, "cuda:0", ()), (1, "cuda:1", ())]
    assert began[2][0] == 2 and sorted(began[2][2]) == ["cuda:0", "cuda:1"] and began[2][3] == 2, "it had both to itself"
    assert began[3][0] == 3 and began[3][3] == 3, "and nothing went before it"


def _cells(suite: Path, seeds: str, devices: int) -> list[Cell]:
    found = expand(load_suite(suite, [f"matrix.seed={seeds}", f"train.devices={devices}"]))
    return [cell.seen({"train": "a", "val": "b", "test": "c"}) for cell in found]


def test_a_cell_for_more_gpus_than_there_are_is_refused(suite: Path, tmp_path: Path) -> None:
    cells, machine = _cells(suite, "[0]", 4), Machine({"cuda:0": "A", "cuda:1": "A", "cpu": "C"}, {})
    with pytest.raises(BenchError, match=r"train\.devices is 4, so it needs .* this machine has cuda:0, cuda:1"):
        place(Options(tmp_path, None), machine, cells)
    cells = _cells(suite, "[0]", 2)
    with pytest.raises(BenchError, match=r"--device names cuda:0"):
        place(Options(tmp_path, None, devices=("cuda:0",), slots=2), machine, cells)
    assert place(Options(tmp_path, None), machine, cells) == ["cuda:0", "cuda:1"]
    assert place(Options(tmp_path, None, devices=("cpu",)), machine, cells) == ["cpu"]


@pytest.mark.gpu
@pytest.mark.slow
def test_two_gpus_train_a_network_with_batch_normalisation_like_one(suite: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("there are no two GPUs")
    normed = ("two.yaml", "--tracking", "off", "--set", "model.norm=batch")
    run(tmp_path, "run", *normed, "--device", "cuda:0", "--device", "cuda:1")
    run(tmp_path, "run", *normed, "--device", "cuda:0", "--set", "train.devices=1", "--store", "one")
    curves = [next((tmp_path / store).glob("cells/*/curve.jsonl")).read_text().splitlines() for store in ("runs", "one")]
    losses = [[line["loss"] for line in map(json.loads, curve) if "loss" in line] for curve in curves]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)

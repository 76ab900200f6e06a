"""What a night brings, brought about: each fault ends in the state that docs/cluster.md promises. Long forms: tests/faults/."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.store import Store
from tests.faults import drivers, kills
from tests.faults.proxy import proxy
from tests.faults.stores import FEW, command, environment, files, scores

pytestmark = pytest.mark.slow
OFF = ("--tracking", "off", "--threads", "1")
FAULTY = """
import os, signal, time
import torch
from torch import nn

class Net(nn.Conv2d):
    output_stride, margin = 1, 0

    def __init__(self, num_classes, fault):
        super().__init__(3, num_classes, 3, padding=1)
        self.fault, self.steps = fault, 0

    def forward(self, images):
        self.steps += self.training
        if self.training and self.steps == 4:
            if self.fault == "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.fault == "memory":
                raise MemoryError("no more of it")
            if self.fault == "hang":
                time.sleep(1000)
            if self.fault == "nan":
                return super().forward(images) * float("nan")
        if self.fault == "large" and self.training and len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much")
        return super().forward(images)
"""

JUMPING = """
import itertools, time
true, jumps = time.time, itertools.cycle([0, 3600, -3600])
time.time = lambda: true() + next(jumps)
"""


def run(folder: Path, *arguments: object, code: int | None = 0, timeout: float = 300) -> str:
    """What `bench` said on standard error."""
    line = command(*arguments)
    done = subprocess.run(line, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=timeout)
    assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def wait_for(happened: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def faulty(folder: Path, *faults: str, more: str = "") -> Path:
    (folder / "faulty.py").write_text(FAULTY)
    models = "\n".join(f"  {fault}: {{name: 'faulty:Net', options: {{fault: {fault}}}}}" for fault in faults)
    text = FEW.replace(FEW[FEW.index("  fcn:") : FEW.index("matrix:")], models + "\n").replace(
        "[fcn, unet]", f"[{', '.join(faults)}]"
    )
    (folder / "faulty.yaml").write_text(text + more)
    return folder / "faulty.yaml"


def test_kill_minus_nine_loses_nothing(tmp_path: Path) -> None:
    assert kills.main(tmp_path, 8, longest_s=6.0).total() == 8


def test_several_drivers_split_the_work(tmp_path: Path) -> None:
    drivers.main(tmp_path, 3, 3)


def test_a_cell_that_breaks_has_its_cause_and_the_others_finish(tmp_path: Path) -> None:
    path = faulty(tmp_path, "segfault", "memory", "nan", "hang", "none")
    words = run(tmp_path, "run", path, *OFF, "--allow-plugins", "--timeout", 20, code=3)
    store = Store(tmp_path / "runs")
    folders = {store.cell(each.name).model_label: each for each in (tmp_path / "runs/cells").iterdir()}
    failures = {label: store.failure(folder.name) for label, folder in folders.items()}
    causes = {label: failure and failure.cause for label, failure in failures.items()}
    assert causes == {"segfault": "crashed", "memory": "oom", "nan": "diverged", "hang": "timeout", "none": None}
    assert "no end of stage 'train' after 20 s (--timeout)" in words
    assert "time.sleep" not in words and "faulty.py" in (folders["hang"] / "log.txt").read_text(), "the log says where it hung"
    assert "peak" in failures["memory"].message and "on_oom: accumulate" in failures["memory"].message  # type: ignore[union-attr]
    assert store.state(folders["none"].name) == "finished"
    again = run(tmp_path, "run", path, *OFF, "--allow-plugins", code=3)
    began = [line.split()[1] for line in again.splitlines() if line.startswith("start")]
    assert began == ["segfault"], "the others would end the same way"


def test_a_batch_that_does_not_fit_is_accumulated_and_the_result_says_so(tmp_path: Path) -> None:
    path = faulty(tmp_path, "large", "none", more="overrides:\n- {when: {model: large}, set: {train.on_oom: accumulate}}\n")
    words = run(tmp_path, "run", path, *OFF, "--allow-plugins")
    assert "note     large · small · seed 0: step 1: out of memory; goes on with batches of 4 in 2 parts, accumulated" in words
    made = {
        result["cell"]["labels"]["model"]: result
        for result in map(json.loads, (p.read_text() for p in (tmp_path / "runs").glob("cells/*/result.json")))
    }
    assert made["large"]["data"]["accumulated"] == {"parts": 2, "since_step": 1} and "accumulated" not in made["none"]["data"]
    words = run(tmp_path, "plan", path, "--allow-plugins", "--measure", "--set", "train.on_oom=fail")
    assert "1 of 1 cells that are left: out of memory" in words
    (tmp_path / "few.yaml").write_text(FEW)
    words = run(tmp_path, "run", "few.yaml", *OFF, "--set", "train.on_oom=accumulate", code=2)
    assert "train.on_oom: accumulate would change the batch statistics" in words and len(words.splitlines()) <= 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["SIGTERM", "SIGUSR1"])
def test_preemption_saves_within_the_step_and_asks_to_be_run_again(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    longer = ("few.yaml", *OFF, "--set", "train.steps=400", "--set", "matrix.model=[unet]")
    process = subprocess.Popen(command("run", *longer), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any("loss" in path.read_text() for path in (tmp_path / "runs").glob("cells/*/curve.jsonl")))
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 75 and "Go on with: bench run" in words
    (folder,) = (tmp_path / "runs/cells").iterdir()
    assert (folder / "last.pt").exists() and "stopped after step" in (folder / "log.txt").read_text()
    assert not list((tmp_path / "runs/claims").iterdir())
    # The newest checkpoint is then cut off: the log says so, and the numbers stay.
    run(tmp_path, "run", *longer, "--store", "whole")
    (folder / "previous.pt").unlink(missing_ok=True)
    (folder / "last.pt").write_bytes((folder / "last.pt").read_bytes()[:1000])
    run(tmp_path, "run", *longer)
    assert "last.pt is damaged" in (folder / "log.txt").read_text()
    assert scores(tmp_path / "runs") == scores(tmp_path / "whole")


@pytest.mark.gpu
def test_on_a_gpu_a_deterministic_cell_goes_on_to_the_bits_of_an_undisturbed_one(tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    (tmp_path / "few.yaml").write_text(FEW)
    line = ("few.yaml", *OFF, "--device", "cuda:0", "--set", "train.deterministic=true", "--set", "train.steps=1500")
    process = subprocess.Popen(command("run", *line), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any("loss" in path.read_text() for path in (tmp_path / "runs").glob("cells/*/curve.jsonl")))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    run(tmp_path, "run", *line)
    run(tmp_path, "run", *line, "--store", "whole")
    assert scores(tmp_path / "runs") == scores(tmp_path / "whole")


def test_a_cache_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    one = ("few.yaml", *OFF, "--set", "matrix.model=[unet]")
    run(tmp_path, "run", *one, "--set", "eval.boundary_ratio=0.1")
    (pixels,) = (tmp_path / "runs/cache").glob("phantom-train-*/pixels.u8")
    whole = pixels.read_bytes()
    pixels.write_bytes(whole[:500])
    assert "prepared small train: 8 images" in run(tmp_path, "run", *one)
    assert pixels.read_bytes() == whole


def test_a_clock_that_jumps_by_an_hour_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPING)  # in every process of the run
    (tmp_path / "few.yaml").write_text(FEW)
    one = ("few.yaml", *OFF, "--checkpoint-every", 0, "--timeout", 100, "--set", "matrix.model=[unet]")
    words = run(tmp_path, "run", *one)
    (folder,) = (tmp_path / "runs/cells").iterdir()
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert max(line["time"] for line in lines) - min(line["time"] for line in lines) > 1800, "it did jump"
    spans = [*json.loads((folder / "result.json").read_text())["seconds"].values(), *(line["seconds"] for line in lines)]
    assert all(0 <= span < 100 for span in spans) and "note" not in words and not list((tmp_path / "runs/claims").iterdir())


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_the_run_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    wide = ("few.yaml", *OFF, "--checkpoint-every", 0, "--set", "matrix.model=[unet]", "--set", "model.width=16")
    run(tmp_path, "run", *wide, "--store", "whole")
    with small_disk(tmp_path / "disk", 3500) as disk:
        words = run(tmp_path, "run", *wide, "--store", disk / "runs", code=2)
        assert "cannot be written: No space left on device" in words and "goes on from the last checkpoints" in words
        assert not list((disk / "runs").glob("cells/*/result.json")) and not list((disk / "runs").glob("cells/*/failed.json"))
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        run(tmp_path, "run", *wide, "--store", disk / "runs")
        assert scores(disk / "runs") == scores(tmp_path / "whole") and files(disk / "runs") == files(tmp_path / "whole")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        words = run(tmp_path, "run", *wide, "--set", "train.lr=0.1", "--store", disk / "runs", code=2)
        assert "cannot be written: Read-only file system" in words and len(words.splitlines()) == 1


def test_an_mlflow_server_that_goes_away_and_comes_back_ends_up_with_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    server = serve(tmp_path, port)
    try:
        line = command("run", "few.yaml", "--threads", "1", "--tracking-uri", uri, "--set", "matrix.seed=[0, 1]")
        driver = subprocess.Popen(line, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
        wait_for(lambda: list((tmp_path / "runs").glob("cells/*/mlflow.json")))
        stop(server)
        wait_for(lambda: sum(1 for _ in (tmp_path / "runs").glob("cells/*/result.json")) >= 3)
        _, words = driver.communicate(timeout=200)
        assert driver.returncode == 0, words
        server = serve(tmp_path, port)
        settings = ("few.yaml", "--tracking-uri", uri, "--set", "matrix.seed=[0, 1]")
        run(tmp_path, "sync", *settings)
        drivers.check_mirror(tmp_path / "runs", uri)
        assert "0 of 4 cells sent" in run(tmp_path, "sync", *settings)
        drivers.check_mirror(tmp_path / "runs", uri)
        for key in ("BACKOFF_FACTOR", "BACKOFF_JITTER"):
            monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{key}", "0")
        goes_slow_and_answers_500(tmp_path, port, monkeypatch)
    finally:
        stop(server)


def goes_slow_and_answers_500(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another suite, through a proxy: half of what it sends is refused, then heard twice and answered too late, then taken."""
    (folder / "other.yaml").write_text(FEW.replace("name: few", "name: other"))
    settings, cells = ("other.yaml", "--store", "between"), folder / "between/cells"
    with proxy(port) as between:
        told, asked = ("--tracking-uri", between.uri), list[str]()
        sent = ("runs/create", "log-batch")
        between.fails = lambda line: line.endswith(sent) and (asked.append(line) or len(asked) > 3)
        words = run(folder, "run", *settings, *told, "--threads", "1")
        assert words.count("MLflow was not brought up to date") == 1 and len(asked) > 3
        assert len(list(cells.glob("*/result.json"))) == 2 and not list(cells.glob("*/failed.json"))
        between.fails = lambda line: False
        asked.clear()
        between.slow_s = lambda line: 10.0 * (line.endswith("runs/create") and not asked.append(line))
        with monkeypatch.context() as patience:
            patience.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
            words = run(folder, "sync", *settings, *told, code=2)
        assert len(words.splitlines()) == 1 and "No result is lost; sync again later" in words and len(asked) > 1
        between.slow_s = lambda line: 0.0
        run(folder, "sync", *settings, *told)
        drivers.check_mirror(folder / "between", between.uri, "other")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """A real MLflow server on loopback, once it answers."""
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    line += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(line, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True)

    def answers() -> bool:
        assert server.poll() is None, (folder / "server.log").read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(answers)
    return server


def stop(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

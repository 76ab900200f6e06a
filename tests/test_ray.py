"""Cells on a Ray cluster that is really started, on loopback; long forms: tests/faults/ray_cluster.py."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import checkpoint
from bench.claims import Watch
from bench.errors import BenchError
from bench.expand import expand
from bench.job import Job
from bench.runners import Cluster as Where
from bench.runners import desk, parcel, runner
from bench.store import Store
from bench.suite import load_suite
from tests.faults import ray_cluster
from tests.faults.clusters import Cluster, can_hide, cluster
from tests.faults.stores import FEW, command, environment, scores
from tests.test_faults import FAULTY

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'stridebench[ray]'")
needs_mount = pytest.mark.skipif(not can_hide(), reason="hiding the store from a node takes the right to mount")
PRINTS = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}


def bench(folder: Path, *arguments: object, code: int = 0, timeout: float = 200) -> str:
    line = command(*arguments)
    done = subprocess.run(
        line, cwd=folder, env=environment(folder) | ray_cluster.QUIET, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == code and "Traceback" not in done.stderr, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr


def wait_for(happened: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_a_runner_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runners.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"ray is not installed. pip install 'stridebench\[ray\]'"):
        runner("ray")
    with pytest.raises(BenchError, match="Did you mean 'ray'"):
        runner("rayy")
    assert runner("local") == "bench.runners.local:run"


@needs_ray
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--gpus-per-cell", "0.5"], "--gpus-per-cell is for a Ray cluster; add --runner ray"),
        (["--runner", "ray", "--slots", "2"], "--slots is for this machine"),
        (["--runner", "ray", "--device", "cpu"], "--device is for this machine"),
        (["--runner", "ray", "--gpus-per-cell", "1.5"], "a part of one GPU, or whole ones"),
        (["--runner", "slurm"], "--runner slurm: expected local or ray"),
    ],
)
def test_options_of_the_other_kind_of_run_are_refused(tmp_path: Path, flags: list[str], expected: str) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    words = bench(tmp_path, "run", "few.yaml", *flags, code=2)
    assert expected in words and len(words.splitlines()) == 1 and not (tmp_path / "runs").exists()


def job_of(folder: Path) -> Job:
    (folder / "few.yaml").write_text(FEW)
    cell = expand(load_suite(folder / "few.yaml"))[0].seen(PRINTS)
    store = Store(folder / "runs")
    store.writable()
    return Job(cell, store.root, {})


def fill(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_folder_follows_its_sender_and_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    assert (parcel.LAST, parcel.PREVIOUS, parcel.FINAL) == (checkpoint.LAST, checkpoint.PREVIOUS, checkpoint.FINAL)
    there, here = fill(tmp_path / "there", last__pt=b"1", curve__jsonl=b"a", best__pt=b"x"), tmp_path / "here"
    packer = parcel.Packer(there)
    assert packer.saved()
    first = packer.pack()
    assert first is not None and set(first.files) == {"last.pt", "curve.jsonl", "best.pt"}
    parcel.unpack(first, here)
    assert held(here) == held(there) and not packer.saved()
    fill(there, last__pt=b"22", previous__pt=b"1")
    second = packer.pack()
    assert second is not None and set(second.files) == {"last.pt"}, "what has not changed is not sent again"
    parcel.unpack(second, here)
    assert held(here) == held(there), "the one before was there already"
    for name in ("last.pt", "previous.pt", "best.pt"):
        (there / name).unlink()
    fill(there, result__json=b"{}", empty__txt=b"")
    third = packer.pack()
    assert third is not None
    parcel.unpack(third, here)
    assert held(here) == held(there) == {"curve.jsonl": b"a", "result.json": b"{}", "empty.txt": b""}


def test_a_checkpoint_that_is_being_replaced_is_not_sent_with_files_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = fill(tmp_path, curve__jsonl=b"a", last__pt=b"1")
    read, packer = parcel._read, parcel.Packer(there)

    def slow(path: Path) -> object:
        fill(there, last__pt=b"another")
        return read(path)

    monkeypatch.setattr(parcel, "_read", slow)
    assert packer.pack() is None
    monkeypatch.setattr(parcel, "_read", read)
    made = packer.pack()
    assert made is not None and bytes(made.files["last.pt"]) == b"another"


def test_the_desk_holds_the_claim_of_a_cell_elsewhere(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    store, cell_id = Store(job.store), job.cell.id
    fill(store.open_cell(job.cell), last__pt=b"1", failed__json=b"{}")
    job = replace(job, failure_seen=(store.folder(cell_id) / "failed.json").stat().st_mtime_ns)
    here = desk.Desk(job.store)
    state, lent = here.borrow(1, job)
    assert (
        state == "mine" and set(lent[cell_id]) == {"cell.json", "last.pt"} and not (store.folder(cell_id) / "failed.json").exists()
    )
    assert list(Watch(store.claims).look()) == [cell_id] and here.borrow(2, job) == ("busy", {})
    assert here.say(1, [{"step": 1}]) == 0 and here.take() == {1: [{"step": 1}]} and here.take() == {}
    away = fill(tmp_path / "away", last__pt=b"2", cell__json=b"{}")
    sent = parcel.Packer(away).pack()
    assert sent is not None and here.receive(2, cell_id, sent) == ""
    assert (store.folder(cell_id) / "last.pt").read_bytes() == b"1", "it came from an attempt that holds nothing"
    assert here.receive(1, cell_id, sent) == "" and (store.folder(cell_id) / "last.pt").read_bytes() == b"2"
    here.close(1)
    assert not list(store.claims.iterdir()) and here.say(1, []) == 2, "one that comes back is told to end"
    fill(store.folder(cell_id), result__json=b"{}")
    assert here.borrow(3, job)[0] == "finished" and not list(store.claims.iterdir())


@pytest.fixture(scope="module")
def two_slots() -> Iterator[Cluster]:
    with cluster() as made:
        made.add(2)
        yield made


@needs_ray
@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:9", "no Ray cluster answers there"), ("ray://x:1", "expected host:port"), ("x", "or auto")],
)
def test_an_address_where_nobody_listens_is_told_at_once(address: str, expected: str) -> None:
    from bench.runners.ray import connect

    with pytest.raises(BenchError, match=expected):
        connect(Where(address))


@needs_ray
def test_a_cluster_whose_token_is_not_here_is_told_of_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    from bench.runners.ray import connect

    def refuse(**_: object) -> None:
        raise AuthenticationError("no authentication token was found.\nMuch more")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(BenchError) as caught:
        connect(Where(None))
    assert "no authentication token was found." in str(caught.value) and "\n" not in str(caught.value)


@needs_ray
@pytest.mark.slow
def test_what_breaks_on_a_node_has_its_cause_and_bad_input_is_one_line(tmp_path: Path, two_slots: Cluster) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY)
    faults = ("segfault", "memory", "nan", "hang", "none")
    models = "\n".join(f"  {fault}: {{name: 'faulty:Net', options: {{fault: {fault}}}}}" for fault in faults)
    text = FEW.replace(FEW[FEW.index("  fcn:") : FEW.index("matrix:")], models + "\n")
    (tmp_path / "faulty.yaml").write_text(text.replace("[fcn, unet]", f"[{', '.join(faults)}]"))
    on = ("--tracking", "off", "--runner", "ray", "--address", two_slots.address)
    words = bench(tmp_path, "run", "faulty.yaml", *on, "--allow-plugins", "--timeout", 10, code=3)
    store = Store(tmp_path / "runs")
    ids = [path.name for path in (tmp_path / "runs/cells").iterdir()]
    causes = {store.cell(each).model_label: getattr(store.failure(each), "cause", None) for each in ids}
    assert causes == {"segfault": "crashed", "memory": "oom", "nan": "diverged", "hang": "timeout", "none": None}, words
    assert not list((tmp_path / "runs").glob(".seen-*"))
    (tmp_path / "few.yaml").write_text(FEW)
    words = bench(tmp_path, "run", "few.yaml", *on, "--cpus-per-cell", 3, code=2)
    assert "no node of the cluster has the 3 CPUs and 0 GPUs of one cell" in words


@needs_ray
@pytest.mark.slow
def test_a_driver_that_is_stopped_saves_the_cells_and_a_local_one_goes_on(tmp_path: Path, two_slots: Cluster) -> None:
    suite = FEW.replace("steps: 12", "steps: 80").replace("[fcn, unet]", "[fcn, unet]\n  seed: [0, 1]")
    (tmp_path / "few.yaml").write_text(suite)
    driver = ray_cluster.run(tmp_path, two_slots, "few.yaml", "--store", "runs")
    wait_for(lambda: ray_cluster.saved(tmp_path / "runs") >= 2)
    driver.send_signal(signal.SIGTERM)
    _, words = driver.communicate(timeout=60)
    assert driver.returncode == 75 and "Go on with: bench run" in words, words
    assert not list((tmp_path / "runs/claims").iterdir()) and len(list((tmp_path / "runs").glob("cells/*/last.pt"))) == 2
    both = [ray_cluster.run(tmp_path, two_slots, "few.yaml", "--store", "runs")]
    local = command("run", "few.yaml", "--tracking", "off", "--threads", 1, "--store", "runs")
    both.append(subprocess.Popen(local, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True))
    for each in both:
        words = each.communicate(timeout=120)[1]
        assert each.returncode == 0, words
    for log in (tmp_path / "runs").glob("cells/*/log.txt"):
        assert log.read_text().splitlines().count("finished") == 1, "no cell is done twice"
    bench(tmp_path, "run", "few.yaml", "--tracking", "off", "--threads", 1, "--store", "whole")
    assert len(scores(tmp_path / "runs")) == 4 and scores(tmp_path / "runs") == scores(tmp_path / "whole")


def _living(session: int) -> list[str]:
    """The processes of a session that are not dead and only waiting to be noticed."""
    listed = subprocess.run(["ps", "-e", "-o", "sid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == str(session) and line.split()[1][0] != "Z"]


@needs_ray
@pytest.mark.slow
def test_ctrl_c_reaches_a_whole_terminal_and_the_cells_of_a_ray_of_its_own_are_saved(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(FEW.replace("steps: 12", "steps: 4000"))
    line = command("run", "few.yaml", "--tracking", "off", "--checkpoint-every", 0, "--runner", "ray")
    # A session of its own: Ray's processes and the cells hear Ctrl-C as well, as those in front of a terminal do.
    driver = subprocess.Popen(line, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: ray_cluster.saved(tmp_path / "runs") >= 1)
    os.killpg(driver.pid, signal.SIGINT)
    _, words = driver.communicate(timeout=60)
    assert driver.returncode == 75 and words.count("Saving the running cells") == 1 and "Traceback" not in words, words
    logs = [path.read_text().splitlines() for path in (tmp_path / "runs").glob("cells/*/log.txt")]
    assert logs and all(log[-1].startswith("stopped after step") for log in logs)
    assert not list((tmp_path / "runs/claims").iterdir()) and not list((tmp_path / "runs").glob(".seen-*"))
    wait_for(lambda: not _living(driver.pid), 20)


@needs_ray
@needs_mount
@pytest.mark.slow
def test_a_node_that_does_not_see_the_store_is_lost_half_way_and_nothing_else_is(tmp_path: Path) -> None:
    ray_cluster.main(tmp_path, 2, apart=True, steps=400)


@needs_ray
@pytest.mark.slow
def test_eight_slots_are_kept_busy(tmp_path: Path) -> None:
    measured = [ray_cluster.efficiency(tmp_path / str(number)) for number in range(1)]
    while max(each["efficiency"] for each in measured) <= 0.9 and len(measured) < 3:  # two cores may be somebody else's
        measured.append(ray_cluster.efficiency(tmp_path / str(len(measured))))
    assert max(each["efficiency"] for each in measured) > 0.9, json.dumps(measured)

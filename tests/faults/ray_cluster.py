"""A Ray cluster of two nodes on loopback, forty cells, and one node killed half-way: all finish, with the results of a local run.

    python -m tests.faults.ray_cluster FOLDER --seeds 20            # both nodes see the store
    python -m tests.faults.ray_cluster FOLDER --seeds 20 --apart    # neither does: needs the right to mount
    python -m tests.faults.ray_cluster FOLDER --efficiency          # 64 cells of one second on 8 slots

The last runs cells that sleep for a second through the runner's own path: its loop, Ray's placement, the task's talk with the
driver, and the end of each. It leaves out the start of a cell's process, and the scores: those are measured elsewhere.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from bench.expand import expand
from bench.job import Job
from bench.runners import Cluster as Where
from bench.store import Store
from bench.suite import load_suite
from tests.faults.clusters import QUIET, Cluster, cluster
from tests.faults.stores import FEW, command, environment, files, scores

FLAGS = ("--tracking", "off", "--checkpoint-every", "0")


def main(folder: Path, seeds: int, *, apart: bool = False, steps: int = 40) -> dict[str, float]:
    """Run the fault; returns what happened when. Raises AssertionError for anything lost, done twice, or left behind."""
    suite = FEW.replace("steps: 12", f"steps: {steps}").replace("[fcn, unet]", f"[fcn, unet]\n  seed: {list(range(seeds))}")
    (folder / "few.yaml").write_text(suite, encoding="utf-8")
    cells, store = 2 * seeds, folder / "broken"
    subprocess.run(
        command("run", "few.yaml", *FLAGS, "--threads", "1", "--store", "whole"), cwd=folder, env=environment(), check=True
    )
    hidden = store if apart else None
    store.mkdir()
    with cluster() as made:
        made.add(0 if apart else 2)
        made.add(2, hidden)
        if apart:
            made.add(2, hidden)
        doomed = made.nodes[-1]
        began = time.monotonic()
        driver = run(folder, made, "few.yaml", "--store", "broken")
        # three of four slots: whichever node is killed has one that can go on
        _until(lambda: finished(store) >= cells // 2 - 2 and saved(store) >= 3, driver)
        half, killed = time.monotonic(), made.kill(doomed)
        _, words = driver.communicate(timeout=1800)
        end = time.monotonic()
    assert driver.returncode == 0 and "Traceback" not in words, words
    lost = words.count("was lost; the cell goes on")
    assert lost, f"the node had cells when it was killed\n{words}"
    assert finished(store) == cells
    assert scores(store) == scores(folder / "whole"), "results differ"
    for log in store.glob("cells/*/log.txt"):
        assert log.read_text(encoding="utf-8").splitlines().count("finished") == 1, f"{log}: not finished once"
    strays = {name for name in files(store) - files(folder / "whole") if not name.startswith("ceilings")}
    assert not strays, f"left behind: {sorted(strays)}"
    return {"half_s": half - began, "all_s": end - began, "processes_killed": killed, "cells_lost_and_resumed": lost}


def run(folder: Path, made: Cluster, *arguments: object) -> "subprocess.Popen[str]":
    """A driver on the cluster."""
    line = command("run", *arguments, *FLAGS, "--runner", "ray", "--address", made.address)
    return subprocess.Popen(line, cwd=folder, env=environment() | QUIET, stderr=subprocess.PIPE, text=True)


def finished(store: Path) -> int:
    """Cells with a result."""
    return sum(1 for _ in store.glob("cells/*/result.json"))


def saved(store: Path) -> int:
    """Cells that run and have saved something."""
    return sum(1 for path in store.glob("cells/*/last.pt") if not (path.parent / "result.json").exists())


def _until(happened: Any, driver: "subprocess.Popen[str]", seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert driver.poll() is None, f"ended with {driver.returncode}: {driver.communicate()[1]}"
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


class Sleeper:
    """Stands in for `CellProcess`: a cell that takes a second, and the processor none of it."""

    def __init__(self, job: Job) -> None:
        self.job, self.pid = job, 0
        self.said = [{"since": time.monotonic()}]
        self.over, end = Pipe(duplex=False)
        self.waitable = [self.over]
        threading.Timer(1.0, end.close).start()

    def ended(self) -> bool:
        """Whether its second is over."""
        return self.over.poll()

    def messages(self) -> list[dict[str, Any]]:
        """When it began, by the clock that all processes of this machine share."""
        said, self.said = self.said, []
        return said

    def stop(self, *, at_once: bool = False) -> None:
        """It has a second at most to go."""

    def outcome(self) -> tuple[str, dict[str, Any]]:
        """It always finishes."""
        self.over.close()
        return "finished", {}


def efficiency(folder: Path, cells: int = 64, slots: int = 8) -> dict[str, float]:
    """Sleep over slot seconds, from the start of the first cell to the moment when the driver has learnt of the last one's end.

    ``run_s`` is the whole call of the runner, with its desk's start.
    """
    code = f"from tests.faults.ray_cluster import sleepers; sleepers({str(folder)!r}, ADDRESS, {cells}, {slots})"
    with cluster() as made:
        made.add(slots // 2)
        made.add(slots - slots // 2)
        line = [sys.executable, "-c", code.replace("ADDRESS", repr(made.address))]
        done = subprocess.run(line, env=environment() | QUIET, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured: dict[str, float] = json.loads(done.stdout)
    return measured | {"efficiency": cells * 1.0 / (slots * measured["wall_s"])}


def sleepers(folder: str, address: str, cells: int, slots: int) -> None:
    """Print how long so many sleeping cells take on a cluster whose workers have been started before, as they are in a long run."""
    import ray

    from bench.runners.ray import connect, run

    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / "few.yaml").write_text(FEW.replace("[fcn, unet]", f"[unet]\n  seed: {list(range(cells))}"), encoding="utf-8")
    prints = {"train": "1" * 64, "val": "2" * 64, "test": "3" * 64}
    chosen = [cell.seen(prints) for cell in expand(load_suite(Path(folder) / "few.yaml"))]
    where = Where(address)
    since: list[float] = []
    ends: list[float] = []
    connect(where)
    ray.get([ray.remote(num_cpus=1)(_warm).remote() for _ in range(slots)])
    store = Store(Path(folder) / "asleep")
    store.writable()

    def note(kind: str, job: Job, details: dict[str, Any]) -> None:
        ends.append(time.monotonic())
        since.extend([details["since"]] if kind == "report" else [])

    called = time.monotonic()
    outcome = run(
        [Job(cell, store.root, {}) for cell in chosen],
        cluster=where,
        on_event=note,
        stopping=lambda: 0,
        process=Sleeper,
    )
    assert len(outcome) == cells and set(outcome.values()) == {"finished"}
    print(json.dumps({"wall_s": ends[-1] - min(since), "run_s": time.monotonic() - called}))


def _warm() -> None:
    import bench.runners.ray  # noqa: F401

    time.sleep(2)  # long enough that every slot gets one


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--efficiency", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    place = given.folder.resolve()
    print(efficiency(place) if given.efficiency else main(place, given.seeds, apart=given.apart))

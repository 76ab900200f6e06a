"""kill -9 at random moments over ten tiny cells: drivers, fork servers and cells alike, two drivers at a time.

    python -m tests.faults.kills FOLDER --kills 200

At the end every cell has finished once, with the results of an undisturbed run to the bit, and no file is there that the
undisturbed run has not left as well.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults.stores import FEW, command, environment, files, scores

SUITE = FEW.replace("steps: 12", "steps: 40").replace("[fcn, unet]", "[fcn, unet]\n  seed: [0, 1, 2, 3, 4]")
FLAGS = ("--tracking", "off", "--checkpoint-every", "0", "--threads", "1", "--device", "cpu", "--device", "cpu")
KINDS = ("driver", "fork server", "cell", "cell")
"""What is killed, as often as it stands here: a cell is what most of a night consists of."""


def main(folder: Path, kills: int, seed: int = 0, longest_s: float = 6.0) -> Counter[str]:
    """Run the fault; returns how often each kind of process was killed. Raises AssertionError for anything lost."""
    chance = random.Random(seed)
    (folder / "ten.yaml").write_text(SUITE, encoding="utf-8")
    subprocess.run(command("run", "ten.yaml", *FLAGS, "--store", "whole"), cwd=folder, env=environment(), check=True)
    killed: Counter[str] = Counter()
    drivers: list[subprocess.Popen[bytes]] = []
    round_ = 0
    while killed.total() < kills:
        store = folder / f"broken-{round_}"
        while killed.total() < kills and sum(1 for _ in store.glob("cells/*/result.json")) < 10:
            drivers = [each for each in drivers if each.poll() is None]
            while len(drivers) < 2:
                drivers.append(_driver(folder, store))
            if chance.random() < 0.7:  # else whatever there is, which early on are drivers alone
                _await_cells(drivers)
            time.sleep(chance.uniform(0, longest_s) ** 2 / longest_s)  # short waits are the more frequent ones
            there = _targets(drivers)
            if not any(there.values()):
                continue
            kind = chance.choice([each for each in KINDS if there[each]])
            try:
                os.kill(chance.choice(there[kind]), signal.SIGKILL)
                killed[kind] += 1
            except ProcessLookupError:
                continue
        for each in drivers:
            each.wait(timeout=600)
        subprocess.run(command("run", "ten.yaml", *FLAGS, "--store", store), cwd=folder, env=environment(), check=True)
        check(store, folder / "whole")
        round_ += 1
        print(f"{killed.total()} kills, {round_} suites whole", flush=True)
    return killed


def check(store: Path, whole: Path) -> None:
    """Raise AssertionError unless a store is what an undisturbed run left."""
    assert scores(store) == scores(whole), "results differ"
    for log in store.glob("cells/*/log.txt"):
        assert log.read_text(encoding="utf-8").splitlines().count("finished") == 1, f"{log}: not finished once"
    strays = files(store) - files(whole)
    assert not strays, f"left behind: {sorted(strays)}"


def _driver(folder: Path, store: Path) -> "subprocess.Popen[bytes]":
    words = command("run", "ten.yaml", *FLAGS, "--store", store)
    with (folder / "drivers.log").open("ab") as log:
        return subprocess.Popen(words, cwd=folder, env=environment(), stderr=log, stdout=log)


def _await_cells(drivers: "list[subprocess.Popen[bytes]]") -> None:
    """Return once a cell runs, or no driver does any more."""
    while not _targets(drivers)["cell"] and any(each.poll() is None for each in drivers):
        time.sleep(0.05)


def _targets(drivers: "list[subprocess.Popen[bytes]]") -> dict[str, list[int]]:
    """The numbers of all processes there are to kill, by kind."""
    living = [each.pid for each in drivers if each.poll() is None]
    servers = [pid for driver in living for pid in _children(driver) if "forkserver" in _words(pid)]
    return {"driver": living, "fork server": servers, "cell": [pid for server in servers for pid in _children(server)]}


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest-s", type=float, default=6.0, help="Longest wait between two kills.")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(dict(main(given.folder.resolve(), given.kills, given.seed, given.longest_s)))
    sys.exit(0)

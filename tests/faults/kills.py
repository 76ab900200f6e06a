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


def main(folder: Path, kills: int, seed: int = 0, longest_s: float = 12.0) -> Counter[str]:
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
            time.sleep(chance.uniform(0, longest_s) ** 2 / longest_s)  # short waits are the more frequent ones
            kind, pid = chance.choice(_targets(drivers))
            try:
                os.kill(pid, signal.SIGKILL)
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


def _targets(drivers: "list[subprocess.Popen[bytes]]") -> list[tuple[str, int]]:
    """Kind and number of every process there is to kill; a cell thrice, since it is what most of a night consists of."""
    found = [("driver", each.pid) for each in drivers]
    for each in drivers:
        servers = [pid for pid in _children(each.pid) if "forkserver" in _words(pid)]
        found += [("fork server", pid) for pid in servers]
        found += [("cell", pid) for server in servers for pid in _children(server)] * 3
    return found


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
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(dict(main(given.folder.resolve(), given.kills, given.seed)))
    sys.exit(0)

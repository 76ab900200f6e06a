"""Claims: one holder, death frees, clocks decide nothing, and who was only thought dead ends."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench import claims
from bench.claims import Watch, hold

HOLDER = """\
import sys, time
from pathlib import Path
from bench.claims import hold
with hold(Path(sys.argv[1]), "a") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "True\n"
    return process


def elsewhere(folder: Path, beats: int = 0, started: str = "2001-01-01T00:00:00+00:00") -> None:
    """A claim of another machine, whose clock is decades off."""
    words = {"host": "far", "boot": "x", "pids": "x", "pid": 1, "born": 1, "started": started, "beats": beats}
    folder.mkdir(exist_ok=True)
    (folder / "a.1").write_text(json.dumps(words))


def test_one_process_holds_a_cell_and_death_frees_it(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with hold(tmp_path, "a") as mine:
            assert not mine
        owner = Watch(tmp_path).look()["a"]
        assert not owner.dead and f"process {process.pid}" in owner.owner
        process.kill()
        process.wait()
        assert Watch(tmp_path).look()["a"].dead
        with hold(tmp_path, "a") as mine:
            assert mine and not Watch(tmp_path).look()["a"].dead
    assert not list(tmp_path.iterdir()), "what is given back leaves nothing"


def test_a_claim_of_another_machine_is_dead_when_it_has_not_changed_for_a_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    elsewhere(tmp_path)
    watch = Watch(tmp_path)
    for beats in range(1, 4):  # it lives, whatever its clock says
        assert not watch.look()["a"].dead
        now[0] += claims.LEASE_S - 1
        elsewhere(tmp_path, beats)
    assert not watch.look()["a"].dead
    now[0] += claims.LEASE_S + 1
    dead = watch.look()["a"]
    assert dead.dead
    monkeypatch.undo()
    with hold(tmp_path, "a") as mine:
        assert not mine, "nobody has watched it die for this process"
    with hold(tmp_path, "a", dead=dead.text) as mine:
        assert mine and sorted(each.name for each in tmp_path.iterdir()) == ["a.1", "a.2"]
    assert not list(tmp_path.iterdir())


def test_a_claim_that_beat_again_is_not_taken_over(tmp_path: Path) -> None:
    elsewhere(tmp_path, 1)
    text = (tmp_path / "a.1").read_text()
    elsewhere(tmp_path, 2)
    with hold(tmp_path, "a", dead=text) as mine:
        assert not mine


def test_who_was_taken_for_dead_learns_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.02)
    told = threading.Event()
    with hold(tmp_path, "a", lost=told.set) as mine:
        assert mine
        before = (tmp_path / "a.1").read_text()
        time.sleep(0.2)
        assert (tmp_path / "a.1").read_text() != before and not told.is_set()
        (tmp_path / "a.2").write_text("{")  # another's, being written
        assert told.wait(5)
    assert names(tmp_path) == ["a.1", "a.2"], "who holds the highest number removes them all"


def test_of_many_that_take_at_once_one_holds(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from bench.claims import hold; import time\n"
    code += "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
    code += "with hold(Path(sys.argv[1]), 'a') as mine:\n print(mine, flush=True); sys.stdin.read()"
    begin = str(time.time() + 1)
    several = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = [each.stdout.readline().strip() for each in several if each.stdout]
    for each in several:
        each.communicate()
    assert sorted(said) == ["False"] * 5 + ["True"] and not list(tmp_path.iterdir())


def test_dead_claims_on_finished_cells_are_swept(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    Watch(tmp_path).sweep(lambda cell_id: False)
    assert names(tmp_path) == ["a.1"]
    Watch(tmp_path).sweep(lambda cell_id: True)
    assert not names(tmp_path)

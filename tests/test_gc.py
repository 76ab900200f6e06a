"""What `bench gc` frees, and what it never touches."""

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.claims import hold
from bench.cli.app import app
from bench.data.prepare import prepare
from bench.errors import BenchError
from bench.gc import Sizes, free
from bench.litter import IDLE_S, Waste
from bench.store import Store, write_json
from bench.waste import find
from tests.made import ENTRY, SAMPLES, SPEC
from tests.made_results import put
from tests.made_results import suite as made_suite

SUITE = """\
name: made
models:
  coarse: {name: fcn, backbone: small, width: 4, stride: 32}
  fine: {name: fcn, backbone: small, width: 4, stride: 8, init_from: coarse}
matrix: {dataset: [phantom], model: [coarse, fine], seed: [0, 1]}
"""
COUNTS = np.ones((3, 2, 2), np.int64)


@pytest.fixture
def cells(tmp_path: Path) -> list:
    """The four cells of a suite, all finished and with everything a training may leave."""
    cells, store = made_suite(tmp_path, SUITE)
    for cell in cells:
        put(store, cell, COUNTS)
        folder = store.folder(cell.id)
        write_json(folder / "trained.json", {"best": {"step": 8, "score": 0.5}})
        for name, size in (("final.pt", 100), ("best-00000008.pt", 100), ("best-00000004.pt", 30), ("last.pt", 20)):
            (folder / name).write_bytes(b"x" * size)
        (folder / "log.txt").write_text("a log\n")
    return cells


@pytest.fixture
def store(tmp_path: Path, cells: list) -> Store:
    return Store(tmp_path / "runs")


def names(items: list[Waste], kind: str) -> dict[str | None, list[str]]:
    return {item.cell_id: [path.name for path in item.paths] for item in items if item.kind == kind}


def unfinish(store: Store, cell_id: str) -> None:
    (store.folder(cell_id) / "result.json").unlink()


def aged(path: Path) -> Path:
    os.utime(path, (1, path.stat().st_mtime - IDLE_S - 60))
    return path


def test_checkpoints_of_finished_cells_go_and_those_of_others_stay(store: Store, cells: list) -> None:
    unfinish(store, cells[1].id)
    found = find(store)
    assert names(found.items, "checkpoints") == {each.id: ["last.pt", "best-00000004.pt"] for each in cells if each is not cells[1]}
    assert len(found.items) == 3, "no weights, unless they are asked for"
    before = {path for path in store.root.rglob("*") if path.is_file()}
    assert [free(store, item) for item in found.items] == [None] * 3
    gone = before - {path for path in store.root.rglob("*") if path.is_file()}
    assert gone == {path for item in found.items for path in item.paths}
    assert not find(store).items


def test_weights_go_with_their_mark_first_and_never_where_a_cell_needs_them(store: Store, cells: list) -> None:
    weights = names(find(store, weights=True).items, "weights")
    assert weights == {cell.id: ["trained.json", "best-00000008.pt", "final.pt"] for cell in cells}
    coarse, fine = (next(cell for cell in cells if (cell.model_label, cell.seed) == (model, 0)) for model in ("coarse", "fine"))
    unfinish(store, fine.id)
    for name in ("trained.json", "final.pt"):
        (store.folder(fine.id) / name).unlink()
    assert set(weights) - set(names(find(store, weights=True).items, "weights")) == {fine.id, coarse.id}


def test_damaged_sums_need_the_weights_they_are_scored_anew_with(store: Store, cells: list) -> None:
    (store.folder(cells[0].id) / "per_image.npz").write_bytes(b"torn")
    assert cells[0].id not in names(find(store, weights=True).items, "weights")


def test_a_suite_whose_cells_never_began_keeps_its_weights_and_says_so(store: Store, cells: list) -> None:
    absent = replace(cells[0], seed=9)
    store.note_suite("made", Path("made.yaml"), [*cells, absent])
    found = find(store, weights=True)
    assert not names(found.items, "weights") and "suite made: 1 cells never began" in found.notes[0]
    store.note_suite("made", Path("made.yaml"), cells)
    assert len(names(find(store, weights=True).items, "weights")) == 4


def test_a_hard_link_is_room_once_and_only_when_its_last_name_goes(store: Store, cells: list) -> None:
    one, other = (store.folder(cell.id) / "final.pt" for cell in cells[:2])
    other.unlink()
    other.hardlink_to(one)
    items = [Waste("weights", (path,), "", path.parent.name) for path in (one, other)]
    sizes = Sizes(items)
    assert list(sizes.freed_bytes(items).values()) == [100, 0]
    assert list(sizes.freed_bytes(items[1:]).values()) == [0]


def test_what_a_living_claim_holds_is_left(store: Store, cells: list) -> None:
    listed = find(store)
    with hold(store.claims, cells[0].id):
        assert cells[0].id not in {item.cell_id for item in find(store, weights=True, old_cells=True).items}
        (late,) = (item for item in listed.items if item.cell_id == cells[0].id)
        assert free(store, late) == "is being run" and late.paths[0].exists()
    unfinish(store, cells[0].id)
    assert free(store, late) == "is no longer finished" and late.paths[0].exists()


def test_rests_of_dead_processes_go_and_locks_and_files_in_the_making_stay(store: Store, cells: list) -> None:
    folder = store.folder(cells[0].id)
    torn = [folder / ".last.pt.tmp", folder / ".result.json.ab12"]
    (store.root / "suites").mkdir()
    (store.cache / ".phantom-x.tmp").mkdir(parents=True)
    idle = [folder / ".mlflow.json.cd34_6ef", store.root / "suites" / ".made.json.x1234567", store.cache / ".phantom-x.tmp"]
    kept = [
        folder / ".mlflow.lock",
        store.cache / ".phantom-x.lock",
        store.root / ".gitignore",
        store.root / ".costs.json.12345678",
    ]
    for path in (*torn, *idle[:2], *kept):
        path.write_text("x")
    (store.cache / ".phantom-x.tmp" / "pixels.u8").write_text("x")
    for path in (*idle, *kept[:3]):
        aged(path)
    found = [item for item in find(store).items if item.kind == "temporary"]
    assert {path for item in found for path in item.paths} == {*torn, *idle[:2]}, "pixels are being written"
    aged(store.cache / ".phantom-x.tmp" / "pixels.u8")
    found = [item for item in find(store).items if item.kind == "temporary"]
    assert {path for item in found for path in item.paths} == {*torn, *idle}
    assert not any(free(store, item) for item in found) and all(path.exists() for path in kept)
    assert not any(path.exists() for path in (*torn, *idle))


def test_prepared_data_that_no_cell_names_goes(store: Store, cells: list) -> None:
    def made(name: str, fingerprint: str) -> Path:
        return prepare(SAMPLES, ENTRY, SPEC, store.cache / name, fingerprint=fingerprint)

    used, unused, damaged, noted = made("u", "a"), made("n", "other"), made("d", "b"), made("s", "planned")
    (damaged / "index.npz").write_bytes(b"torn")
    store.note_suite("made", Path("made.yaml"), [replace(cells[0], fingerprints={"test": "planned"}, filed=cells[0].id)])
    (store.cache / "fingerprints").mkdir()
    caches = [item for item in find(store).items if item.kind == "cache"]
    assert {item.paths[0] for item in caches} == {unused, damaged}
    with (store.cache / ".n.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert {free(store, item) for item in caches} == {None, "is being prepared"} and unused.exists()
    assert not any(free(store, item) for item in caches) and used.exists() and noted.exists() and not unused.exists()
    (store.folder(cells[0].id) / "cell.json").write_text("{")
    made("n", "other")
    found = find(store)
    assert not [item for item in found.items if item.kind == "cache"] and "not known what is used" in found.notes[0]


def test_cells_of_older_versions_go_only_when_asked_for(store: Store, cells: list) -> None:
    old = store.folder(cells[0].id).rename(store.root / "cells" / ("0" * 12 + "-1111-2222"))
    scored = store.folder(cells[1].id).rename(store.root / "cells" / f"{cells[1].train_id}-1111-2222")
    assert not names(find(store, weights=True).items, "old cell")
    found = find(store, old_cells=True)
    assert names(found.items, "old cell") == {old.name: [old.name]}
    assert scored.name in found.notes[0] and "kept for its weights" in found.notes[0]
    assert free(store, next(item for item in found.items if item.kind == "old cell")) is None and not old.exists()
    assert list(names(find(store, old_cells=True, weights=True).items, "old cell")) == [scored.name]


def test_it_asks_first_and_says_what_was_freed(store: Store, cells: list) -> None:
    call = ["gc", "--store", str(store.root)]
    told = CliRunner().invoke(app, call, input="n\n")
    assert told.exit_code == 1 and "200 B in 4 items could be freed" in told.stderr and "Nothing was freed" in told.stderr
    assert CliRunner().invoke(app, call, input="").exit_code == 1, "nobody is there to ask"
    rows = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert {(row["kind"], row["bytes"], row["freed"]) for row in rows} == {("checkpoints", 50, False)}
    assert (store.folder(cells[0].id) / "last.pt").exists()
    told = CliRunner().invoke(app, [*call, "--weights"], input="y\n")
    assert told.exit_code == 0 and "cannot be scored or profiled anew" in told.stderr and "in 8 items." in told.stderr
    assert not list(store.root.rglob("*.pt")) and len(list(store.root.rglob("result.json"))) == 4
    assert json.loads(CliRunner().invoke(app, [*call, "--json", "--yes"]).stdout) == []
    with pytest.raises(BenchError, match="holds no cells"):
        find(Store(store.root / "nowhere"))
    assert not (store.root / "nowhere").exists()

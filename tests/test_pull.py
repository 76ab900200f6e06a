"""A store rebuilt from an MLflow server, and servers that send what they should not."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Stub
from typing import Any

import numpy as np
import pytest

from bench import pull as pulling
from bench.claims import hold
from bench.errors import BenchError
from bench.per_image import PerImage
from bench.pull import Pulled, pull
from bench.store import Store, write_json
from bench.tracking import ARTIFACTS, CELL_TAG, Mirror
from tests.made_results import put
from tests.made_results import suite as made_suite
from tests.test_run import Bench, bench  # noqa: F401  a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow's own, of the libraries below it."""
SUITE = """\
name: made
matrix: {dataset: [phantom], model: [fcn], seed: [0, 1, 2]}
"""
TRAINED = """\
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  fcn: {name: fcn, backbone: small, width: 4, stride: 8}
matrix: {dataset: [small], model: [fcn], seed: [1, 0]}
train: {steps: 4, batch: 4}
profile: null
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store of two finished cells and a failed one, and the server it was mirrored to."""
    folder = tmp_path_factory.mktemp("served")
    cells, store = made_suite(folder, SUITE)
    for cell in cells[:2]:
        put(store, cell, np.arange(12, dtype=np.int64).reshape(3, 2, 2) + cell.seed)
        (store.folder(cell.id) / "curve.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
        (store.folder(cell.id) / "log.txt").write_text("a log\n")
    failure = {"cell_id": cells[2].id, "cause": "oom", "message": "too large", "finished": "2026-01-01"}
    write_json(store.open_cell(cells[2]) / "failed.json", failure)
    store.note_suite("made", Path("made.yaml"), cells)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mirror = Mirror(store, uri, "made")
    assert all(mirror.sync(cell.id) for cell in reversed(cells))
    return store, uri


@pytest.fixture
def artifact(served: tuple[Store, str]) -> Iterator[Callable[[str], Path]]:
    """The file that the server has of the first cell's artifact; whatever a test does to it is undone."""
    touched: dict[Path, bytes] = {}

    def find(name: str) -> Path:
        first = served[0].suite("made")["cells"][0]  # type: ignore[index]
        specs = served[0].root.glob("mlartifacts/*/artifacts/cell.json")
        path = next(path for path in specs if path.read_bytes() == (served[0].folder(first) / "cell.json").read_bytes())
        touched[path.with_name(name)] = path.with_name(name).read_bytes()
        return path.with_name(name)

    yield find
    for path, content in touched.items():
        path.write_bytes(content)


def content(store: Store) -> dict[str, tuple[bytes, int]]:
    files = (path for path in store.root.rglob("*") if path.is_file())
    return {path.relative_to(store.root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_everything_comes_back_once_and_nothing_is_sent_again(served: tuple[Store, str], tmp_path: Path) -> None:
    source, uri = served
    here = Store(tmp_path / "runs")
    pulled = pull(here, uri, "made")
    assert pulled.outcomes == {"taken": 3} and not pulled.problems
    assert here.suite("made") == source.suite("made"), "in the suite's order, whatever the order of the runs"
    for cell_id in here.suite("made")["cells"]:  # type: ignore[index]
        for name in ARTIFACTS:
            files = [store.folder(cell_id) / name for store in (here, source)]
            assert files[0].exists() == files[1].exists()
            assert not files[0].exists() or files[0].read_bytes() == files[1].read_bytes()
    before = content(here)
    assert pull(here, uri, "made").outcomes == {"here already": 3}
    mirror = Mirror(here, uri, "made")
    assert not any(mirror.sync(cell_id) for cell_id in here.suite("made")["cells"])  # type: ignore[index]
    after = content(here)
    after.pop(".mlflow.lock")
    assert after == before and not [name for name in before if "/." in name or name.startswith(".")]


def test_what_is_here_is_never_written_over(served: tuple[Store, str], tmp_path: Path) -> None:
    source, uri = served
    here = Store(tmp_path / "runs")
    one, other, failed = source.suite("made")["cells"]  # type: ignore[index]
    shutil.copytree(source.folder(one), here.folder(one))
    (here.folder(one) / "result.json").write_text((source.folder(one) / "result.json").read_text().replace("2026-", "2025-"))
    here.folder(other).mkdir()
    (here.folder(other) / "last.pt").write_bytes(b"a checkpoint")
    before = {name: value for name, value in content(here).items() if name.startswith("cells/")}
    with hold(here.claims, failed):
        assert pull(here, uri, "made").outcomes == {"here already": 1, "kept": 1, "run now": 1}
    assert {name: value for name, value in content(here).items() if name.startswith("cells/")} == before


def test_a_note_that_is_here_is_added_to(served: tuple[Store, str], tmp_path: Path) -> None:
    source, uri = served
    here = Store(tmp_path / "runs")
    write_json(_suites(here) / "made.json", {**source.suite("made"), "cells": ["waiting"], "source": "mine.yaml"})  # type: ignore[dict-item]
    pull(here, uri, "made")
    note = here.suite("made")
    assert note and note["cells"] == ["waiting", *source.suite("made")["cells"]] and note["source"] == "mine.yaml"  # type: ignore[index]


def _suites(store: Store) -> Path:
    (store.root / "suites").mkdir(parents=True)
    return store.root / "suites"


def _changed(path: Path, old: bytes, new: bytes) -> None:
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))


def _summed_otherwise(path: Path) -> None:
    sums = PerImage.read(path)
    counts = sums.counts.copy()
    counts[0] = counts[0].T * 3
    sums = replace(sums, counts=counts)
    sums.write(path)


@pytest.mark.parametrize(
    ("name", "tamper", "expected"),
    [
        ("cell.json", lambda path: _changed(path, b'"seed": 0', b'"seed": 7'), "cell.json: its id is"),
        ("cell.json", lambda path: path.write_text("{}"), "cell.json: not a cell of this version"),
        ("cell.json", lambda path: _changed(path, b'"test": "c"', b'"../x": "c"'), "cell.json: its id is None"),
        ("result.json", lambda path: _changed(path, b'"cell_id": "', b'"cell_id": "../'), "result.json: is that of cell '../"),
        ("result.json", lambda path: _changed(path, b'"seed": 0', b'"seed": 1'), "result.json: holds another spec"),
        ("result.json", lambda path: _changed(path, b'"miou": 0', b'"miou": 1'), "miou"),
        ("result.json", lambda path: path.write_text("[" * 9999), "result.json: cannot be read"),
        ("per_image.npz", _summed_otherwise, "result.json: its mIoU is"),
        ("per_image.npz", lambda path: path.write_bytes(b"none"), "per_image.npz cannot be read"),
        ("suite.json", lambda path: path.write_text('{"contests": 3}'), "suite.json: is no note of a suite"),
    ],
    ids=map(str, range(10)),
)
def test_a_cell_that_was_tampered_with_is_refused_and_the_others_are_taken(
    served: tuple[Store, str],
    artifact: Callable[[str], Path],
    tmp_path: Path,
    name: str,
    tamper: Callable[[Path], Any],
    expected: str,
) -> None:
    here = Store(tmp_path / "runs")
    tamper(artifact(name))
    pulled = pull(here, served[1], "made")
    assert pulled.outcomes == {"taken": 2, "refused": 1}
    (problem,) = pulled.problems
    first = served[0].suite("made")["cells"][0]  # type: ignore[index]
    assert expected in problem and f"cell {first!r} was not taken over" in problem and ".pull." not in problem
    assert here.state(first) == "new" and not here.folder(first).exists()


def test_a_server_that_is_not_there_is_not_made(served: tuple[Store, str], tmp_path: Path) -> None:
    for uri in (f"sqlite:///{tmp_path}/typo.db", f"file://{tmp_path}/typo", f"{tmp_path}/typo"):
        with pytest.raises(BenchError, match=r"typo(\.db)? is not there"):
            pull(Store(tmp_path / "runs"), uri, "made")
    with pytest.raises(BenchError, match=r"no experiment 'mad'\. Did you mean 'made'"):
        pull(Store(tmp_path / "runs"), served[1], "mad")
    with pytest.raises(BenchError, match="is no name of a suite"):
        pull(Store(tmp_path / "runs"), served[1], "../made")
    assert not list(tmp_path.iterdir())


class Hostile:
    """A server whose runs are named, and whose files are, as it likes."""

    def __init__(self, tag: str, make: Callable[[Path], object] = Path.touch) -> None:
        self.tag, self.make, self.asked = tag, make, list[str]()

    def get_experiment_by_name(self, name: str) -> Stub:
        return Stub(lifecycle_stage="active", experiment_id="1")

    def search_runs(self, *_: object, **__: object) -> Any:
        class Page(list):  # type: ignore[type-arg]
            token = None

        return Page([Stub(data=Stub(tags={CELL_TAG: self.tag}), info=Stub(run_id="run"))])

    def list_artifacts(self, run: str) -> list[Stub]:
        return [Stub(path=name, is_dir=False) for name in ("../../../out", "/out", "other.txt", "cell.json", "failed.json")]

    def download_artifacts(self, run: str, name: str, folder: str) -> None:
        self.asked.append(name)
        self.make(Path(folder) / name)


@pytest.mark.parametrize("tag", ["../../out", "/out", "a" * 12 + "-1111-1111\n", "A" * 12 + "-1111-1111", "", "x" * 500])
def test_a_tag_that_is_no_id_names_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    server = Hostile(tag)
    pulled = hostile(server, tmp_path, monkeypatch)
    assert "is no id of a cell" in pulled.problems[0] and not server.asked


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), Path.mkdir, Path.touch])
def test_files_of_fixed_names_alone_are_fetched_and_only_plain_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    server = Hostile("a" * 12 + "-1111-1111", make)
    pulled = hostile(server, tmp_path, monkeypatch)
    assert len(pulled.problems) == 1 and set(server.asked) <= {"cell.json", "failed.json"}


def hostile(server: Hostile, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pulled:
    monkeypatch.setattr(pulling, "connect", lambda uri: server)
    store = Store(folder / "deep" / "runs")
    pulled = pull(store, "http://127.0.0.1:9", "made")
    assert pulled.outcomes == {"refused": 1}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"deep/runs/suites/made.json"}, "nothing but the note, of no cells"
    return pulled


@pytest.mark.slow
def test_a_leaderboard_is_the_same_from_a_pulled_store(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "s.yaml").write_text(TRAINED)
    bench("run", "s.yaml")
    uri = "sqlite:///runs/mlflow.db"
    assert "2 taken" in bench("pull", "s.yaml", "--tracking-uri", uri, "--store", "other").stderr
    boards = [bench("leaderboard", "s.yaml", "--json", "--store", store).stdout for store in ("runs", "other")]
    assert boards[0] == boards[1] and len(json.loads(boards[0])) == 1
    notes = [(tmp_path / store / "suites" / "s.json").read_bytes() for store in ("runs", "other")]
    assert notes[0] == notes[1]
    assert "0 of 2 cells sent" in bench("sync", "s.yaml", "--tracking-uri", uri, "--store", "other").stderr

"""`reports/gpu.py`: what a limited call leaves, what goes back to a fresh machine, and what is published of it."""

import importlib
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from bench.errors import BenchError
from bench.store import Store


@pytest.fixture
def gpu(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "reports"))
    return importlib.import_module("gpu")


@pytest.fixture
def half(repository: Path, tmp_path: Path) -> Store:
    """A store of the quickstart in which one cell has not finished, and one keeps its weights."""
    root = tmp_path / "half"
    shutil.copytree(repository / "reports" / "quickstart" / "store", root)
    one, other, *_ = sorted((root / "cells").iterdir())
    (one / "result.json").unlink()
    (other / "final.pt").write_bytes(b"weights")
    return Store(root)


def test_a_command_is_interrupted_when_its_time_is_up_and_killed_if_it_will_not_end(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpu.run_until([sys.executable, "-c", "raise SystemExit(3)"], 30) == 3
    saves = "import pathlib, sys, time\ntry:\n pathlib.Path(sys.argv[1]).touch(); time.sleep(60)\n"
    saves += "except KeyboardInterrupt:\n pathlib.Path(sys.argv[1]).write_text('saved'); sys.exit(int(sys.argv[2]))"
    begin = time.monotonic()
    assert gpu.run_until([sys.executable, "-c", saves, str(tmp_path / "mark"), "75"], 4) == 75
    assert (tmp_path / "mark").read_text() == "saved" and time.monotonic() - begin < 40
    assert gpu.run_until([sys.executable, "-c", saves, str(tmp_path / "mark"), "0"], 4) == 0  # all was done in the meantime
    monkeypatch.setattr(gpu, "GRACE_S", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    assert gpu.run_until([sys.executable, "-c", deaf], 2) == 75 and time.monotonic() - begin < 60


def test_finished_cells_come_back_without_weights_and_go_to_a_fresh_machine(gpu: ModuleType, half: Store, tmp_path: Path) -> None:
    out, fresh = tmp_path / "out", Store(tmp_path / "fresh")
    assert gpu.collect(half, "quickstart", out) == (9, 10)
    assert gpu.collect(half, "quickstart", out) == (9, 10)  # over what an earlier call has left
    assert not list(out.rglob("*.pt")) and len(list((out / "quickstart").iterdir())) == 1
    assert gpu.restore(out, fresh.root) == 9 and gpu.restore(out, fresh.root) == 0
    cells = half.suite("quickstart")["cells"]
    assert sorted(cell for cell in cells if fresh.state(cell) == "finished") == sorted(
        cell for cell in cells if half.state(cell) == "finished"
    )
    assert (fresh.root / "cells" / cells[-1] / "per_image.npz").read_bytes() == half.folder(cells[-1]).joinpath(
        "per_image.npz"
    ).read_bytes()


def test_a_suite_is_published_when_all_its_cells_have_ended(
    gpu: ModuleType,
    half: Store,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, reports = tmp_path / "out", tmp_path / "reports"
    gpu.collect(half, "quickstart", out)
    assert gpu.publish_all(out, reports) == 75 and not reports.exists()
    assert capsys.readouterr().out == "quickstart: 1 cells have no result yet, so it is not published\n"
    published = repository / "reports" / "quickstart"
    shutil.copytree(published / "store", out / "quickstart" / "store", dirs_exist_ok=True)
    monkeypatch.setattr(gpu, "TABLES", {"csv": "csv"})  # `test_reports` makes all of them
    monkeypatch.setattr(gpu, "FIGURES", ("svg",))
    assert gpu.publish_all(out, reports) == 0
    made = reports / "quickstart"
    for name in ("table.csv", "README.md", "figures/stride.svg"):
        assert (made / name).exists()
    assert (made / "table.csv").read_bytes() == (published / "table.csv").read_bytes()
    assert (made / "README.md").read_bytes() == (published / "README.md").read_bytes()
    with pytest.raises(BenchError, match="holds no SUITE/store"):
        gpu.publish_all(tmp_path / "nothing", reports)


def test_a_report_that_cannot_be_made_leaves_nothing_half_written(
    gpu: ModuleType, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(repository / "reports" / "quickstart" / "store")
    monkeypatch.setattr(gpu, "TABLES", {"xls": "xls"})
    with pytest.raises(BenchError, match="xls was not written: bench: --format xls: unknown format"):
        gpu.publish_one(store, "quickstart", tmp_path / "quickstart")
    assert list(tmp_path.iterdir()) == []


def test_paths_are_from_where_the_caller_stands_and_a_rehearsal_lies_apart(
    gpu: ModuleType, half: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    half.root.rename(tmp_path / "smoke")
    gpu.collect(Store(tmp_path / "smoke"), "quickstart", tmp_path / "kept" / "smoke")
    commands: list[list[str]] = []
    monkeypatch.setattr(gpu, "run_until", lambda words, seconds: commands.append(words) or 0)
    Path("mine.yaml").touch()
    given = ["--suite", "quickstart", "mine.yaml", "--data-root", "data", "--store", "fresh", "--out", "out", "--from", "kept"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", "run", *given, "--smoke"])
    assert gpu.main() == 0
    assert [words[4] for words in commands] == ["quickstart", str(tmp_path / "mine.yaml")]
    assert str(tmp_path / "fresh") in commands[0] and str(tmp_path / "data") in commands[0]
    # Nothing was left to run, and what was put back has gone on to the next folder.
    assert len(list(Path("out/smoke/quickstart/store/cells").glob("*/result.json"))) == 9
    with pytest.raises(BenchError, match="holds no SUITE/store"):
        gpu.publish_all(tmp_path / "out", tmp_path / "reports")

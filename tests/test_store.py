"""The store: whole files or none, states, and clear words for what cannot be read."""

import json
import os
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.store import Failure, Store, clear_torn, write_json, write_whole


def failure(cell_id: str) -> dict:
    return Failure(cell_id=cell_id, cause="oom", message="too large", finished="2026-01-01T00:00:00+00:00").model_dump()


def test_a_state_is_what_lies_in_the_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.folder("a")
    assert store.state("a") == "new"
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text("{}")
    assert store.state("a") == "new"
    (folder / "previous.pt").touch()
    assert store.state("a") == "started"
    write_json(folder / "failed.json", failure("a"))
    assert store.state("a") == "failed"
    (folder / "result.json").touch()
    assert store.state("a") == "finished"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1} and [each.name for each in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "cannot be read"),
        ("[]", "not a failure"),
        ('{"cause": 3}', "not a failure"),
        ('{"schema_version": 99}', "written by a newer version (schema 99, this one reads 1); update stridebench"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str, expected: str) -> None:
    store = Store(tmp_path)
    store.folder("a").mkdir(parents=True)
    (store.folder("a") / "failed.json").write_text(content)
    with pytest.raises(BenchError) as caught:
        store.failure("a")
    assert expected in str(caught.value) and "failed.json" in str(caught.value)


def test_a_cell_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("abc-1", "abd-1"):
        store.folder(name).mkdir(parents=True)
    assert store.find("abc") == "abc-1"
    with pytest.raises(BenchError, match="could be 2 cells"):
        store.find("ab")
    for prefix in ("x", "", "../.."):
        with pytest.raises(BenchError, match="no cell"):
            store.find(prefix)


def test_a_result_that_was_cut_off_is_seen_without_reading_all_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder("a").mkdir(parents=True)
    path = store.folder("a") / "result.json"
    write_json(path, {"metrics": {"miou": 0.5}})
    assert store.looks_whole("a")
    for content in (path.read_bytes()[:-5], b"", b"\0" * 40):
        path.write_bytes(content)
        assert not store.looks_whole("a")


def test_what_a_kill_left_half_written_is_cleared(tmp_path: Path) -> None:
    for name in (".last.pt.tmp", ".result.json.abc", ".mlflow.lock", "last.pt"):
        (tmp_path / name).touch()
    clear_torn(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".mlflow.lock", "last.pt"]


def test_a_link_and_a_device_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    write_whole(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()


def test_a_pipe_in_a_results_place_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "cells" / "abc").mkdir(parents=True)
    os.mkfifo(tmp_path / "cells" / "abc" / "result.json")
    with pytest.raises(BenchError, match="is no file"):
        Store(tmp_path).result("abc")

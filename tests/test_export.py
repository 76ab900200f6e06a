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
from bench.layout import split_names
from bench.leaderboard import Row, collect, rank
from bench.plan import describe
from bench.scored import sound
from bench.store import Failure, Result, Store, write_json
from bench.stored import ranked
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
    band = float(np.mean(bands[..., 0].sum(0) / bands[..., 1].sum(0)))
    speed = {"device": "CPU: X", "precision": "fp32", "height_px": 9, "width_px": 9, "batch": 2, "threads": threads}
    made = Result(
        cell_id=cell.id, cell=cell.to_json(), metrics={"miou": miou, "boundary_iou": band}, per_class={}, chosen={},
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


@pytest.mark.parametrize("text", ["=1+1", "+x", "-5", "@sum", "\t=1", "\r=1", "\n=1", "＝1"])
def test_text_that_a_spreadsheet_would_run_is_inert_in_csv(text: str) -> None:
    table = Table(titles=["x"], lines=[], records=[{text: text, "n": -0.5, "ids": [text, "b"], "none": None}])
    head, line = csv.reader(io.StringIO(WRITERS["csv"](table)))
    shown = text.replace("\r", "\n")
    assert head[0] == line[0] == f"'{shown}" and line[1:] == ["-0.5", f"'{shown} b", ""]


def test_a_carriage_return_begins_no_line_of_a_csv() -> None:
    table = Table(titles=["x"], lines=[], records=[{"x": "a\r=1"}])
    assert WRITERS["csv"](table) == 'x\n"a\n=1"\n'


def test_the_published_tables_are_written_to_the_byte(repository: Path) -> None:
    store = Store(repository / "reports" / "quickstart" / "store")
    assert FORMATS["csv"](ranked(store, "quickstart")[0]) == (repository / "reports" / "quickstart" / "table.csv").read_text()


@pytest.mark.parametrize(
    ("block", "key", "value", "told"),
    [
        ("metrics", "miou", 0.8, "says miou 0.8, and its own sums in per_image.npz give 0.8"),
        ("metrics", "boundary_iou", None, "says boundary_iou none, and its own sums in per_image.npz give 0.7"),
        ("metrics", "fwiou", 0.5, "says fwiou 0.5, and"),
        ("metrics", "davis_f", 0.5, "says davis_f 0.5, and its own sums in per_image.npz give none"),
        ("metrics", "miou", 1e308, "metrics.miou is 1e+308, and a score is in"),
        ("profile", "images_per_s", 1e308, "profile.images_per_s is no number"),
        ("profile", "flops", 10**400, "profile.flops is no number"),
        ("per_class", "iou", {"a": 0.5, "b": 0.5}, "says iou of a 0.5, and"),
        ("per_class", "iou", {"a": 0.5}, "has the iou of 1 classes, and per_image.npz has the sums of 2"),
        ("data", "test_images", 120, "says that 120 images were scored, and per_image.npz has the sums of 30"),
    ],
)
def test_a_result_that_its_own_sums_deny_is_refused(
    rows: list[Row], tmp_path: Path, block: str, key: str, value: object, told: str
) -> None:
    store = Store(tmp_path / "runs")
    for cell in reversed(rows[0].cells):  # a row has a score where all its seeds have
        path = store.folder(cell.id) / "result.json"
        data = json.loads(path.read_text())
        data[block][key] = value
        path.write_text(json.dumps(data) + "\n")
    with pytest.raises(BenchError) as caught:
        rank(collect([cell for row in rows for cell in row.cells], store), store, metric="davis_f" if key == "davis_f" else "miou")
    assert told in str(caught.value) and str(path) in str(caught.value)
    assert ("bench rescore SUITE" in str(caught.value)) == (block != "profile")
    assert not sound(store, rows[0].cells[0].id) and sound(store, rows[1].cells[0].id)  # what `bench rescore` takes up


@pytest.mark.parametrize("cut", [0, 1, 30, 400, None], ids=str)
def test_sums_that_are_cut_off_or_gone_are_damage_before_they_are_read(rows: list[Row], tmp_path: Path, cut: int | None) -> None:
    store, cell = Store(tmp_path / "runs"), rows[0].cells[0]
    path = store.folder(cell.id) / "per_image.npz"
    assert describe(cell, store)[0] == "finished"
    content = path.read_bytes()
    path.unlink()
    if cut is not None:
        path.write_bytes(content[: len(content) - cut])
    state, why = describe(cell, store)
    assert state == ("finished" if cut == 0 else "damaged")
    assert cut == 0 or (
        f"{path} cannot be read: it is {'missing' if cut is None else 'cut off'}." in why and "bench rescore" in why
    )


def test_names_that_name_nothing_or_twice_are_told(rows: list[Row]) -> None:
    for given, told in ((",", "names nothing"), ("", "names nothing"), ("poor,poor", "poor is given twice")):
        with pytest.raises(BenchError, match=told):
            split_names([given], rows)
    assert split_names(["poor, hot"], rows) == ("poor", "hot")

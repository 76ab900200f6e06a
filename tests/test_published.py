"""Published scores beside rows: pass, fail, not run, and what a reader must know of them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.expand import expand
from bench.export import FORMATS, footnotes
from bench.leaderboard import Row, collect, rank
from bench.published import beside
from bench.suite import load_suite
from tests.made_results import put, suite

SUITE = """\
models:
  good: {name: unet, width: 4}
  near: {name: unet, width: 5}
  far: {name: unet, width: 6}
  other: {name: unet, width: 7}
matrix: {dataset: phantom, model: [good, near, far, other], fraction: [1/2], seed: [0, 1]}
expected:
  - {when: {model: [good, near], fraction: 1/2}, value: 0.80, tolerance: 0.01, source: Somebody 2015}
  - {when: {model: far}, value: 0.80, tolerance: 0.01, source: Somebody 2015, split: seg11valid}
  - {when: {model: good}, metric: pixel_accuracy, value: 0.9, tolerance: 0.02, source: Somebody else}
"""


def counts(score: float) -> np.ndarray:
    """Two classes alike, whose IoU is the score."""
    right = 2000 * score / (1 + score)
    return np.tile(np.array([[right, 1000 - right], [1000 - right, right]]).round().astype(np.int64), (30, 1, 1))


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    cells, store = suite(tmp_path, SUITE)
    for cell in cells:
        score = {"good": 0.805 + 0.01 * cell.seed, "near": 0.795, "far": 0.815, "other": 0.7}[cell.model_label]
        if (cell.model_label, cell.seed) != ("near", 1):
            put(store, cell, counts(score))
    ranked = rank(collect(cells, store), store)
    return beside(ranked, load_suite(tmp_path / "made.yaml"))


def test_a_row_passes_within_the_tolerance_to_either_side(rows: list[Row]) -> None:
    told = {row.cells[0].model_label: {metric: each.text for metric, each in row.published.items()} for row in rows}
    assert told == {
        # Seeds of 80.5 and 81.5 are 81.0 on average, one point off; the made results have no pixel accuracy.
        "good": {"miou": "80.0 ± 1.0 pass", "pixel_accuracy": "90.0 ± 2.0 not run"},
        "near": {"miou": "80.0 ± 1.0 not run"},
        "far": {"miou": "80.0 ± 1.0 fail"},
        "other": {},
    }


def test_every_format_has_them(rows: list[Row]) -> None:
    assert "Published mIoU %" in FORMATS["md"](rows) and "80.0 ± 1.0 fail" in FORMATS["md"](rows)
    assert "Published mIoU \\%" in FORMATS["latex"](rows)
    records = {each["model"]: each for each in csv.DictReader(io.StringIO(FORMATS["csv"](rows)))}
    assert (records["far"]["miou_published"], records["far"]["miou_verdict"], records["other"]["miou_verdict"]) == (
        "0.8",
        "fail",
        "",
    )
    assert records["good"]["miou_published_source"] == "Somebody 2015" and records["good"]["miou_tolerance"] == "0.01"
    assert "published" not in FORMATS["csv"]([row for row in rows if not row.published])


def test_the_table_says_whose_scores_they_are_and_of_which_images(rows: list[Row]) -> None:
    notes = footnotes(rows)
    assert [note for note in notes if "Somebody" in note] == [
        "Published scores with their tolerance: Somebody 2015.",
        "Published scores with their tolerance: Somebody else.",
    ]
    assert "They are of seg11valid, and this table is of test: other images, other scores." in notes


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("model: far}", "model: fra}"), "/x.yaml:9: unknown model 'fra'. Did you mean 'far'?"),
        (("model: far}", "augmentation: none, colour: 1}"), "/x.yaml:9: unknown axis 'colour'"),
        (("model: far}", "seed: 1}"), "/x.yaml:9: a published score is for a row, which has all seeds"),
        (("model: far}", "fraction: 2}"), "/x.yaml:9: fraction: given 2, expected a share"),
        (("model: far}", "train.lr: 1}"), "/x.yaml:9: 'train.lr' is no axis of this matrix"),
        (("metric: pixel_accuracy", "metric: pixel_acuracy"), "Did you mean 'pixel_accuracy' or"),
        (("value: 0.9", "value: 90"), "expected[2].value: given 90, expected less than or equal to 1"),
        (("source: Somebody else", "sourec: x"), "expected[2].sourec: unknown key 'sourec'. Did you mean 'source'?"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    (tmp_path / "x.yaml").write_text(SUITE.replace(*change))
    with pytest.raises(BenchError) as caught:
        expand(load_suite(tmp_path / "x.yaml"))
    assert expected in str(caught.value).replace(str(tmp_path), "")

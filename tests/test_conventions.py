"""Rankings under every convention of mIoU: by brute force, and told when they disagree."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.conventions import by_convention, flips, warnings
from bench.errors import BenchError
from bench.export import FORMATS, cell_text, footnotes, table
from bench.leaderboard import Row, collect, rank
from bench.metrics.dialects import DIALECTS, distinct
from bench.scored import read, statistic
from bench.statistics import bootstrap
from bench.store import Store
from tests.made_results import confusions, put, suite

SUITE = """\
models:
  even: {name: unet, width: 4}
  steep: {name: unet, width: 8}
  poor: {name: fcn, backbone: small}
matrix: {dataset: phantom, model: [even, steep, poor], seed: [0, 1]}
"""


@pytest.fixture
def ranked(tmp_path: Path):
    """`even` is better in the many small images, `steep` in the few large ones, which rule what is summed over the set."""
    cells, store = suite(tmp_path, SUITE)
    rng = np.random.default_rng(0)
    large = np.arange(40) < 4
    truth = rng.integers(20, 40, (40, 7)) * np.where(large, 100, 1)[:, None]
    quality = {"even": np.where(large, 0.7, 0.8), "steep": np.where(large, 0.85, 0.6), "poor": np.full(40, 0.3)}
    for cell in cells:
        put(store, cell, confusions(truth, quality[cell.model_label], rng))

    def call(**options: str) -> list[Row]:
        return rank(collect(cells, store), store, **options)

    return call


def labels(rows: list[Row]) -> list[str]:
    return [row.cells[0].model_label for row in rows]


@pytest.mark.parametrize("name", [name for name in distinct() if name != "per_batch"])
def test_draws_are_the_score_of_the_images_drawn(name: str, tmp_path: Path) -> None:
    """The bootstrap of every convention against its definition on a set of images taken with repetition."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, (2, 12, 4, 4)) * (rng.random((2, 12, 4, 1)) < 0.4) * (rng.random((2, 12, 1, 4)) < 0.6)
    dialect = DIALECTS[name]
    images = np.stack([np.diagonal(counts, axis1=2, axis2=3), counts.sum(3), counts.sum(2)], axis=2)
    tables = np.stack([dialect.sums(seed.astype(float)) for seed in images])
    values = bootstrap([tables], finish=dialect.finish, draws=50, seed=3, seed_noise="own").values[0]
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, 12, (50, 12))
    normal, chi2 = rng.standard_normal((50, 2)), rng.chisquare(1, 50)
    found = np.array([dialect.score(seed) for seed in counts])
    for draw in range(50):
        noise = (normal[draw] - normal[draw].mean()) @ found / 2 * np.sqrt(2 / chi2[draw])
        expected = np.mean([dialect.score(seed[drawn[draw]]) for seed in counts]) + noise
        assert values[draw] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", distinct())
def test_a_ranking_has_the_scores_of_its_convention(name: str, ranked, tmp_path: Path) -> None:
    rows, store = ranked(convention=name), Store(tmp_path / "runs")
    for row in rows:
        counts = [np.load(store.folder(result.cell_id) / "per_image.npz")["counts"] for result in row.results]
        assert row.scores["miou"] == pytest.approx(np.mean([DIALECTS[name].score(each) for each in counts]))
        interval = row.intervals.get("miou")
        assert (interval is None) == (name == "per_batch")
        if interval:
            assert interval.low < row.scores["miou"] < interval.high
    assert rows[0].to_json()["convention"] == name and name in footnotes(rows)[0]
    json.loads(FORMATS["json"](rows))


def test_a_ranking_that_depends_on_the_convention_is_told(ranked) -> None:
    rows = ranked()
    assert labels(rows) == ["steep", "even", "poor"] and [row.rank for row in rows] == [1, 2, 3]
    (flip,) = flips(rows)
    assert (flip.ahead, flip.behind, flip.told_apart) == ("steep", "even", True)
    scores = by_convention(rows)
    assert set(flip.conventions) == {name for name in distinct() if name != "per_batch" and scores[name][1] > scores[name][0]}
    assert {"monai", "nnunet", "smp_micro_imagewise"} <= set(flip.conventions) and "fcn" not in flip.conventions
    (sentence,) = warnings(rows)
    assert sentence.startswith("The ranking depends on the convention of mIoU: under ") and "even is ahead of steep" in sentence
    assert sentence in FORMATS["md"](rows) and table(rows).warnings == [sentence]
    assert labels(ranked(convention="monai")) == ["even", "steep", "poor"]
    assert "steep is ahead of even" in warnings(ranked(convention="monai"))[0]


def test_rows_that_share_a_rank_are_told_of_otherwise(ranked) -> None:
    rows = ranked()
    tied = [Row(**{**row.__dict__, "rank": 1}) for row in rows]
    (sentence,) = warnings(tied)
    assert sentence.startswith("Within shared ranks the order depends on the convention")
    by_boundary = ranked(metric="boundary_iou")
    assert warnings(by_boundary) == [], "only a ranking by mIoU depends on its convention"


def test_agreement_is_not_warned_of(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    rng = np.random.default_rng(0)
    truth = np.full((20, 7), 50)
    for cell in cells:
        accuracy = {"even": 0.9, "steep": 0.7, "poor": 0.4}[cell.model_label]
        put(store, cell, confusions(truth, np.full(20, accuracy), rng))
    assert warnings(rank(collect(cells, store), store)) == []


def test_a_score_that_a_convention_does_not_define_is_absent(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    rng = np.random.default_rng(0)
    for cell in cells:
        truth = np.full((10, 7), 50)
        truth[:, 6] = 0
        counts = confusions(truth, np.full(10, 0.7), rng)
        if cell.model_label == "steep":
            counts[:, :, 0] += counts[:, :, 6]
            counts[:, :, 6] = 0
        put(store, cell, counts)
    rows = rank(collect(cells, store), store, convention="voc_devkit")
    last = rows[-1]
    assert labels([last]) == ["steep"] and last.rank is None and last.scores["miou"] is None and last.status == ""
    assert cell_text(last, "miou") == "–" and json.loads(FORMATS["json"](rows))[-1]["miou_low"] is None
    assert "–: voc_devkit defines no mIoU there." in footnotes(rows)
    boundary = rank(collect(cells, store), store, convention="voc_devkit", metric="boundary_iou")
    assert all(row.rank for row in boundary)
    assert {row.cells[0].model_label for row in boundary if "miou" in row.intervals} == {"even", "poor"}
    json.loads(FORMATS["json"](boundary))


def test_rows_on_other_images_are_ranked_apart(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    rng = np.random.default_rng(0)
    for cell in cells:
        count = 12 if cell.model_label == "poor" else 10
        put(store, cell, confusions(np.full((count, 7), 50), np.full(count, 0.7), rng))
    rows = rank(collect(cells, store), store)
    assert {row.cells[0].model_label: row.rank for row in rows}["poor"] == 1
    put(store, cells[0], confusions(np.full((10, 7), 50), np.full(10, 0.7), rng), ids=[f"other{place}" for place in range(10)])
    with pytest.raises(BenchError, match="scored on different images"):
        rank(collect(cells, store), store)


def test_every_score_of_a_row_is_that_of_the_metrics(ranked, tmp_path: Path) -> None:
    from bench.metrics import scores

    rows, store = ranked(), Store(tmp_path / "runs")
    cell_id = rows[0].results[0].cell_id
    counts = np.load(store.folder(cell_id) / "per_image.npz")["counts"].sum(0)
    for metric in ("fwiou", "pixel_accuracy", "mean_accuracy", "miou"):
        assert statistic(metric).scores([read(store, cell_id)])[0] == pytest.approx(float(getattr(scores, metric)(counts)))


def test_a_share_of_the_ceiling_is_of_fcns_miou_alone(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    ceiling = {"miou": 0.8, "boundary_iou": 0.9, "protocol": "calibrated"}
    for cell in cells:
        put(store, cell, confusions(np.full((8, 7), 50), np.full(8, 0.7), np.random.default_rng(0)), ceiling=ceiling)
    for convention in ("fcn", "mmsegmentation", "monai"):
        rows = rank(collect(cells, store), store, convention=convention)
        plain, noted = rows[0].to_json(), any("% of ceiling: only for FCN's" in note for note in footnotes(rows))
        expected = None if convention == "monai" else pytest.approx(plain["miou"] / 0.8)
        assert plain["miou_of_ceiling"] == expected and noted == (convention == "monai")
        assert plain["boundary_iou_of_ceiling"] == pytest.approx(plain["boundary_iou"] / 0.9)


def test_an_unknown_convention_is_named(ranked) -> None:
    with pytest.raises(BenchError, match=r"unknown convention 'moani'. Did you mean 'monai'\?"):
        ranked(convention="moani")

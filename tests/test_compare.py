"""Two rows side by side, pairs along an axis, the noise floor, and the tables by class, stride and image."""

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import cli
from bench.breakdown import BREAKDOWNS
from bench.compare import compare, differences_of
from bench.comparison_text import as_data, as_text, pairs_table
from bench.contest import contest
from bench.errors import BenchError
from bench.export import footnotes
from bench.leaderboard import Row, collect, on_same_images, rank
from bench.metrics.scores import iou, miou
from bench.names import find_row, names
from bench.noise import floor, repeated, seed_floor
from bench.pairs import pairs_along
from bench.scored import statistic
from bench.statistics import holm
from bench.store import Store
from bench.tables import WRITERS
from tests.made_results import confusions, put, suite

SUITE = """\
models: {fcn: {name: fcn, backbone: small}}
matrix: {dataset: phantom, model: [fcn], seed: [0, 1], model.stride: [32, 16, 8]}
"""
QUALITY = {32: 0.5, 16: 0.7, 8: 0.72}
PAIRS = """\
models: {unet: {name: unet, width: 4}, wide: {name: unet, width: 8}}
augmentations: {flips: {flip: 0.5}}
matrix: {dataset: phantom, model: [unet, wide], seed: [0, 1], augmentation: [none, flips]}
"""


def fill(cells, store: Store, quality, seed: int = 0, train_s: float = 1.0) -> list[Row]:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).integers(10, 200, (30, 7))
    truth[:, 5] //= 9  # a rare class
    for place, cell in enumerate(cells):
        counts = confusions(truth, np.full(30, quality(cell)), rng)
        put(store, cell, counts, stride=getattr(cell.model, "stride", 1), train_s=train_s + place)
    return rank(collect(cells, store), store)


@pytest.fixture
def strides(tmp_path: Path) -> list[Row]:
    cells, store = suite(tmp_path, SUITE)
    return fill(cells, store, lambda cell: QUALITY[cell.model.stride])


@pytest.fixture
def augmented(tmp_path: Path) -> list[Row]:
    cells, store = suite(tmp_path, PAIRS)
    better = {"none": 0.0, "flips": 0.1}
    return fill(cells, store, lambda cell: 0.6 + better[cell.augmentation_label] + 0.01 * cell.seed)


def test_rows_go_by_short_names(strides: list[Row], augmented: list[Row]) -> None:
    assert names(strides) == ["fcn/model.stride=8", "fcn/model.stride=16", "fcn/model.stride=32"]
    assert find_row(strides, "stride=16") is find_row(strides, "fcn/stride=16") is find_row(strides, "model.stride=16")
    assert sorted(names(augmented)) == ["unet/flips", "unet/none", "wide/flips", "wide/none"]
    assert find_row(augmented, "flips/unet").cells[0].augmentation_label == "flips"
    with pytest.raises(BenchError, match=r"'unet' could be 2 rows: unet/flips, unet/none\."):
        find_row(augmented, "unet")
    with pytest.raises(BenchError, match=r"no row 'unet/nune'. Did you mean 'unet/none'"):
        find_row(augmented, "unet/nune")


def test_a_comparison_by_hand(strides: list[Row], tmp_path: Path) -> None:
    a, b = strides[0], strides[2]
    found = compare(a, b, strides)
    by_name = {each.metric: each for each in found.scores}
    score = by_name["miou"]
    assert score.difference == pytest.approx((a.scores["miou"] or 0) - (b.scores["miou"] or 0))
    assert score.low < score.difference < score.high and score.p <= 0.05 and score.p_images is not None and score.p_images < 0.01
    store = Store(tmp_path / "runs")
    counts = [[np.load(store.folder(r.cell_id) / "per_image.npz")["counts"] for r in row.results] for row in (a, b)]
    lead = np.subtract(*(np.mean([miou(seed) for seed in row], axis=0) for row in counts))
    assert found.wins == ((lead > 0).sum(), (lead == 0).sum(), (lead < 0).sum()) and sum(found.wins) == 30
    assert found.images[0][0] == f"image{lead.argmax()}" and found.images[-1][0] == f"image{lead.argmin()}"
    classes = np.subtract(*(np.mean([iou(seed.sum(0)) for seed in row], axis=0) for row in counts))
    listed = {name: one - other for name, one, other in found.classes["miou"]}
    assert [listed[f"class{c}"] for c in range(7)] == pytest.approx(classes)
    assert list(listed.values()) == sorted(listed.values(), reverse=True)
    assert found.specs == [("model.stride", 8, 32)]


def test_equal_models_are_not_told_apart_and_two_seeds_say_how_many_more_it_takes(augmented: list[Row]) -> None:
    one, other = find_row(augmented, "unet/none"), find_row(augmented, "wide/none")
    found = compare(one, other, augmented).scores[0]
    assert found.p > 0.05 and found.low < 0 < found.high
    assert found.seeds is not None and (found.seeds.seeds is None or found.seeds.seeds > 2)
    single = [Row(**{**row.__dict__, "results": row.results[:1], "images": row.images[:1]}) for row in (one, other)]
    alone = compare(single[0], single[1], single).scores[0]
    assert alone.seeds is None and alone.note.startswith("images only")


def test_pairs_differ_in_one_thing_and_share_a_correction(strides: list[Row], augmented: list[Row]) -> None:
    pairs = pairs_along(augmented, ["augmentation"])
    assert sorted((a.cells[0].model_label, a.cells[0].augmentation_label, b.cells[0].augmentation_label) for a, b in pairs) == [
        ("unet", "flips", "none"),
        ("wide", "flips", "none"),
    ]
    found = [each[0] for each in differences_of(pairs, augmented)]
    assert all(each.difference > 0 for each in found)
    assert [each.p_holm for each in found] == pytest.approx(holm([each.p for each in found]))
    alone = compare(*pairs[0], augmented).scores[0]
    assert (alone.p, alone.low, alone.high) == (found[0].p, found[0].low, found[0].high)
    assert len(pairs_along(strides, ["model.stride"])) == 3 and len(pairs_along(augmented, ["augmentation", "model"])) == 6
    with pytest.raises(BenchError, match=r"unknown field 'model.strid'. Did you mean 'model.stride'"):
        pairs_along(strides, ["model.strid"])
    with pytest.raises(BenchError, match=r"--pairs train.lr: no two rows .* differ in that alone. Rows differ in model.stride"):
        pairs_along(strides, ["train.lr"])


def test_rows_on_other_images_are_not_compared(strides: list[Row], augmented: list[Row]) -> None:
    moved = [Row(**{**row.__dict__}) for row in strides[:2]]
    first = moved[1].images[0]
    moved[1].images[0] = replace(first, ids=tuple(f"x{place}" for place in range(30)))
    with pytest.raises(BenchError, match="scored on different images"):
        compare(moved[0], moved[1], moved)
    moved[1].images[:] = [replace(each, areas=each.areas * 4) for each in (first, first)]
    with pytest.raises(BenchError, match="different labels of images with the same ids, such as another size"):
        compare(moved[0], moved[1], moved)
    assert len(on_same_images(moved)) == 2


def test_models_are_permuted_between_the_same_seeds_alone(augmented: list[Row]) -> None:
    one, other = find_row(augmented, "unet/none"), find_row(augmented, "wide/none")
    assert compare(one, other, augmented).scores[0].p_images is not None
    fewer = Row(**{**other.__dict__, "results": other.results[1:], "images": other.images[1:]})
    found = compare(one, fewer, [one, fewer]).scores[0]
    assert found.p_images is None and found.p is not None, "two seeds against one of them"
    alone = Row(**{**one.__dict__, "results": one.results[1:], "images": one.images[1:]})
    assert compare(alone, fewer, [alone, fewer]).scores[0].p_images is not None


def test_other_scores_can_be_compared(augmented: list[Row]) -> None:
    one, other = find_row(augmented, "unet/flips"), find_row(augmented, "wide/none")
    found = compare(one, other, augmented, metrics=("fwiou", "mean_accuracy"))
    assert [each.metric for each in found.scores] == ["fwiou", "mean_accuracy"] and set(found.classes) == {"mean_accuracy"}
    text = "\n".join(part if isinstance(part, str) else WRITERS["md"](part) for part in as_text("a", "b", found))
    assert "fwIoU %" in text and "Accuracy of each class in percent" in text
    score = float(statistic("fwiou").scores(one.images).mean())
    assert found.scores[0].a == pytest.approx(score)


def test_a_row_whose_draws_have_no_score_is_neither_bounded_nor_tested(tmp_path: Path) -> None:
    """One image of ten holds class 6, so a third of the draws miss it, and the devkit's mean is undefined in them."""
    cells, store = suite(tmp_path, SUITE)
    rng = np.random.default_rng(0)
    truth = np.full((10, 7), 50)
    truth[1:, 6] = 0
    for cell in cells:
        counts = confusions(truth, np.full(10, QUALITY[cell.model.stride]), rng)
        counts[1:, :, 0] += counts[1:, :, 6]
        counts[1:, :, 6] = 0
        put(store, cell, counts, stride=cell.model.stride)
    rows = rank(collect(cells, store), store, convention="voc_devkit")
    assert all(row.rank == 1 and "miou" not in row.intervals and row.p_leader is None for row in rows)
    notes = " ".join(footnotes(rows))
    assert "fcn/model.stride=8: 3" in notes and "% of the bootstrap draws have no mIoU, so it has no interval and no test." in notes
    found = compare(rows[0], rows[1], rows)
    assert (found.scores[0].p, found.scores[0].low, found.scores[0].p_images) == (None, None, None) and found.scores[
        1
    ].p is not None
    text = "\n".join(part if isinstance(part, str) else WRITERS["md"](part) for part in as_text("a", "b", found))
    assert "mIoU: – no interval and no test" in text and "mIoU as in voc_devkit" in text
    pairs = pairs_along(rows, ["model.stride"])
    assert "– no interval" in WRITERS["md"](pairs_table(dict.fromkeys(map(id, rows), "x"), pairs, differences_of(pairs, rows)))
    json.dumps(as_data("a", "b", found), allow_nan=False)


def test_an_external_model_has_a_name_and_a_mark_of_its_own(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, PAIRS.replace("[unet, wide]", "[wide, unet]"))
    cells = [cell for cell in cells if cell.augmentation_label == "none"]
    fill(cells, store, lambda cell: 0.6)
    made = contest("phantom", cells[0].dataset, cells[0].eval)
    outsider = replace(made, truth="c").cell("unet", "0" * 64, 4)
    fill([outsider], store, lambda cell: 0.8)
    rows = rank(collect([*cells, outsider], store), store)
    assert names(rows)[0] == "unet/external" and sorted(names(rows)[1:]) == ["unet", "wide"]
    assert find_row(rows, "unet/external") is rows[0] and not find_row(rows, "unet").external
    assert BREAKDOWNS["class"](rows).titles[1] == BREAKDOWNS["convention"](rows).titles[1] == "unet/external †"
    for by in ("class", "convention", "image"):
        table = BREAKDOWNS[by](rows)
        outside = [record for record in table.records if record["external"]]
        assert outside and all(record["augmentation"] is record["fraction"] is record.get("seed") is None for record in outside)
        assert by == "image" or any(note.startswith("† trained elsewhere") for note in table.notes)
    found = compare(rows[0], find_row(rows, "unet"), rows).scores[0]
    assert found.p is not None and found.p_images is None, "no seed against two"


CURVES = {
    "trimap_iou": [width / 100 for width in range(1, 41)],
    "error_by_distance": {"edge_strides": [0.25, 0.5, 0.75, None], "error": [0.8, 0.4, None, 0.1], "share": [0.1, 0.3, 0.0, 0.6]},
    "object_iou": {"side_px": [0, 2, 4], "miou": [None, 0.25, 0.5], "objects": [0, 3, 7], "per_class": {}},
}


def test_curves_are_tables(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    for cell in cells:
        higher = {**CURVES, "trimap_iou": [value + 0.1 * cell.seed for value in CURVES["trimap_iou"]]}
        put(store, cell, np.full((5, 7, 7), 3), stride=cell.model.stride, curves=higher)
    rows = rank(collect(cells, store), store)
    sizes, trimaps, distances = (BREAKDOWNS[by](rows) for by in ("size", "trimap", "distance"))
    assert [line[:3] for line in sizes.lines] == [
        ["2 to 4 px", "3", "25.0"],
        ["4 px and more", "7", "50.0"],
    ]
    assert [line[:2] for line in trimaps.lines][:4] == [["1 px", "6.0"], ["2 px", "7.0"], ["3 px", "8.0"], ["5 px", "10.0"]]
    assert len(trimaps.records) == 3 * 40 and trimaps.records[39]["miou"] == pytest.approx(0.45)
    shown = [line[1] for line in distances.lines]
    assert shown == ["50.0", "–", "–", "–", "–", "–", "10.0"], "(0.8 * 0.1 + 0.4 * 0.3) / 0.4"
    assert len(distances.records) == 3 * 4
    for made in (sizes, trimaps, distances):
        for writer in WRITERS.values():
            assert writer(made)
    bare = [Row(**{**row.__dict__, "results": [each.model_copy(update={"curves": {}}) for each in row.results]}) for row in rows]
    with pytest.raises(BenchError, match="bench rescore SUITE"):
        BREAKDOWNS["size"](bare)


def test_the_noise_floor_is_that_of_repeated_trainings(tmp_path: Path) -> None:
    cells, store = suite(tmp_path, SUITE)
    rows = fill(cells, store, lambda cell: QUALITY[cell.model.stride])
    again = Store(tmp_path / "again")
    fill(cells[:3], again, lambda cell: QUALITY[cell.model.stride] + 0.02, seed=1, train_s=7.5)
    found = repeated(rows, [again])
    assert len(found) == 3 and all(len(each.scores) == 2 for each in found)
    differences = np.array([each.scores[0] - each.scores[1] for each in found])
    assert floor(found).sd == pytest.approx(np.sqrt((differences**2 / 2).sum() / 3))
    assert (between := seed_floor(rows)) is not None and between.repeats == 3
    with pytest.raises(BenchError, match="6 are copies"):
        repeated(rows, [store])
    with pytest.raises(BenchError, match="no cell of this suite was trained again"):
        repeated(rows, [Store(tmp_path / "nowhere")])


def test_classes_are_sorted_by_what_stride_costs_them(strides: list[Row], augmented: list[Row]) -> None:
    records = BREAKDOWNS["stride"](strides).records
    lost = [record["lost"] for record in records]
    assert lost == sorted(lost, reverse=True) and len(records) == 7
    first = records[0]
    assert first["lost"] == pytest.approx(first["stride_8"] - first["stride_32"])
    assert first["family"] == "fcn/model.stride=8 to fcn/model.stride=32"
    with pytest.raises(BenchError, match="no two rows differ in their output stride alone"):
        BREAKDOWNS["stride"](augmented)


def test_tables_by_class_image_and_convention_hold_what_the_results_hold(strides: list[Row]) -> None:
    per_class = BREAKDOWNS["class"](strides)
    assert len(per_class.records) == 3 * 7 and len(per_class.lines) == 7 and len(per_class.titles) == 4
    expected = np.mean([result.per_class["boundary_iou"]["class3"] for result in strides[0].results])
    assert per_class.records[3]["boundary_iou"] == pytest.approx(expected) and per_class.records[3]["class"] == "class3"
    for writer in WRITERS.values():
        assert "class3" in writer(per_class)
    images = list(csv.DictReader(io.StringIO(WRITERS["csv"](BREAKDOWNS["image"](strides)))))
    assert len(images) == 3 * 2 * 30 and {row["seed"] for row in images} == {"0", "1"}
    counts = strides[0].images[0].areas[4]
    assert float(images[4]["pixel_accuracy"]) == pytest.approx(counts[0].sum() / counts[1].sum())
    conventions = BREAKDOWNS["convention"](strides)
    places = [[record["place"] for record in conventions.records if record["convention"] == "fcn"]]
    assert places == [[1, 2, 3]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command line in this process, in a folder with a suite that has run: `bench("compare", ...)` gives code, out, err."""
    cells, store = suite(tmp_path, "name: made\n" + PAIRS)
    from bench.plan import survey

    cells = survey(cells, tmp_path, store).cells
    fill(cells, store, lambda cell: 0.6 + (0.1 if cell.augmentation_label == "flips" else 0.0) + 0.01 * cell.seed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_STORE", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call, [cell.id for cell in cells]


def test_the_commands(bench) -> None:
    call, ids = bench
    code, out, _ = call("compare", "made.yaml", "unet/flips", "unet/none")
    assert code == 0 and "A: unet/flips" in out and "augmentation.flip" in out and "Image by image" in out
    code, out, _ = call("compare", "made.yaml", "unet/flips", "unet/none", "--json", "--convention", "monai")
    data = json.loads(out)
    assert data["convention"] == "monai" and {each["metric"] for each in data["scores"]} == {"miou", "boundary_iou"}
    assert len(data["images"]["miou"]) == 30 and data["differs"] == [{"field": "augmentation.flip", "a": 0.5, "b": 0.0}]
    code, out, _ = call("compare", "made.yaml", "--pairs", "augmentation", "--json")
    assert [each["a"] for each in json.loads(out)] and all(each["scores"][0]["p_holm"] <= 1 for each in json.loads(out))
    code, out, _ = call("compare", "made.yaml", "--pairs", "augmentation", "--metric", "pixel_accuracy")
    assert code == 0 and "Pixel accuracy %: A − B" in out and "mIoU" not in out
    assert call("leaderboard", "made.yaml", "--by", "class", "--metric", "mean_accuracy")[1].count("Accuracy of each class") == 1
    code, out, _ = call("compare", ids[0], ids[2])
    assert code == 0 and "images only" in out
    for by in ("class", "convention"):
        assert call("leaderboard", "made.yaml", "--by", by)[0] == 0
    code, out, _ = call("export", "made.yaml", "--by", "image", "--format", "csv")
    assert out.count("\n") == 1 + 4 * 2 * 30
    code, out, _ = call("leaderboard", "made.yaml", "--convention", "smp_macro", "--json")
    assert {row["convention"] for row in json.loads(out)} == {"smp_macro"}
    code, out, _ = call("list", "conventions", "--json")
    assert len(json.loads(out)) == 15


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compare", "made.yaml"], "bench compare SUITE A B"),
        (["compare", "made.yaml", "unet/none"], "no cell 'made.yaml'"),
        (["compare", "made.yaml", "unet", "wide"], "could be 2 rows"),
        (["compare", "made.yaml", "unet/none", "none/unet"], "are the same"),
        (["compare", "made.yaml", "unet/none", "wide/none", "--metric", "mio"], "unknown score. Did you mean 'miou'?"),
        (["compare", "made.yaml", "a", "--pairs", "augmentation"], "takes a suite alone"),
        (["compare", "made.yaml", "unet/none", "wide/none", "--convention", "per_batch"], "depends on the order"),
        (["leaderboard", "made.yaml", "--convention", "fnc"], "Did you mean 'fcn'?"),
        (["leaderboard", "made.yaml", "--by", "classes"], "Did you mean 'class'?"),
        (["leaderboard", "made.yaml", "--by", "stride"], "no two rows differ in their output stride alone"),
        (["export", "made.yaml", "--by", "image"], "is for programs"),
        (["leaderboard", "made.yaml", "--by", "class", "--metric", "fwiou"], "is not kept for each class"),
        (["noise", "made.yaml", "--repeat", "elsewhere"], "--repeat elsewhere: no such folder"),
        (["noise", "made.yaml", "--repeat", "runs"], "is the suite's own store"),
    ],
)
def test_bad_input_is_one_clear_error(bench, arguments: list[str], expected: str) -> None:
    code, _, err = bench[0](*arguments)
    assert code == 2 and expected in err and len(err.splitlines()) == 1, err

"""Ceilings: maps drawn by hand, numpy and autograd as independent truths, the cache, and the command."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from bench.ceilings import FCN_PAPER, PROTOCOLS, cached, known_labels
from bench.ceilings.calibrate import calibrate
from bench.ceilings.compute import ceilings, cell_ceiling
from bench.ceilings.labels import Labels, labels_of_cache, labels_of_files
from bench.data import DATASETS
from bench.data.cache import open_cache
from bench.data.decode import label_of, resize
from bench.data.prepare import prepare
from bench.data.samples import list_samples
from bench.errors import BenchError
from bench.expand import expand
from bench.metrics import scores
from bench.metrics.ceiling import ceiling_maps, fitting, interpolating
from bench.metrics.confusion import confusion
from bench.models.upsample import Upsample
from bench.specs import DatasetSpec, PhantomSpec
from bench.store import Store
from bench.suite import load_suite

PHANTOM = PhantomSpec(name="phantom", size=(48, 70), test_images=6)


def drawn(*rows: str) -> torch.Tensor:
    """A map from digits, void as a dot."""
    return torch.tensor([[255 if each == "." else int(each) for each in row] for row in rows], dtype=torch.uint8)


def best(labels: torch.Tensor, stride: int, name: str) -> list[str]:
    maps = ceiling_maps(labels, [stride], PROTOCOLS[name])[0]
    return ["".join("." if each == 255 else str(int(each)) for each in row) for row in maps]


def blobs(height: int = 50, width: int = 67, classes: int = 4, void: float = 0.1, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((classes + 1, height, width)), (0, 4, 4))
    maps = noise[:classes].argmax(0).astype(np.uint8)
    maps[noise[classes] > np.quantile(noise[classes], 1 - void)] = 255
    return torch.from_numpy(maps)


def right(labels: torch.Tensor, stride: int, name: str) -> int:
    """Pixels that a protocol gets right."""
    return int((ceiling_maps(labels, [stride], PROTOCOLS[name])[0] == labels).sum())


# ---- protocols by hand

HALF = drawn(*["00011111"] * 8)
"""A border three pixels from the left: in no cell's middle at stride 4."""


def test_nearest_takes_the_pixel_in_the_middle_of_each_cell() -> None:
    assert best(HALF, 4, "nearest") == ["00001111"] * 8  # columns 2 and 6
    assert best(drawn(*["00111111"] * 8), 4, "nearest") == ["11111111"] * 8


def test_majority_takes_the_commonest_class_of_each_cell() -> None:
    assert best(HALF, 4, "majority") == ["00001111"] * 8
    cells = drawn("0011", "0111", "2220", "2200")
    assert best(cells, 2, "majority") == ["0011", "0011", "2200", "2200"]


def test_hard_scores_enlarged_bilinearly_put_the_border_between_two_cells() -> None:
    assert best(HALF, 4, "majority_bilinear") == ["00001111"] * 8
    corner = drawn(*["11110000"] * 4, *["00000000"] * 4)
    # The product of two ramps 7/8, 5/8, 3/8, 1/8 between the middles is above a half, and the corner is rounded.
    assert best(corner, 4, "majority_bilinear")[:4] == ["11110000"] * 2 + ["11110000", "11100000"]


def test_shares_enlarged_bilinearly_move_the_border_towards_its_place() -> None:
    # Class 0 has 3/4 and 0/4 of the cells; columns 2 to 5 score 3/4 * (7/8, 5/8, 3/8, 1/8): above a half up to column 2.
    assert best(HALF, 4, "bilinear") == ["00011111"] * 8


def test_fit_finds_a_straight_border_that_hard_scores_miss() -> None:
    labels = drawn(*["0000000000111111"] * 16)
    assert best(labels, 4, "majority_bilinear") != best(labels, 4, "fit")
    assert best(labels, 4, "fit") == ["0000000000111111"] * 16
    assert best(HALF, 4, "optimised") == ["00011111"] * 8


@pytest.mark.parametrize("name", ["bilinear", "majority", "majority_bilinear"])
def test_void_does_not_vote(name: str) -> None:
    # Void outnumbers class 1 in the second cell, and class 1 is all that is known there.
    assert best(drawn(*["0000...1"] * 4), 4, name)[0] == "00001111"


@pytest.mark.parametrize("name", ["fit", "optimised", "nearest"])
def test_void_that_needs_a_value_takes_the_nearest_label(name: str) -> None:
    # The middle of the void, columns 3 and 4, is where the border lies; the middles of the cells are columns 2 and 6.
    assert best(drawn(*["00....11"] * 8), 4, name)[0] == "00001111"


def test_ties_go_to_the_smaller_class() -> None:
    assert best(drawn("21", "12"), 2, "majority") == ["11", "11"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_labels_constant_in_the_cells_are_reached(name: str) -> None:
    cells = torch.tensor([[0, 1, 2], [2, 2, 0]], dtype=torch.uint8)
    labels = cells.repeat_interleave(5, 0).repeat_interleave(5, 1)
    if PROTOCOLS[name].enlarge == "nearest":
        assert torch.equal(ceiling_maps(labels, [5], PROTOCOLS[name])[0], labels)
    else:  # bilinear enlargement rounds corners, nothing more
        assert right(labels, 5, name) > 0.9 * labels.numel()


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("size", [(50, 67), (1, 1), (1, 9), (64, 32)])
def test_stride_1_is_perfect_and_one_cell_is_allowed(name: str, size: tuple[int, int]) -> None:
    labels = blobs(*size)
    maps = ceiling_maps(labels, [1, 1000], PROTOCOLS[name])
    counts = confusion(maps, labels.expand(2, -1, -1), 4).numpy()
    assert counts[0].sum() == counts[0].diagonal().sum()
    assert len(torch.unique(maps[1])) == 1  # one score a class: one class


@pytest.mark.parametrize("name", PROTOCOLS)
def test_maps_without_labels_or_with_one_class(name: str) -> None:
    void = torch.full((5, 7), 255, dtype=torch.uint8)
    assert torch.equal(ceiling_maps(void, [4], PROTOCOLS[name])[0], void)
    void[2, 3] = 3
    assert (ceiling_maps(void, [4], PROTOCOLS[name]) == 3).all()


# ---- the grid and its enlargement


@pytest.mark.parametrize("stride", [2, 3, 8, 16])
@pytest.mark.parametrize("size", [(32, 48), (50, 67), (5, 9)])
def test_the_enlargement_is_the_models_own(stride: int, size: tuple[int, int]) -> None:
    cells = [-(-side // stride) for side in size]
    coarse = torch.randn(1, 3, *cells, generator=torch.Generator().manual_seed(0))
    ours = interpolating(size[0], stride) @ coarse @ interpolating(size[1], stride).T
    theirs = Upsample(3, stride)(coarse)[..., : size[0], : size[1]]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(40, 8), (67, 16), (33, 32), (9, 128)])
def test_the_fit_is_least_squares(size: int, stride: int) -> None:
    """numpy's pseudo-inverse; and a slope that vanishes where autograd looks."""
    enlarge = interpolating(size, stride)
    assert np.allclose(fitting(size, stride).numpy(), np.linalg.pinv(enlarge.double().numpy()), atol=1e-5)
    plane = torch.rand(size, generator=torch.Generator().manual_seed(0))
    coarse = (fitting(size, stride) @ plane).requires_grad_()
    (slope,) = torch.autograd.grad(((enlarge @ coarse - plane) ** 2).sum(), coarse)
    assert slope.abs().max() < 1e-4


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_order_of_the_protocols(stride: int) -> None:
    labels = blobs(90, 120)
    found = {name: right(labels, stride, name) for name in PROTOCOLS}
    assert found["nearest"] <= found["majority"] < found["bilinear"] < found["fit"] < found["optimised"]


def test_majority_is_the_best_that_repeating_can_do() -> None:
    """Independent count: in each cell the largest class count."""
    labels, stride = blobs(50, 67), 8
    expected = 0
    for y in range(0, 50, stride):
        for x in range(0, 67, stride):
            values = labels[y : y + stride, x : x + stride].flatten().numpy()
            expected += np.bincount(values[values != 255], minlength=1).max(initial=0)
    assert right(labels, stride, "majority") == expected


# ---- split, cache and store


@pytest.fixture
def phantom(tmp_path: Path) -> Labels:
    return labels_of_files(DATASETS["phantom"], PHANTOM, tmp_path, "test", Store(tmp_path / "runs"))


def test_scores_are_those_of_the_maps(tmp_path: Path, phantom: Labels) -> None:
    (found,) = ceilings(Store(tmp_path / "runs"), phantom, [8], "fit")
    labels = [phantom.read(index) for index in range(phantom.images)]
    maps = [ceiling_maps(each, [8], PROTOCOLS["fit"])[0] for each in labels]
    counts = confusion(torch.stack(maps), torch.stack(labels), 7).sum(0).numpy()
    assert found.miou == pytest.approx(float(scores.miou(counts)), abs=1e-12)
    assert found.class_iou == pytest.approx(scores.iou(counts).tolist())
    assert found.images == 6
    assert 0 < found.boundary_iou < found.miou < 1


def test_calibration_finds_what_is_smaller_than_a_cell(tmp_path: Path) -> None:
    """Dots of 4 px on a grid of 16: their share of a cell is a quarter, so at a threshold of a half none is ever predicted."""
    truth = torch.zeros(64, 64, dtype=torch.uint8)
    for row, column in [(6, 6), (22, 38), (38, 22), (54, 54)]:
        truth[row : row + 4, column : column + 4] = 1
    labels, store = Labels(1, 2, lambda _: truth, "dots"), Store(tmp_path / "runs")
    (plain,), (made,) = (ceilings(store, labels, [16], protocol) for protocol in ("fit", "calibrated"))
    assert plain.class_iou[1] == 0 and made.class_iou[1] > 0.2 and made.miou > plain.miou
    weights = calibrate(labels, [1, 16], PROTOCOLS["calibrated"])
    assert weights[0].tolist() == [1, 1] and weights[1, 1] > 1.5 * weights[1, 0]


def test_calibration_never_lowers_the_score_it_looks_at(tmp_path: Path, phantom: Labels) -> None:
    store, strides = Store(tmp_path / "runs"), [4, 8, 16, 32]
    pairs = zip(ceilings(store, phantom, strides, "fit"), ceilings(store, phantom, strides, "calibrated"), strict=True)
    assert all(plain.miou <= made.miou for plain, made in pairs)


def test_stride_1_scores_exactly_one(tmp_path: Path, phantom: Labels) -> None:
    (found,) = ceilings(Store(tmp_path / "runs"), phantom, [1])
    assert (found.miou, found.boundary_iou, found.trimap_iou_3px) == (1, 1, 1)


def test_a_stride_is_computed_once_and_another_computes_itself_alone(tmp_path: Path, phantom: Labels) -> None:
    store, reads = Store(tmp_path / "runs"), []

    def read(index: int) -> torch.Tensor:
        reads.append(index)
        return phantom.read(index)

    watched = Labels(phantom.images, phantom.num_classes, read, phantom.digest)
    first = ceilings(store, watched, [16, 8, 16], "fit")
    assert [each.stride for each in first] == [8, 16]
    assert sorted(reads) == list(range(6))
    written = {path: path.stat().st_mtime_ns for path in store.root.glob("ceilings/*.json")}
    assert ceilings(store, watched, [8, 16], "fit") == first
    assert sorted(reads) == list(range(6))
    ceilings(store, watched, [8, 32], "fit")
    assert len(reads) == 12
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    ceilings(store, watched, [8], "fit", boundary_ratio=0.01)
    ceilings(store, watched, [8], "majority")
    assert len(list(store.root.glob("ceilings/*.json"))) == len(written) + 3


def test_two_at_once_compute_once(tmp_path: Path, phantom: Labels) -> None:
    store, reads = Store(tmp_path / "runs"), []

    def read(index: int) -> torch.Tensor:
        reads.append(index)
        return phantom.read(index)

    watched = Labels(phantom.images, phantom.num_classes, read, phantom.digest)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: ceilings(store, watched, [8], "fit"), range(2))
    assert one == other
    assert len(reads) == 6


def test_files_and_the_cells_of_a_suite_share_their_ceiling(tmp_path: Path, phantom: Labels, tiny_suite: Path) -> None:
    store, entry = Store(tmp_path / "runs"), DATASETS["phantom"]
    first, second = expand(load_suite(tiny_suite, ["dataset.size=[48, 70]"]))[:2]
    first, second = (each.seen({"train": "t", "val": "v", "test": "some fingerprint"}) for each in (first, second))
    (made,) = ceilings(store, phantom, [8])
    samples = list_samples(entry, tmp_path, PHANTOM, "test")
    cache = open_cache(prepare(samples, entry, PHANTOM, store.cache / "phantom"))
    assert labels_of_cache(cache, 7).digest == phantom.digest
    before = sorted(store.root.glob("ceilings/*.json"))
    assert known_labels(store, first.fingerprints["test"], None) is None
    assert cell_ceiling(store, first, cache, 8) == made.model_dump()
    labels = known_labels(store, second.fingerprints["test"], None)
    assert labels and cached(store, labels, 7, 8) == made
    assert cached(store, labels, 7, 16) is None
    assert sorted(store.root.glob("ceilings/*.json")) == before
    assert cached(store, made.labels, 7, 8) == made
    assert cached(store, made.labels, 7, 32) is None


def test_threads_are_left_as_they_were_and_do_not_matter(tmp_path: Path, phantom: Labels) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = ceilings(Store(tmp_path / "two"), phantom, [8])
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert ceilings(Store(tmp_path / "one"), phantom, [8]) == two
    finally:
        torch.set_num_threads(before)


def test_a_damaged_file_is_named(tmp_path: Path, phantom: Labels) -> None:
    store = Store(tmp_path / "runs")
    ceilings(store, phantom, [8])
    (path,) = store.root.glob("ceilings/*.json")
    path.write_text("{}")
    with pytest.raises(BenchError, match=f"{path.name}: not a ceiling"):
        ceilings(store, phantom, [8])


def test_reading_what_is_kept_imports_no_torch(tmp_path: Path, phantom: Labels) -> None:
    store = Store(tmp_path / "runs")
    (made,) = ceilings(store, phantom, [8])
    code = (
        "import sys, bench.cli.app; from pathlib import Path; from bench.ceilings import cached; from bench.store import Store\n"
        f"print(cached(Store(Path({str(store.root)!r})), {made.labels!r}, 7, 8).miou, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(made.miou), "False"]


# ---- labels without photographs


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A VOC tree of three images' labels and no photographs."""
    base = tmp_path / "VOCdevkit" / "VOC2012"
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    (base / "SegmentationClass").mkdir()
    (base / "ImageSets" / "Segmentation" / "val.txt").write_text("a\nb\nc\n")
    for seed, name in enumerate("abc"):
        Image.fromarray(blobs(40 + seed, 60, seed=seed).numpy()).save(base / "SegmentationClass" / f"{name}.png")
    return tmp_path


def test_labels_alone_are_enough(voc: Path) -> None:
    entry, spec, store = DATASETS["voc2012"], DatasetSpec(name="voc2012"), Store(voc / "runs")
    with pytest.raises(BenchError, match="JPEGImages"):
        list_samples(entry, voc, spec, "val")
    labels = labels_of_files(entry, spec, voc, "val", store)
    assert labels.images == 3
    assert torch.equal(labels.read(1), blobs(41, 60, seed=1))
    quarter = DatasetSpec(name="voc2012", resize=(10, 15))
    assert labels_of_files(entry, quarter, voc, "val", store).digest != labels.digest
    sample = list_samples(entry, voc, quarter, "val", images=False)[0]
    whole = blobs(40, 60).numpy()
    assert (label_of(sample, entry, quarter) == resize(np.zeros((40, 60, 3), np.uint8), whole, (10, 15))[1]).all()


def test_changed_labels_are_noticed(voc: Path) -> None:
    entry, spec, store = DATASETS["voc2012"], DatasetSpec(name="voc2012"), Store(voc / "runs")
    before = labels_of_files(entry, spec, voc, "val", store)
    Image.fromarray(blobs(40, 60, seed=9).numpy()).save(voc / "VOCdevkit/VOC2012/SegmentationClass/a.png")
    assert labels_of_files(entry, spec, voc, "val", store).digest != before.digest
    assert known_labels(store, "a fingerprint never seen", None) is None


def test_a_missing_label_is_named(voc: Path) -> None:
    (voc / "VOCdevkit/VOC2012/SegmentationClass/b.png").unlink()
    with pytest.raises(BenchError, match=r"b\.png: this label is named in .*val\.txt and is not there"):
        list_samples(DATASETS["voc2012"], voc, DatasetSpec(name="voc2012"), "val", images=False)


# ---- the command


def command(root: Path, repository: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "ceiling", *arguments, "--data-root", str(root), "--store", str(root / "runs")],
        capture_output=True,
        text=True,
        cwd=repository,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_table_stands_beside_the_papers(voc: Path, repository: Path) -> None:
    text = command(voc, repository, "voc2012", "--strides", "8", "32", "--protocol", "majority").stdout
    assert "voc2012 val, 3 images" in text
    assert "86.1" in text
    assert "majority: the commonest class of each cell" in text
    rows = json.loads(command(voc, repository, "voc2012", "--strides", "8,32", "--protocol", "all", "--json").stdout)
    assert [(row["protocol"], row["stride"]) for row in rows] == [(name, stride) for name in PROTOCOLS for stride in (8, 32)]
    assert {row["paper_miou"] for row in rows} == {FCN_PAPER[8], FCN_PAPER[32]}
    assert len({row["labels"] for row in rows}) == 1


def test_a_suite_names_its_data_sets(voc: Path, repository: Path, tiny_suite: Path) -> None:
    text = command(voc, repository, "--strides", "8", "16", str(tiny_suite), "--set", "dataset.test_images=2").stdout
    assert "small test, 2 images" in text
    assert "paper" not in text
    settings = ("--set", "size=[32, 32]", "--set", "test_images=2")
    same = command(voc, repository, "phantom", *settings, "--strides", "8", "--json").stdout
    (row,) = json.loads(same)
    assert row["images"] == 2
    assert len(list((voc / "runs" / "ceilings").glob("*.json"))) == 2  # the suite's own are used again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["voc2012", "--strides", "0"], "stride 0: expected whole pixels from 1"),
        (["voc2012", "--strides", "8", "-8"], "stride -8: expected whole pixels from 1"),
        (["voc2012", "--strides", "8", "8.5"], "--strides 8,8.5: expected whole numbers"),
        (["voc2012", "--protocol", "majorty"], "unknown protocol 'majorty'. Did you mean 'majority'"),
        (["voc2021"], "no data set 'voc2021'. Did you mean 'voc2012'"),
        (["camvid"], "data set 'camvid' is not complete below the data root"),
        (["voc2012", "--split", "vall"], "no split 'vall'. Did you mean 'val'"),
        (["voc2012", "--resize", "0", "10"], "--set dataset.resize: dataset.resize[0]: given 0"),
        (["voc2012", "--set", "siez=3"], "unknown key 'siez'"),
    ],
)
def test_bad_input(voc: Path, repository: Path, arguments: list[str], message: str) -> None:
    done = command(voc, repository, *arguments, code=2)
    assert message in done.stderr
    assert not (voc / "runs" / "ceilings").exists()


# ---- real labels


@pytest.mark.data
def test_finer_is_better_on_real_labels(real_data: Path, tmp_path: Path) -> None:
    store, entry = Store(tmp_path / "runs"), DATASETS["camvid"]
    whole = labels_of_files(entry, DatasetSpec(name="camvid"), real_data, "test", store)
    few = Labels(4, whole.num_classes, lambda index: whole.read(index * 58), "four images")
    for name in ("fit", "bilinear", "majority", "nearest"):
        found = ceilings(store, few, [1, 4, 8, 16, 32, 64, 128], name)
        for score in ("miou", "boundary_iou", "trimap_iou_3px"):
            values = [getattr(each, score) for each in found]
            assert values[0] == 1
            assert values == sorted(values, reverse=True), (name, score, values)
    fit, optimised = (ceilings(store, few, [32], name)[0] for name in ("fit", "optimised"))
    assert optimised.miou > fit.miou

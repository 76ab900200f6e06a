"""Boundary measures against slow definitions written here, one class at a time, with scipy."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from bench.metrics import scores
from bench.metrics.boundary import boundary_iou_sums, boundary_region, boundary_width
from bench.metrics.confusion import confusion
from bench.metrics.contour import bf_sums, davis_sums, disc
from bench.metrics.measure import measure
from bench.metrics.trimap import boundary_distance, trimap_sums
from bench.metrics.void import fill_void
from bench.metrics.window import chessboard_distance, window_max

Map = NDArray[np.uint8]
SQUARE = np.ones((3, 3), bool)
CROSS = ndimage.generate_binary_structure(2, 1)
SIZES = [(1, 1), (1, 9), (7, 2), (24, 31), (40, 33)]


def blobs(classes: int, height: int, width: int, images: int = 3, seed: int = 0, void: float = 0.0) -> Map:
    """Random maps with regions of a few pixels' size, and void blobs."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((classes + 1, images, height, width)), (0, 0, 1.7, 1.7))
    maps = noise[:classes].argmax(0).astype(np.uint8)
    if void:
        maps[noise[classes] > np.quantile(noise[classes], 1 - void)] = 255
    return maps


def tensors(*maps: Map) -> list[torch.Tensor]:
    return [torch.from_numpy(each) for each in maps]


def slow_fill(pred: Map, label: Map) -> tuple[Map, Map]:
    """Every void pixel from the labelled pixel nearest in city-block distance; ties by the smallest (label, prediction)."""
    filled, guess = label.copy(), pred.copy()
    rows, columns = np.nonzero(label != 255)
    for y, x in zip(*np.nonzero(label == 255), strict=True):
        if not len(rows):
            filled[y, x] = guess[y, x] = 255
            continue
        distance = abs(rows - y) + abs(columns - x)
        near = distance == distance.min()
        filled[y, x], guess[y, x] = min(zip(label[rows[near], columns[near]], pred[rows[near], columns[near]], strict=True))
    return filled, guess


def slow_band(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Boundary region of one mask: what ``width`` erosions by a 3x3 square take away, outside being not-mask."""
    return mask & ~ndimage.binary_erosion(mask, SQUARE, iterations=width, border_value=0)


def slow_boundary_iou(pred: Map, label: Map, classes: int, width: int) -> NDArray[np.int64]:
    counted = label != 255
    filled, guess = slow_fill(pred, label)
    sums = np.zeros((classes, 2), np.int64)
    for c in range(classes):
        true, predicted = slow_band(filled == c, width) & counted, slow_band(guess == c, width) & counted
        sums[c] = (true & predicted).sum(), (true | predicted).sum()
    return sums


def near(points: NDArray[np.bool_], others: NDArray[np.bool_], tolerance: float, strict: bool) -> int:
    """How many of the points lie within an exact Euclidean distance of the others."""
    if not others.any():
        return 0
    distance = ndimage.distance_transform_edt(~others)[points]
    return int((distance < tolerance if strict else distance <= tolerance + 1e-9).sum())


def slow_contour(pred: Map, label: Map, classes: int, kind: str) -> NDArray[np.int64]:
    diagonal = math.hypot(*label.shape)
    maps = slow_fill(pred, label)
    sums = np.zeros((classes, 4), np.int64)
    for c in range(classes):
        true, predicted = (
            mask & ~ndimage.binary_erosion(mask, CROSS) if kind == "bf" else slow_pair_contour(mask)
            for mask in (maps[0] == c, maps[1] == c)
        )
        tolerance, strict = (0.0075 * diagonal, True) if kind == "bf" else (math.ceil(0.008 * diagonal), False)
        sums[c] = near(predicted, true, tolerance, strict), predicted.sum(), near(true, predicted, tolerance, strict), true.sum()
    return sums


def slow_pair_contour(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from their east, south or south-east neighbour; beyond the edge the mask goes on as it is."""
    grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask != grown[:-1, 1:]) | (mask != grown[1:, :-1]) | (mask != grown[1:, 1:])


def slow_distance(label: Map) -> NDArray[np.int64]:
    """Chessboard distance to the nearest pixel of another label."""
    result = np.full(label.shape, 10**6)
    for c in np.unique(label):
        if (label == c).all():
            continue
        result[label == c] = ndimage.distance_transform_cdt(label == c, "chessboard")[label == c]
    return result


# ---- windows and distances


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 12])
def test_window_maximum(radius: int) -> None:
    values = np.random.default_rng(0).integers(0, 255, (2, 40, 31)).astype(np.uint8)
    whole = ndimage.maximum_filter(values, (1, 2 * radius + 1, 2 * radius + 1))
    inside = whole[:, radius : 40 - radius, radius : 31 - radius]
    assert (window_max(torch.from_numpy(values), radius).numpy() == inside).all()


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 17, 40, 126])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 90), (60, 45), (150, 140)])
def test_chessboard_distance(radius: int, height: int, width: int) -> None:
    rng = np.random.default_rng(1)
    for density in (0.0005, 0.01, 0.3):
        seeds = rng.random((2, height, width)) < density
        seeds[0, rng.integers(height), rng.integers(width)] = True
        found = chessboard_distance(torch.from_numpy(seeds), radius).numpy()
        for image, each in zip(found, seeds, strict=True):
            if each.any():
                expected = ndimage.distance_transform_cdt(~each, "chessboard")
                assert (image == np.minimum(expected, radius + 1)).all()
            else:
                assert (image == radius + 1).all()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_distance_to_the_nearest_boundary(height: int, width: int) -> None:
    labels = blobs(4, height, width)
    found = boundary_distance(torch.from_numpy(labels), 9).numpy()
    for image, label in zip(found, labels, strict=True):
        assert (image == np.minimum(slow_distance(label), 10)).all()


def test_rows_of_a_disc() -> None:
    assert disc(5, strict=False) == [5, 4, 4, 4, 3, 0]
    assert disc(5, strict=True) == [4, 4, 4, 3, 2]
    assert disc(0.7, strict=True) == [0]


# ---- Boundary IoU


def test_width_rounds_as_the_reference() -> None:
    assert boundary_width(360, 480) == 12
    assert boundary_width(1024, 2048) == 46
    assert boundary_width(1024, 2048, 0.005) == 11
    assert boundary_width(3, 4, 0.5) == 2  # 2.5, to the even neighbour
    assert boundary_width(8, 8) == 1


def test_region_drawn_by_hand() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, 2:6, 3:7] = 1
    expected = ["########", "#.######", "#.######", "#.##..##", "#.##..##", "#.######", "#.######", "########"]
    rows = ["".join(".#"[int(cell)] for cell in row) for row in boundary_region(labels, 1)[0]]
    assert rows == expected


def test_an_image_smaller_than_the_window_is_all_boundary() -> None:
    assert boundary_region(torch.zeros(1, 4, 50, dtype=torch.uint8), 2).all()
    assert not boundary_region(torch.zeros(1, 5, 50, dtype=torch.uint8), 2).all()


@pytest.mark.parametrize("classes", [1, 2, 7])
@pytest.mark.parametrize("width", [1, 2, 5, 12])
@pytest.mark.parametrize(("height", "columns"), SIZES)
@pytest.mark.parametrize("void", [0.0, 0.2])
def test_boundary_iou_equals_the_definition(classes: int, width: int, height: int, columns: int, void: float) -> None:
    labels, preds = blobs(classes, height, columns, void=void), blobs(classes, height, columns, seed=1)
    preds[:, : height // 2] = np.where(labels[:, : height // 2] == 255, 0, labels[:, : height // 2])
    found = boundary_iou_sums(*tensors(preds, labels), classes, width).numpy()
    for image, pred, label in zip(found, preds, labels, strict=True):
        assert (image == slow_boundary_iou(pred, label, classes, width)).all()


def test_255_classes_and_wide_integers() -> None:
    labels, preds = blobs(5, 20, 20) + np.uint8(250), blobs(5, 20, 20, seed=1) + np.uint8(250)
    wide = [each.to(torch.int64) for each in tensors(preds, labels)]
    found = boundary_iou_sums(*wide, 255, 2, ignore_index=-100)[0].numpy()
    assert (found == slow_boundary_iou(preds[0], labels[0], 255, 2)).all()
    assert (found[250:, 1] > 0).all()


# ---- void


def test_void_is_filled_from_the_nearest_label() -> None:
    labels, preds = blobs(4, 24, 31, void=0.4), blobs(4, 24, 31, seed=1)
    labels[2] = 255
    labels[1] = 255
    labels[1, 20, 3] = 2
    scene = fill_void(*tensors(preds, labels))
    for image in range(3):
        filled, guess = slow_fill(preds[image], labels[image])
        assert (scene.labels[image].numpy() == filled).all()
        assert (scene.preds[image].numpy() == guess).all()


def test_void_inside_a_class_makes_no_boundary() -> None:
    labels = np.zeros((1, 20, 20), np.uint8)
    labels[0, 8:12, 8:12] = 255
    preds = np.zeros_like(labels)
    rim = 20 * 20 - 16 * 16
    assert boundary_iou_sums(*tensors(preds, labels), 1, 2).tolist() == [[[rim, rim]]]
    assert trimap_sums(*tensors(preds, labels), 1, 5)[0, :5].sum() == 0
    assert trimap_sums(*tensors(preds, labels), 1, 5)[0, 5, 1] == 20 * 20 - 16


@pytest.mark.parametrize("known", [[(0, 0)], [(90, 10), (30, 140)], [(5, 5), (95, 145), (50, 70)]])
def test_void_is_filled_from_the_nearest_label_however_far(known: list[tuple[int, int]]) -> None:
    labels = np.full((1, 100, 150), 255, np.uint8)
    for number, place in enumerate(known):
        labels[(0, *place)] = number
    y, x = np.mgrid[:100, :150]
    distances = np.stack([np.abs(y - row) + np.abs(x - column) for row, column in known])
    filled = fill_void(*tensors(np.zeros_like(labels), labels)).labels[0].numpy()
    assert (filled == distances.argmin(0)).all()  # of several the smallest label


def test_a_batch_has_the_sums_of_its_images() -> None:
    rng = np.random.default_rng(3)
    preds, labels = rng.integers(0, 4, (3, 40, 50)), rng.integers(0, 5, (3, 40, 50))
    batch = tensors(preds.astype(np.uint8), np.where(labels == 4, 255, labels).astype(np.uint8))
    whole = measure(*batch, 4, objects=True)
    for image in range(3):
        alone = measure(*(each[image : image + 1] for each in batch), 4, objects=True)
        for name in ("counts", "bands", "trimap", "bf", "davis", "objects"):
            assert torch.equal(getattr(whole, name)[image], getattr(alone, name)[0]), name


def test_void_between_two_classes_hides_their_border_in_its_middle() -> None:
    labels = np.zeros((1, 9, 21), np.uint8)
    labels[0, :, 8:13] = 255
    labels[0, :, 13:] = 1
    distance = boundary_distance(fill_void(*tensors(labels, labels)).labels, 9)[0, 4]
    # The middle of columns 8 ... 12 goes to class 0, the smaller: the border lies between columns 10 and 11.
    assert distance[7] == 4
    assert distance[13] == 3


def test_nothing_predicted_under_void_matters() -> None:
    labels = blobs(4, 40, 33, void=0.3)
    preds = blobs(4, 40, 33, seed=1)
    other = np.where(labels == 255, np.uint8(3), preds)
    first, second = measure(*tensors(preds, labels), 4), measure(*tensors(other, labels), 4)
    for name in ("counts", "bands", "trimap", "bf", "davis"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


# ---- trimap and distance


@pytest.mark.parametrize("void", [0.0, 0.2])
def test_trimap_equals_the_definition(void: float) -> None:
    labels, preds = blobs(5, 40, 33, void=void), blobs(5, 40, 33, seed=1)
    sums = trimap_sums(*tensors(preds, labels), 5, 8).numpy()
    for image, pred, label in zip(sums, preds, labels, strict=True):
        distance = slow_distance(slow_fill(pred, label)[0])
        for width in (1, 3, 8):
            inside = np.where((distance <= width), label, 255)
            counts = confusion(*tensors(pred[None], inside[None]), 5)[0].numpy()
            hits, truth, guess = image[:width].sum(0)
            assert (hits == counts.diagonal()).all()
            assert (truth == counts.sum(1)).all()
            assert (guess == counts.sum(0)).all()
    counts = confusion(*tensors(preds, labels), 5).numpy()
    assert (sums.sum(1)[:, 0] == counts.diagonal(axis1=1, axis2=2)).all()
    curve = scores.trimap_curve(sums.sum(0))
    assert curve.shape == (8,)
    inside = np.stack([np.where(slow_distance(slow_fill(p, t)[0]) <= 3, t, 255) for p, t in zip(preds, labels, strict=True)])
    assert curve[2] == pytest.approx(scores.miou(confusion(*tensors(preds, inside), 5).sum(0).numpy()))


def test_error_by_distance_by_hand() -> None:
    labels = np.zeros((1, 6, 16), np.uint8)
    labels[0, :, 8:] = 1
    preds = np.roll(labels, 2, axis=2)
    preds[0, :, :2] = 0  # the border lies two pixels too far right
    sums = trimap_sums(*tensors(preds, labels), 2, 7)[0].numpy()
    edges, wrong, share = scores.error_by_distance(sums, stride=4, per_stride=2)
    assert edges.tolist() == [0.5, 1.0, 1.5, 2.0, np.inf]
    assert wrong.tolist() == [0.5, 0.0, 0.0, 0.0, 0.0]
    assert share.sum() == pytest.approx(1)
    assert share[0] == pytest.approx(4 / 16)


# ---- contours


@pytest.mark.parametrize("kind", ["bf", "davis"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (40, 33), (150, 220)])
@pytest.mark.parametrize("void", [0.0, 0.2])
def test_contours_equal_the_definition(kind: str, height: int, width: int, void: float) -> None:
    labels, preds = blobs(4, height, width, 2, void=void), blobs(4, height, width, 2, seed=1)
    preds[:, : height // 2] = np.where(labels[:, : height // 2] == 255, 0, labels[:, : height // 2])
    found = (bf_sums if kind == "bf" else davis_sums)(*tensors(preds, labels), 4).numpy()
    for image, pred, label in zip(found, preds, labels, strict=True):
        assert (image == slow_contour(pred, label, 4, kind)).all()


@pytest.mark.parametrize("kind", ["bf", "davis"])
def test_more_classes_than_an_integer_has_bits(kind: str) -> None:
    labels, preds = blobs(70, 60, 70, 1), blobs(70, 60, 70, 1, seed=1)
    found = (bf_sums if kind == "bf" else davis_sums)(*tensors(preds, labels), 70).numpy()
    assert (found[0] == slow_contour(preds[0], labels[0], 70, kind)).all()


def test_contour_f_by_hand() -> None:
    sums = np.array([[2, 4, 3, 3], [0, 5, 0, 0], [0, 0, 0, 5], [0, 0, 0, 0], [0, 3, 0, 4]])
    found = scores.contour_f(sums)
    assert found[:3].tolist() == pytest.approx([2 * 0.5 * 1 / 1.5, 0, 0])
    assert np.isnan(found[3])
    assert found[4] == 0
    assert scores.contour_f(sums, both_empty=1.0)[3] == 1
    two = np.stack([sums, np.zeros_like(sums)])
    assert scores.mean_contour_f(two) == pytest.approx((2 / 3 + 0 + 0 + 0) / 4)


# ---- everything


def test_perfect_predictions_score_one_and_constant_ones_next_to_nothing() -> None:
    labels = blobs(4, 60, 50, void=0.2)
    perfect = measure(*tensors(np.where(labels == 255, np.uint8(1), labels), labels), 4)
    assert scores.class_mean(scores.boundary_iou(perfect.bands.sum(0))) == 1
    assert (scores.trimap_curve(perfect.trimap.sum(0).numpy()) == 1).all()
    assert scores.mean_contour_f(perfect.bf) == scores.mean_contour_f(perfect.davis) == 1
    constant = measure(*tensors(np.zeros_like(labels), labels), 4)
    assert (scores.boundary_iou(constant.bands.sum(0))[1:] == 0).all()
    assert (scores.contour_f(constant.bf.sum(0))[1:] == 0).all()
    empty = measure(*tensors(labels * 0, labels * 0 + np.uint8(255)), 4)
    assert empty.counts.sum() == empty.bands.sum() == empty.trimap.sum() == empty.bf.sum() == empty.davis.sum() == 0
    assert np.isnan(scores.class_mean(scores.boundary_iou(empty.bands.sum(0))))


def test_sums_do_not_depend_on_batches_order_or_mirroring() -> None:
    labels, preds = tensors(blobs(6, 40, 33, 5, void=0.15), blobs(6, 40, 33, 5, seed=1))
    whole = measure(preds, labels, 6)
    turned = torch.tensor([3, 0, 4, 1, 2])
    order = measure(preds[turned], labels[turned], 6)
    pieces = [measure(preds[i : i + 2], labels[i : i + 2], 6) for i in (0, 2, 4)]
    mirrored = measure(preds.flip(2), labels.flip(2), 6)
    for name in ("counts", "bands", "trimap", "bf", "davis"):
        each = getattr(whole, name)
        assert torch.equal(getattr(order, name), each[turned])
        assert torch.equal(torch.cat([getattr(piece, name) for piece in pieces]), each)
        if name != "davis":  # its contour takes the upper left pixel of a block, so mirroring moves it
            assert torch.equal(getattr(mirrored, name), each), name
    assert torch.equal(whole.counts, confusion(preds, labels, 6))
    assert torch.equal(whole.bands, boundary_iou_sums(preds, labels, 6, boundary_width(40, 33)))


def test_a_stray_value_is_an_error() -> None:
    labels = torch.zeros(1, 5, 5, dtype=torch.uint8)
    stray = labels.clone()
    stray[0, 2, 2] = 3
    for preds, truth in ((stray, labels), (labels, stray)):
        with pytest.raises(AssertionError, match="outside"):
            measure(preds, truth, 3)


@pytest.mark.gpu
def test_the_device_does_not_matter() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    labels, preds = tensors(blobs(21, 200, 300, 3, void=0.1), blobs(21, 200, 300, 3, seed=1))
    here, there = measure(preds, labels, 21), measure(preds.cuda(), labels.cuda(), 21)
    for name in ("counts", "bands", "trimap", "bf", "davis"):
        assert torch.equal(getattr(here, name), getattr(there, name).cpu()), name


@pytest.mark.data
def test_camvid_labels_with_planted_errors(real_data: Path) -> None:
    """Void is made a class of its own here, so that the reference applies to the pixel; then void as void."""
    rng = np.random.default_rng(0)
    for path in sorted((real_data / "CamVid" / "testannot").glob("*.png"))[::80]:
        label = np.array(Image.open(path), np.uint8)
        pred = np.roll(label, rng.integers(-6, 7, 2), (0, 1))
        for _ in range(30):
            y, x = rng.integers(0, 340), rng.integers(0, 460)
            pred[y : y + rng.integers(2, 40), x : x + rng.integers(2, 40)] = rng.integers(0, 11)
        assert (
            boundary_iou_sums(*tensors(pred[None], label[None]), 12, 12)[0].numpy() == slow_boundary_iou(pred, label, 12, 12)
        ).all()
        for kind, sums in (("bf", bf_sums), ("davis", davis_sums)):
            assert (sums(*tensors(pred[None], label[None]), 12)[0].numpy() == slow_contour(pred, label, 12, kind)).all()
        marked, guess = np.where(label == 11, 255, label).astype(np.uint8), np.minimum(pred, 10)
        found = measure(*tensors(guess[None], marked[None]), 11)
        assert (found.bands[0].numpy() == slow_boundary_iou(guess, marked, 11, 12)).all()

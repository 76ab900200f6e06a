"""Confusion counts and the scores made from them."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from bench.metrics import METRICS
from bench.metrics.confusion import ConfusionMatrix, confusion
from bench.metrics.scores import class_mean, fwiou, iou, mean_accuracy, miou, pixel_accuracy, ratio_iou

DTYPES = [torch.uint8, torch.int32, torch.int64]


def random_maps(
    classes: int, shape: tuple[int, int, int] = (4, 17, 23), void: float = 0.1, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    preds = torch.randint(0, classes, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, classes, shape, generator=generator, dtype=torch.uint8)
    labels[torch.rand(shape, generator=generator) < void] = 255
    return preds, labels


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_by_hand(dtype: torch.dtype) -> None:
    labels = torch.tensor([[[0, 0, 1], [1, 1, 255]], [[2, 2, 2], [255, 255, 255]]]).to(dtype)
    preds = torch.tensor([[[0, 1, 1], [1, 0, 0]], [[2, 0, 2], [1, 1, 1]]]).to(dtype)
    assert confusion(preds, labels, 3).tolist() == [
        [[1, 1, 0], [1, 2, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [1, 0, 2]],
    ]


@pytest.mark.parametrize("classes", [1, 2, 21, 150, 254, 255])
@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_equal_a_loop(classes: int, dtype: torch.dtype) -> None:
    preds, labels = random_maps(classes)
    expected = np.zeros((4, classes, classes), np.int64)
    for image, (pred, label) in enumerate(zip(preds.numpy(), labels.numpy(), strict=True)):
        there = label != 255
        np.add.at(expected[image], (label[there], pred[there]), 1)
    assert (confusion(preds.to(dtype), labels.to(dtype), classes).numpy() == expected).all()


def test_more_classes_than_a_byte_holds() -> None:
    labels = torch.tensor([[[0, 299, 300, -100]]])
    preds = torch.tensor([[[0, 300, 300, 12]]])
    counts = confusion(preds, labels, 301, ignore_index=-100)
    assert counts.sum() == 3
    assert counts[0, 299, 300] == counts[0, 300, 300] == counts[0, 0, 0] == 1


@pytest.mark.parametrize("ignore_index", [0, 1, 7, 255, -100])
def test_any_ignore_index(ignore_index: int) -> None:
    preds, labels = (maps.to(torch.int64) for maps in random_maps(3, void=0.0))
    marked = torch.where(labels == 1, ignore_index, labels)
    kept = marked != ignore_index
    counts = confusion(preds, marked, 3, ignore_index)
    assert counts.sum() == kept.sum()
    assert counts.diagonal(dim1=1, dim2=2).sum() == (kept & (preds == marked)).sum()


@pytest.mark.parametrize("value", [3, 254, 256, -1])
def test_a_value_outside_the_classes_is_an_error(value: int) -> None:
    zeros = torch.zeros(1, 2, 2, dtype=torch.int64)
    stray = zeros.clone()
    stray[0, 1, 1] = value
    with pytest.raises(AssertionError, match="1 pixels have a label or prediction outside"):
        confusion(zeros, stray, 3)
    with pytest.raises(AssertionError, match="outside"):
        confusion(stray, zeros, 3)
    with pytest.raises(AssertionError, match="outside"):
        confusion(torch.full_like(zeros, 255), zeros, 3)


def test_predictions_under_void_may_be_anything() -> None:
    labels = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert confusion(torch.tensor([[[0, 255]]], dtype=torch.uint8), labels, 2).sum() == 1


def test_shapes_must_agree() -> None:
    with pytest.raises(AssertionError, match=r"\(1, 2, 3\).*\(1, 3, 2\)"):
        confusion(torch.zeros(1, 2, 3, dtype=torch.uint8), torch.zeros(1, 3, 2, dtype=torch.uint8), 2)


def test_counts_do_not_depend_on_batches_or_order() -> None:
    preds, labels = random_maps(5, (7, 11, 13))
    whole = confusion(preds, labels, 5)
    for size in (1, 2, 3):
        matrix = ConfusionMatrix(5)
        for first in range(0, 7, size):
            matrix.update(preds[first : first + size], labels[first : first + size])
        assert torch.equal(matrix.counts, whole)
    turned = torch.tensor([6, 2, 0, 5, 1, 4, 3])
    assert torch.equal(confusion(preds[turned], labels[turned], 5), whole[turned])
    assert ConfusionMatrix(5).counts.shape == (0, 5, 5)


def test_scores_by_hand() -> None:
    labels = torch.tensor([[[0, 0, 1], [1, 1, 255]]])
    preds = torch.tensor([[[0, 1, 1], [1, 0, 0]]])
    counts = confusion(preds, labels, 3).sum(0).numpy()
    # class 0: 1/3, class 1: 2/4, class 2: absent, not averaged
    assert miou(counts) == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert np.isnan(iou(counts)[2])
    assert fwiou(counts) == pytest.approx(2 / 5 * 1 / 3 + 3 / 5 * 1 / 2)
    assert pixel_accuracy(counts) == pytest.approx(3 / 5)
    assert mean_accuracy(counts) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_class_only_predicted_scores_nothing_but_counts() -> None:
    counts = np.array([[8, 2], [0, 0]])
    assert iou(counts).tolist() == [0.8, 0.0]
    assert miou(counts) == 0.4
    assert mean_accuracy(counts) == 0.8
    assert fwiou(counts) == 0.8


def test_nothing_scores_nan_without_a_warning() -> None:
    empty = np.zeros((4, 3, 3))
    for score in (miou, fwiou, pixel_accuracy, mean_accuracy):
        assert np.isnan(score(empty)).all()
        assert score(empty).shape == (4,)
    assert np.isnan(ratio_iou([0, 0], [0, 0]))
    assert class_mean([[np.nan, 1.0], [np.nan, np.nan]])[0] == 1.0


def test_what_theory_says() -> None:
    _, labels = random_maps(4, (8, 64, 64), void=0.05)
    perfect = confusion(labels.clamp(max=3), labels, 4).sum(0).numpy()
    assert miou(perfect) == fwiou(perfect) == pixel_accuracy(perfect) == mean_accuracy(perfect) == 1.0
    constant = confusion(torch.zeros_like(labels), labels, 4).sum(0).numpy()
    share = constant[0].sum() / constant.sum()
    assert miou(constant) == pytest.approx(share / 4)
    assert mean_accuracy(constant) == pytest.approx(1 / 4)
    # Uniform guesses of K equally frequent classes: IoU = (1/K^2) / (2/K - 1/K^2) = 1 / (2K - 1).
    preds, labels = random_maps(4, (16, 128, 128), void=0.05)
    assert miou(confusion(preds, labels, 4).sum(0).numpy()) == pytest.approx(1 / 7, abs=0.002)


def test_iou_equals_torchmetrics() -> None:
    torchmetrics = pytest.importorskip("torchmetrics.classification")
    preds, labels = random_maps(6)
    labels[labels == 4] = 3  # class 4 is only predicted
    preds[preds == 5], labels[labels == 5] = 0, 0  # class 5 is absent
    metric = torchmetrics.MulticlassJaccardIndex(6, average="none", ignore_index=255)
    theirs = metric(preds.to(torch.int64), labels.to(torch.int64)).numpy()
    ours = iou(confusion(preds, labels, 6).sum(0).numpy())
    assert np.isnan(ours[5])
    assert ours[:5] == pytest.approx(theirs[:5])


def test_the_table_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, bench.metrics; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import sys, bench.metrics.dialects, bench.statistics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert all(entry.summary for entry in METRICS.values())

"""Scores by object size: against scipy's component labelling, one class and one object at a time, and by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from bench.metrics.confusion import confusion
from bench.metrics.objects import SIDES_PX, STRATA, components, object_sums
from bench.metrics.scores import object_iou

Array = np.ndarray
EIGHT = np.ones((3, 3))


def by_definition(preds: Array, labels: Array, num_classes: int) -> Array:
    """The docstring's rules, literally: (9, 4, C)."""
    sums = np.zeros((STRATA, 4, num_classes), int)

    def stratum(area: int) -> int:
        return sum(area >= side * side for side in SIDES_PX)

    counted = labels != 255
    for label in range(num_classes):
        truth, objects = ndimage.label(labels == label, structure=EIGHT)
        guess, guesses = ndimage.label((preds == label) & counted, structure=EIGHT)
        areas = np.bincount(truth.ravel(), minlength=objects + 1)
        for one in range(1, objects + 1):
            place = stratum(areas[one])
            sums[place, :, label] += [((truth == one) & (guess > 0)).sum(), areas[one], 0, 1]
        for one in range(1, guesses + 1):
            mask = guess == one
            overlap = np.bincount(truth[mask], minlength=objects + 1)
            overlap[0] = 0
            place = stratum(areas[overlap.argmax()]) if overlap.any() else stratum(mask.sum())
            sums[place, 2, label] += (mask & (truth == 0)).sum()
    return sums


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_what_the_definition_says(seed: int) -> None:
    chance = np.random.default_rng(seed)
    height, width = chance.integers(3, 40, 2)
    blocks = chance.integers(0, 4, (2, height // 3 + 1, width // 3 + 1), np.uint8)
    labels = blocks.repeat(3, axis=1).repeat(3, axis=2)[:, :height, :width].copy()
    preds = np.where(chance.random(labels.shape) < 0.8, labels, chance.integers(0, 4, labels.shape)).astype(np.uint8)
    labels[chance.random(labels.shape) < 0.1] = 255
    truth, guess = torch.from_numpy(labels), torch.from_numpy(preds)
    sums = object_sums(guess, truth, 4)
    for image in range(2):
        assert (sums[image].numpy() == by_definition(preds[image], labels[image], 4)).all()
    counts = confusion(guess, truth, 4)
    hits, true, false, _ = sums.sum(1).unbind(1)
    assert torch.equal(hits, counts.diagonal(dim1=1, dim2=2)) and torch.equal(true, counts.sum(2))
    assert torch.equal(false, counts.sum(1) - hits)
    alone = torch.cat([object_sums(guess[index : index + 1], truth[index : index + 1], 4) for index in range(2)])
    assert torch.equal(alone, sums)


def test_components_touch_across_corners_and_stay_in_their_image() -> None:
    maps = torch.tensor([[[1, 0, 0], [0, 1, 0], [1, 0, 2]], [[1, 0, 0], [0, 0, 0], [0, 0, 1]]], dtype=torch.uint8)
    numbers = components(maps)
    one = numbers[0][maps[0] == 1]
    assert (one == one[0]).all() and len(numbers[1][maps[1] == 1].unique()) == 2
    assert len(numbers.unique()) == 3 + 3
    spiral = torch.zeros(1, 9, 9, dtype=torch.uint8)
    for row, column in [(0, slice(0, 9)), (slice(0, 9), 8), (8, slice(0, 9)), (slice(2, 9), 0), (2, slice(0, 7)), (slice(2, 7), 6)]:
        spiral[0, row, column] = 1
    assert len(components(spiral)[spiral == 1].unique()) == 1


def test_by_hand() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, 0, 0] = 1  # side 1: the first stratum
    labels[0, 4:8, 4:8] = 1  # side 4: the third
    preds = labels.clone()
    preds[0, 0, 0] = 0  # the small one is missed, which is a false pixel of the background
    preds[0, 4:8, 3] = 1  # the large one is four pixels too wide
    preds[0, 2, 0] = 1  # nothing is there: a component of one pixel
    iou = object_iou(object_sums(preds, labels, 2)[0].numpy())
    assert iou[0, 1] == 0 and iou[2, 1] == 16 / 20
    assert iou[2, 0] == 42 / 48  # 47 pixels of background, five of them lost and one won
    assert np.isnan(iou[1]).all() and np.isnan(iou[0, 0])


def test_predictions_under_void_change_nothing() -> None:
    chance = np.random.default_rng(1)
    labels = torch.from_numpy(chance.integers(0, 3, (1, 12, 12), np.uint8))
    labels[0, 4:8] = 255
    preds = labels.clamp(max=2)
    other = preds.clone()
    other[0, 4:8] = 1
    assert torch.equal(object_sums(preds, labels, 3), object_sums(other, labels, 3))
    assert object_iou(object_sums(preds, labels, 3)[0].numpy())[0].tolist() == [1, 1, 1]
    void = torch.full_like(labels, 255)
    assert not object_sums(preds, void, 3).any()

"""Weights for the classes' scores, where a class that cannot be had whole would lose everything to its neighbours.

With a score that is a share of the pixel, predicting class c where it exceeds a threshold gives the highest IoU for the threshold
J / (1 + J), J being that IoU itself: a half where a class can be perfect, and less for things smaller than the grid. J is over the
whole split and has to be found; a few rounds on some of the images do.
"""

import numpy as np
import torch
from torch import Tensor

from bench.ceilings import Protocol
from bench.ceilings.labels import Labels, ahead
from bench.metrics import scores
from bench.metrics.ceiling import ceiling_maps
from bench.metrics.confusion import confusion

IMAGES, ROUNDS = 120, 7
LEAST = 0.02
"""The smallest IoU taken for reachable, so that no weight grows beyond bounds."""


def calibrate(labels: Labels, strides: list[int], rule: Protocol) -> Tensor:
    """(S, C) weights for each stride: of several rounds' the ones with the highest mIoU on evenly spaced images of the split."""
    chosen = np.unique(np.linspace(0, labels.images - 1, min(IMAGES, labels.images)).round().astype(int))
    maps = [labels.read(int(index)) for index in chosen]
    weights = torch.ones(len(strides), labels.num_classes)
    best, highest = weights.clone(), np.full(len(strides), -1.0)
    for _ in range(ROUNDS):
        found = scores.iou(_counts(maps, strides, rule, weights, labels.num_classes))
        means = np.nan_to_num(scores.class_mean(found))
        best[torch.from_numpy(means > highest)] = weights[torch.from_numpy(means > highest)]
        highest = np.maximum(highest, means)
        reached = torch.from_numpy(np.nan_to_num(found, nan=1.0)).to(torch.float32).clamp(min=LEAST)
        # Half-way in the logarithm: whole steps swing between two states where many classes are out of reach.
        weights = (weights * (1 + reached) / (2 * reached)).sqrt()
    return best


def _counts(maps: list[Tensor], strides: list[int], rule: Protocol, weights: Tensor, num_classes: int) -> np.ndarray:
    """Confusion counts (S, C, C) over some label maps."""

    def one(index: int) -> np.ndarray:
        truth = maps[index].expand(len(strides), -1, -1)
        return confusion(ceiling_maps(maps[index], strides, rule, weights), truth, num_classes).numpy()

    total = np.zeros((len(strides), num_classes, num_classes), np.int64)
    for counts in ahead(one, len(maps)):
        total += counts
    return total

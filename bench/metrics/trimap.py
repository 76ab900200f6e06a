"""Scores as a function of the distance to the nearest true boundary: the trimap curve, and where errors lie.

The distance of a pixel is the chessboard distance to the nearest pixel of another true class (1 for pixels on either side of a
border, corners included), in whole pixels; the image edge is no border. A trimap of width w holds the labelled pixels at
distance w or less (Kohli et al. 2009; Kraehenbuehl and Koltun 2011). `bench.metrics.void` states the rule for void.
"""

import torch
from torch import Tensor

from bench.metrics.boundary import class_codes
from bench.metrics.confusion import histogram, joint_counts
from bench.metrics.void import Scene, fill_void
from bench.metrics.window import chessboard_distance


def boundary_distance(labels: Tensor, radius: int) -> Tensor:
    """Chessboard distance in px to the nearest pixel with another label, ``radius`` + 1 if farther: (N, H, W) uint8 -> uint8."""
    edge = torch.zeros_like(labels, dtype=torch.bool)
    height, width = labels.shape[-2:]
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(None), slice(0, height - dy), slice(max(0, -dx), width - max(0, dx))
        there = slice(None), slice(dy, height), slice(max(0, dx), width - max(0, -dx))
        differs = labels[here] != labels[there]
        edge[here].logical_or_(differs)
        edge[there].logical_or_(differs)
    return chessboard_distance(edge, radius - 1) + 1


def trimap_sums(preds: Tensor, labels: Tensor, num_classes: int, radius: int = 40, ignore_index: int = 255) -> Tensor:
    """Hits, true and predicted pixels of every class at every distance: (N, H, W) twice -> (N, radius + 1, 3, C) int64.

    Index d - 1 holds the pixels at distance d, the last index those farther than ``radius``; the sum over all is the whole
    image. `bench.metrics.scores` turns sums over a set into ``trimap_curve`` and ``error_by_distance``.
    """
    return distance_sums(fill_void(preds, labels, ignore_index), num_classes, radius)


def distance_sums(scene: Scene, num_classes: int, radius: int) -> Tensor:
    """``trimap_sums`` of maps whose void is filled already."""
    codes = num_classes + 2
    cells = (radius + 1) * codes
    dtype = torch.int32 if len(scene.labels) * cells * 2 < 2**31 else torch.int64
    bins = boundary_distance(scene.labels, radius).sub_(1).to(dtype).mul_(codes)
    truth = bins + class_codes(scene.labels, num_classes, scene.counted)
    split = joint_counts(truth, scene.labels == scene.preds, rows=cells, columns=2)
    predicted = histogram(bins.add_(class_codes(scene.preds, num_classes, scene.counted)), cells)
    sums = torch.stack([split[..., 1], split.sum(-1), predicted], dim=1)
    return sums.view(-1, 3, radius + 1, codes).transpose(1, 2)[..., 1:-1].contiguous()

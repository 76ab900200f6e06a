"""Boundary IoU (Cheng et al., CVPR 2021, arXiv 2103.16562) of all classes at once, straight from label maps."""

import math

import torch
from torch import Tensor

from bench.metrics.confusion import joint_counts
from bench.metrics.void import Scene, fill_void
from bench.metrics.window import varies


def boundary_width(height: int, width: int, ratio: float = 0.02) -> int:
    """Width in pixels of the band: a share of the image diagonal, rounded half to even, at least 1."""
    return max(1, round(ratio * math.hypot(height, width)))


def boundary_region(labels: Tensor, width: int) -> Tensor:
    """Pixels at most ``width`` px (chessboard distance) from another label or from outside the image: (N, H, W) uint8 -> bool.

    Where the label is c, this is class c's mask minus its erosion by ``width`` steps of a 3x3 square with everything
    outside the image counted as not-mask: the reference's definition, for all classes in one map.
    """
    region = torch.ones_like(labels, dtype=torch.bool)
    height, span = labels.shape[-2:]
    if min(height, span) > 2 * width:
        region[..., width : height - width, width : span - width] = varies(labels, width)
    return region


def boundary_iou_sums(preds: Tensor, labels: Tensor, num_classes: int, width: int, ignore_index: int = 255) -> Tensor:
    """Pixels in the intersection and union of true and predicted bands: (N, H, W) twice -> (N, C, 2) int64.

    Equal to the reference implementation to the pixel where there is no void; `bench.metrics.void` states the rule for void.
    Sum over images before dividing. ``width`` is in pixels: see ``boundary_width``.
    """
    return area_and_band_sums(fill_void(preds, labels, ignore_index), num_classes, width)[1]


def area_and_band_sums(scene: Scene, num_classes: int, width: int) -> tuple[Tensor, Tensor]:
    """Confusion counts (N, C, C) and ``boundary_iou_sums`` (N, C, 2) of maps whose void is filled, from one histogram.

    AssertionError for labels or counted predictions outside [0, C).
    """
    codes = num_classes + 2
    true_band, predicted_band = boundary_region(scene.labels, width), boundary_region(scene.preds, width)
    truth = class_codes(scene.labels, num_classes, scene.counted)
    banded = true_band.to(torch.int16).mul_(2).add_(predicted_band).mul_(codes).add_(truth)
    table = joint_counts(banded, class_codes(scene.preds, num_classes), rows=4 * codes, columns=codes)
    table = table.view(-1, 2, 2, codes, codes)[:, :, :, 1:]  # in true band, in predicted band, truth, prediction
    inside = table[:, :, :, :-1, 1:-1]
    counts = inside.sum((1, 2))
    assert int(counts.sum()) == int(table.sum()), f"a label or prediction is outside [0, {num_classes})"
    shared = inside[:, 1, 1].diagonal(dim1=-2, dim2=-1)
    true, predicted = inside[:, 1].sum((1, 3)), inside[:, :, 1].sum((1, 2))
    return counts, torch.stack([shared, true + predicted - shared], dim=-1)


def class_codes(classes: Tensor, num_classes: int, counted: Tensor | None = None) -> Tensor:
    """Class + 1, C + 1 for what is no class, 0 for the value 255 and where nothing is counted: (N, H, W) uint8."""
    codes = (classes + 1).clamp_(max=min(num_classes + 1, 255))
    return codes if counted is None else codes.mul_(counted)  # an 8-bit product is ten times faster than a masked fill

"""Scores in [0, 1] from counts summed over a set, in numpy alone so that a leaderboard needs no torch.

The convention is FCN's (Long et al. 2015): counts are summed over the set first, rows are truth, the background is a class like any
other, a class that occurs in neither truth nor prediction is NaN and left out of every mean, and a class that is only
predicted scores 0. A score of nothing at all is NaN, never 0 or 1.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
SIDES_PX = (2, 4, 8, 16, 32, 64, 128, 256)
"""Borders between the strata of objects: the first holds those with a side below 2 px, the last those of 256 px and more."""


def iou(counts: ArrayLike) -> Floats:
    """Per-class intersection over union: (..., C, C) counts -> (..., C)."""
    hits, truth, preds = margins(counts)
    return ratio(hits, truth + preds - hits)


def miou(counts: ArrayLike) -> Floats:
    """Mean IoU over the classes in truth or prediction: (..., C, C) counts -> (...)."""
    return class_mean(iou(counts))


def fwiou(counts: ArrayLike) -> Floats:
    """IoU weighted with the classes' share of the true pixels: (..., C, C) counts -> (...)."""
    hits, truth, preds = margins(counts)
    scores = ratio(hits, truth + preds - hits)
    return ratio(np.where(truth > 0, truth * scores, 0).sum(-1), truth.sum(-1))


def pixel_accuracy(counts: ArrayLike) -> Floats:
    """Share of counted pixels that are right: (..., C, C) counts -> (...)."""
    hits, truth, _ = margins(counts)
    return ratio(hits.sum(-1), truth.sum(-1))


def accuracy(counts: ArrayLike) -> Floats:
    """Per-class share of the true pixels that are right: (..., C, C) counts -> (..., C), NaN for classes not in the truth."""
    hits, truth, _ = margins(counts)
    return ratio(hits, truth)


def mean_accuracy(counts: ArrayLike) -> Floats:
    """Mean of the per-class accuracies over the classes in the truth: (..., C, C) counts -> (...)."""
    return class_mean(accuracy(counts))


def ratio_iou(hits: ArrayLike, unions: ArrayLike) -> Floats:
    """Mean over classes of summed intersections over summed unions: (..., C) twice -> (...).

    For Boundary IoU: the sums over the images of ``boundary_iou_sums`` (N, C, 2).
    """
    return class_mean(ratio(hits, unions))


def margins(counts: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Hits, true pixels and predicted pixels of every class: (..., C, C) counts -> (..., C) three times."""
    table = np.asarray(counts, dtype=np.float64)
    return np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1), table.sum(-2)


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Element-wise quotient, NaN where the whole is 0."""
    top, bottom = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan), where=bottom != 0)


def number(score: Any) -> float | None:
    """A score as JSON has it: None where it has no value."""
    return float(score) if np.isfinite(score) else None


def class_mean(scores: ArrayLike) -> Floats:
    """Mean over the last axis of what is not NaN: (..., C) -> (...), NaN where nothing is left."""
    values = np.asarray(scores, dtype=np.float64)
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0).sum(-1), there.sum(-1))


def boundary_iou(sums: ArrayLike) -> Floats:
    """Per-class Boundary IoU: (..., C, 2) intersections and unions summed over the set -> (..., C)."""
    table = np.asarray(sums)
    return ratio(table[..., 0], table[..., 1])


def trimap_curve(sums: ArrayLike) -> Floats:
    """mIoU within 1, 2, 3 ... px of a true boundary: (..., R + 1, 3, C) sums over the set -> (..., R).

    Entry w - 1 is the trimap of width w px. A width without a single pixel is NaN.
    """
    within = np.cumsum(np.asarray(sums, dtype=np.float64), axis=-3)[..., :-1, :, :]
    hits, truth, preds = within[..., 0, :], within[..., 1, :], within[..., 2, :]
    return class_mean(ratio(hits, truth + preds - hits))


def error_by_distance(sums: ArrayLike, stride: float, per_stride: int = 4) -> tuple[Floats, Floats, Floats]:
    """How errors fall off with the distance to the nearest true boundary, in units of the output stride.

    From (R + 1, 3, C) sums over the set: the bins' upper edges in strides, the share of wrong pixels in each bin (NaN where a
    bin is empty) and the bin's share of all counted pixels. A pixel at distance d px has its centre (d - 1/2) px from the
    border. The last bin, with an infinite edge, holds what is farther than R px. Errors of a coarse grid lie in the
    first strides; errors of recognition do not depend on the distance.
    """
    table = np.asarray(sums, dtype=np.float64)
    hits, pixels = table[:, 0].sum(-1), table[:, 1].sum(-1)
    radius = len(table) - 1
    bins = ((np.arange(1, radius + 1) - 0.5) / stride * per_stride).astype(int)
    places = np.append(bins, bins.max() + 1)
    wrong, total = np.bincount(places, pixels - hits), np.bincount(places, pixels)
    edges = np.append((np.arange(places[-1]) + 1) / per_stride, np.inf)
    return edges, ratio(wrong, total), ratio(total, total.sum())


def object_iou(sums: ArrayLike) -> Floats:
    """IoU by class and by the side of the true object: (..., S, 4, C) sums of ``object_sums`` -> (..., S, C), NaN without objects.

    A stratum with nothing but false pixels is NaN too: it holds no object that could be found.
    """
    hits, truth, false, objects = np.moveaxis(np.asarray(sums, dtype=np.float64), -2, 0)
    return np.where(objects > 0, ratio(hits, truth + false), np.nan)


def contour_f(sums: ArrayLike, both_empty: float = np.nan) -> Floats:
    """F-measure of contours: (..., C, 4) sums of ``bf_sums`` or ``davis_sums`` -> (..., C).

    A contour on one side only scores 0. Contours on neither side score ``both_empty``: NaN leaves the pair out, 1 is what
    DAVIS' own code does, which makes absent classes look perfect.
    """
    near_preds, preds, near_truth, truth = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    precision, recall = ratio(near_preds, preds), ratio(near_truth, truth)
    scores = np.nan_to_num(ratio(2 * precision * recall, precision + recall), nan=0.0)
    return np.where((preds == 0) & (truth == 0), both_empty, scores)


def mean_contour_f(sums: ArrayLike, both_empty: float = np.nan) -> Floats:
    """The BF score and DAVIS' F of a set as published: (..., N, C, 4) sums per image -> (...).

    F is taken per image and class, averaged over the images in which the class has a contour, then over classes.
    """
    scores = contour_f(sums, both_empty)
    return class_mean(class_mean(np.swapaxes(scores, -1, -2)))

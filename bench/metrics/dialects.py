"""What else is called mIoU: the conventions of other packages, all from the same per-image counts.

Every function takes (N, C, C) counts, one matrix an image, rows = truth, and gives one number in [0, 1], or NaN where the
convention leaves nothing to average.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.scores import class_mean, iou, margins, miou, ratio


class Dialect(NamedTuple):
    """A convention of mIoU."""

    score: Callable[[ArrayLike], float]
    rule: str


def fcn(counts: ArrayLike) -> float:
    """Summed over the set; classes absent from truth and prediction are left out; background counts (Long et al. 2015)."""
    return float(miou(np.asarray(counts).sum(0)))


def voc_devkit(counts: ArrayLike) -> float:
    """Summed over the set, plain mean: NaN as soon as one class is absent from truth and prediction."""
    return float(iou(np.asarray(counts).sum(0)).mean())


def detectron2(counts: ArrayLike) -> float:
    """Summed over the set, mean over the classes in the truth: what is only predicted costs nothing itself."""
    total = np.asarray(counts).sum(0)
    return float(class_mean(np.where(margins(total)[1] > 0, iou(total), np.nan)))


def torchmetrics_mean_iou(counts: ArrayLike) -> float:
    """Mean over all pairs of image and class with a union: torchmetrics.segmentation.MeanIoU."""
    return float(class_mean(iou(counts).ravel()))


def smp_micro(counts: ArrayLike) -> float:
    """Hits over unions, both summed over images and classes; 1 where there is no union."""
    hits, truth, preds = margins(counts)
    return float(_or_one(ratio(hits.sum(), (truth + preds - hits).sum())))


def smp_micro_imagewise(counts: ArrayLike) -> float:
    """As micro in every image, averaged over images."""
    hits, truth, preds = margins(counts)
    return float(_or_one(ratio(hits.sum(-1), (truth + preds - hits).sum(-1))).mean())


def smp_macro(counts: ArrayLike) -> float:
    """Summed over the set; a class absent from truth and prediction scores 1."""
    return float(_or_one(iou(np.asarray(counts).sum(0))).mean())


def smp_macro_imagewise(counts: ArrayLike) -> float:
    """As macro in every image, averaged over images."""
    return float(_or_one(iou(counts)).mean())


def monai(counts: ArrayLike) -> float:
    """Per image over the classes in its truth, then over the images that have any: MONAI's MeanIoU; 0 where none has."""
    scores = np.where(margins(counts)[1] > 0, iou(counts), np.nan)
    return float(np.nan_to_num(class_mean(class_mean(scores)), nan=0.0))


def nnunet(counts: ArrayLike) -> float:
    """Per class over the images with it in truth or prediction, then over classes without the first: nnU-Net v2's foreground mean.

    NaN when a class occurs in no image, as in nnU-Net.
    """
    scores = class_mean(iou(counts).T)[1:]
    return float(scores.mean()) if len(scores) else float("nan")


def per_batch(counts: ArrayLike, batch: int = 8) -> float:
    """FCN's mIoU of every ``batch`` images in order, averaged over batches: depends on order and batch size, and is no metric."""
    table = np.asarray(counts)
    scores = [fcn(table[first : first + batch]) for first in range(0, len(table), batch)]
    return float(class_mean(scores))


def _or_one(scores: ArrayLike) -> np.ndarray:
    return np.nan_to_num(scores, nan=1.0)


_FCN_RULE = "over the set; classes absent from truth and prediction dropped; background counts"
_DEVKIT_RULE = "over the set, plain mean: undefined when a class is absent from truth and prediction"

DIALECTS: dict[str, Dialect] = {
    "fcn": Dialect(fcn, _FCN_RULE),
    "mmsegmentation": Dialect(fcn, _FCN_RULE),
    "hugging_face": Dialect(fcn, _FCN_RULE),
    "torchmetrics_jaccard": Dialect(fcn, _FCN_RULE),
    "voc_devkit": Dialect(voc_devkit, _DEVKIT_RULE),
    "torchvision": Dialect(voc_devkit, _DEVKIT_RULE),
    "detectron2": Dialect(detectron2, "over the set, mean over the classes in the truth"),
    "torchmetrics_mean_iou": Dialect(torchmetrics_mean_iou, "mean over (image, class) pairs with a union"),
    "smp_micro": Dialect(smp_micro, "sum of hits over sum of unions, over images and classes"),
    "smp_micro_imagewise": Dialect(smp_micro_imagewise, "sum of hits over sum of unions in every image, then over images"),
    "smp_macro": Dialect(smp_macro, "over the set; a class absent from truth and prediction scores 1"),
    "smp_macro_imagewise": Dialect(smp_macro_imagewise, "per image; a class absent from truth and prediction scores 1"),
    "monai": Dialect(monai, "per image over the classes in its truth, then over images"),
    "nnunet": Dialect(nnunet, "per class over the images with it in truth or prediction, first class left out, then over classes"),
    "per_batch": Dialect(per_batch, "FCN's mIoU of every 8 images, averaged over batches"),
}

"""What else is called mIoU: the conventions of other packages, all from the same per-image counts.

Each is a sum over images of a few quantities, and a rule that makes the score of the sums. The score and its bootstrap interval
come from the same two functions, so an interval cannot follow another convention than its number.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.scores import Floats, class_mean, margins, ratio
from bench.statistics import Finish, class_ratios


class Dialect(NamedTuple):
    """A convention of mIoU."""

    rule: str
    sums: Callable[[Floats], Floats]
    """From the areas (N, 3, C) of each image to (N, P, C') quantities that are summed over images."""
    finish: Finish
    """From the sums (..., P, C') to the score (...) in [0, 1], or NaN where the convention leaves nothing to average."""
    ordered: bool = False
    """Whether the order of the images matters; such a score has no interval."""

    def of(self, images: Floats) -> float:
        """The score of a set from the areas (N, 3, C) of its images."""
        return float(self.finish(self.sums(images).sum(axis=0)))

    def of_each(self, sets: Floats) -> Floats:
        """The scores of several sets of as many images, to the bit those of `of`: (S, N, 3, C) -> (S,)."""
        if self.ordered:
            return np.array([self.of(images) for images in sets])
        # Summed one by one: numpy adds in another order where it sums all of them at once.
        return self.finish(np.stack([images.sum(axis=0) for images in self.sums(sets)]))

    def score(self, counts: ArrayLike) -> float:
        """The score of a set from (N, C, C) counts, one matrix an image, rows = truth."""
        return self.of(areas(counts))


def areas(counts: ArrayLike) -> Floats:
    """Hits, true pixels and predicted pixels of every class, all that any convention needs: (..., C, C) counts -> (..., 3, C)."""
    return np.stack(margins(counts), axis=-2)


def set_sums(images: Floats) -> Floats:
    """Hits and unions of every class: (N, 3, C) -> (N, 2, C)."""
    hits, truth, preds = _parts(images)
    return np.stack([hits, truth + preds - hits], axis=-2)


def _with_truth(images: Floats) -> Floats:
    hits, truth, preds = _parts(images)
    return np.stack([hits, truth + preds - hits, truth], axis=-2)


def _micro(images: Floats) -> Floats:
    return set_sums(images).sum(-1, keepdims=True)


def _micro_by_image(images: Floats) -> Floats:
    return _mean_of(_or_one(_ratios(_micro(images))))


def _pairs(images: Floats) -> Floats:
    return _defined(_ratios(set_sums(images))).sum(-1, keepdims=True)


def _macro_by_image(images: Floats) -> Floats:
    return _mean_of(_or_one(_ratios(set_sums(images))))


def _true_classes_by_image(images: Floats) -> Floats:
    hits, union, truth = _parts(_with_truth(images))
    return _defined(class_mean(np.where(truth > 0, ratio(hits, union), np.nan))[..., None])


def _by_class(images: Floats) -> Floats:
    return _defined(_ratios(set_sums(images)))[..., 1:]


def batch_sums(images: Floats, batch: int = 8) -> Floats:
    """FCN's mIoU of every ``batch`` images in order, and whether it has one: (N, 3, C) -> (N / batch, 2, 1)."""
    starts = np.arange(0, len(images), batch)
    return _defined(class_ratios(np.add.reduceat(set_sums(images), starts))[:, None])


def per_batch(counts: ArrayLike, batch: int = 8) -> float:
    """FCN's mIoU of every ``batch`` images, averaged over batches: depends on order and batch size, and is no metric."""
    return float(class_ratios(batch_sums(areas(counts), batch).sum(0)))


def plain_mean(sums: Floats) -> Floats:
    """Mean over classes of part over whole, NaN as soon as one has no whole: (..., 2, C) -> (...)."""
    return ratio(_ratios(sums).sum(-1), sums.shape[-1])


def absent_is_one(sums: Floats) -> Floats:
    """Mean over classes of part over whole, 1 for a class without a whole: (..., 2, C) -> (...)."""
    return _or_one(_ratios(sums)).mean(-1)


def true_classes(sums: Floats) -> Floats:
    """Mean of hits over unions of the classes in the truth: (..., 3, C) hits, unions and true pixels -> (...)."""
    hits, union, truth = _parts(sums)
    return class_mean(np.where(truth > 0, ratio(hits, union), np.nan))


def none_is_zero(sums: Floats) -> Floats:
    """As `class_ratios`, and 0 where there is nothing to average."""
    return np.nan_to_num(class_ratios(sums), nan=0.0)


def _parts(images: Floats) -> Floats:
    return np.moveaxis(images, -2, 0)


def _ratios(sums: Floats) -> Floats:
    return ratio(sums[..., 0, :], sums[..., 1, :])


def _or_one(scores: Floats) -> Floats:
    return np.nan_to_num(scores, nan=1.0)


def _defined(scores: Floats) -> Floats:
    """Scores, 0 where there is none, over whether there is one: (N, C) -> (N, 2, C)."""
    there = ~np.isnan(scores)
    return np.stack([np.where(there, scores, 0.0), there], axis=-2)


def _mean_of(scores: Floats) -> Floats:
    """The mean over classes of each image, over 1: (N, C) -> (N, 2, 1)."""
    return _defined(scores.mean(-1, keepdims=True))


_FCN = Dialect("over the set; classes absent from truth and prediction dropped; background counts", set_sums, class_ratios)
_DEVKIT = Dialect("over the set, plain mean: undefined when a class is absent from truth and prediction", set_sums, plain_mean)

DIALECTS: dict[str, Dialect] = {
    "fcn": _FCN,
    "mmsegmentation": _FCN,
    "hugging_face": _FCN,
    "torchmetrics_jaccard": _FCN,
    "voc_devkit": _DEVKIT,
    "torchvision": _DEVKIT,
    "detectron2": Dialect("over the set, mean over the classes in the truth", _with_truth, true_classes),
    "torchmetrics_mean_iou": Dialect("mean over (image, class) pairs with a union", _pairs, class_ratios),
    "smp_micro": Dialect("sum of hits over sum of unions, over images and classes", _micro, absent_is_one),
    "smp_micro_imagewise": Dialect(
        "sum of hits over sum of unions in every image, then over images", _micro_by_image, class_ratios
    ),
    "smp_macro": Dialect("over the set; a class absent from truth and prediction scores 1", set_sums, absent_is_one),
    "smp_macro_imagewise": Dialect("per image; a class absent from truth and prediction scores 1", _macro_by_image, class_ratios),
    "monai": Dialect("per image over the classes in its truth, then over images", _true_classes_by_image, none_is_zero),
    "nnunet": Dialect(
        "per class over the images with it in truth or prediction, first class left out, then over classes", _by_class, plain_mean
    ),
    "per_batch": Dialect("FCN's mIoU of every 8 images, averaged over batches", batch_sums, class_ratios, ordered=True),
}


def same_as(name: str) -> str:
    """The first convention in the table with the same rule: one name for all that agree."""
    return next(other for other, dialect in DIALECTS.items() if dialect is DIALECTS[name])


def distinct() -> list[str]:
    """The conventions with a rule of their own, by the first of their names."""
    return list(dict.fromkeys(same_as(name) for name in DIALECTS))

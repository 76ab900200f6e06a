"""Intervals and tests for scores made of sums over images: every convention of mIoU, Boundary IoU, trimap IoU, accuracies.

The statistics of one row are (S, N, P, C): for S seeds, N images and C classes (or 1) P quantities that are summed over images,
usually a part (hits) and a whole (union). A ``finish`` function makes the score of the sums; unset, it is the mean over classes of
summed parts over summed wholes. A row's score is the mean over its seeds.
"""

from bench.statistics.bootstrap import (
    MOST_UNDEFINED,
    Finish,
    Interval,
    Samples,
    area_sums,
    band_sums,
    bootstrap,
    bootstrap_interval,
    class_ratios,
    interval,
    scores,
)
from bench.statistics.compare import (
    NoiseFloor,
    SeedsNeeded,
    holm,
    leader_p,
    noise_floor,
    paired_p,
    ranks,
    seeds_to_settle,
    sign_flip_p,
)

__all__ = [
    "MOST_UNDEFINED",
    "Finish",
    "Interval",
    "NoiseFloor",
    "Samples",
    "SeedsNeeded",
    "area_sums",
    "band_sums",
    "bootstrap",
    "bootstrap_interval",
    "class_ratios",
    "holm",
    "interval",
    "leader_p",
    "noise_floor",
    "paired_p",
    "ranks",
    "scores",
    "seeds_to_settle",
    "sign_flip_p",
]

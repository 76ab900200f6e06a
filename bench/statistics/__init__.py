"""Intervals and tests for scores that are ratios of sums over images: mIoU, Boundary IoU, trimap IoU, accuracies.

The statistics of one row are (S, N, 2, C): for S seeds, N images and C classes the part (hits) and the whole (union). Its score is
the mean over seeds of the mean over classes of summed parts over summed wholes.
"""

from bench.statistics.bootstrap import Interval, Samples, area_sums, band_sums, bootstrap, bootstrap_interval, interval, scores
from bench.statistics.compare import NoiseFloor, SeedsNeeded, holm, noise_floor, paired_p, ranks, seeds_to_settle, sign_flip_p

__all__ = [
    "Interval",
    "NoiseFloor",
    "Samples",
    "SeedsNeeded",
    "area_sums",
    "band_sums",
    "bootstrap",
    "bootstrap_interval",
    "holm",
    "interval",
    "noise_floor",
    "paired_p",
    "ranks",
    "scores",
    "seeds_to_settle",
    "sign_flip_p",
]

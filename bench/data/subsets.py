"""Which images a reduced-data cell trains on, and class weights over them."""

from math import ceil

import numpy as np

from bench.data.chance import generator
from bench.errors import BenchError


def subset(class_counts: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Sorted indices of a seeded share of N images, from (N, C) class counts.

    Subsets of one seed are nested (a tenth lies inside a quarter) and cover as many classes as their size allows: all
    fractions are beginnings of one order, which starts with images that show a class none before it shows.
    """
    count = len(class_counts)
    size = max(1, ceil(count * fraction - 1e-9))
    return np.sort(_order(class_counts, seed)[:size])


def _order(class_counts: np.ndarray, seed: int) -> np.ndarray:
    """A seeded order of all images in which the images that first show a class come first, rarest class first."""
    shuffled = np.argsort(generator(seed, "subset").random(len(class_counts)), kind="stable")
    present = class_counts[shuffled] > 0
    frequency = present.sum(axis=0)
    covered, first = np.zeros(present.shape[1], bool), []
    for label in np.argsort(frequency, kind="stable"):
        if frequency[label] and not covered[label]:
            position = int(np.argmax(present[:, label]))
            first.append(position)
            covered |= present[position]
    rest = np.setdiff1d(np.arange(len(shuffled)), first)
    return shuffled[np.concatenate([np.array(first, np.int64), rest])]


def median_frequency_weights(class_counts: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(C,) weights median(f) / f_c from (N, C) pixel counts and (N,) annotated or whole image areas.

    f_c is the share of class c in the pixels of the images that show it (Eigen and Fergus 2015, arXiv 1411.4734). Raises
    BenchError when a class does not occur, since its weight would be infinite.
    """
    pixels = class_counts.sum(axis=0)
    if (pixels == 0).any():
        missing = ", ".join(str(label) for label in np.flatnonzero(pixels == 0))
        raise BenchError(
            f"train.class_weights: median_frequency needs every class in the images trained on; class {missing} is in none "
            "of them. Use a larger fraction, or class_weights: none."
        )
    frequency = pixels / ((class_counts > 0) * areas[:, None]).sum(axis=0)
    return np.median(frequency) / frequency

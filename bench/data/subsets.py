"""Which images a reduced-data cell trains on, and class weights over them."""

from math import ceil

import numpy as np

from bench.data.chance import generator
from bench.errors import BenchError
from bench.specs import TrainSpec


def subset(class_counts: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Sorted indices of a seeded share of N images, from (N, C) class counts.

    Subsets of one seed are nested (a tenth lies inside a quarter) and cover as many classes as their size allows: all
    fractions are beginnings of one order, which starts with images that show a class none before it shows.
    """
    return np.sort(_order(class_counts, seed)[: subset_size(len(class_counts), fraction)])


def subset_size(images: int, fraction: float) -> int:
    """How many of so many images a share is: rounded up, at least one."""
    return max(1, ceil(images * fraction - 1e-9))


def horizon(train: TrainSpec, images: int) -> TrainSpec:
    """The recipe with its end in steps: `epochs` passes over so many images, the last batch filled up.

    Raises BenchError when the warm-up does not end before the training does.
    """
    if train.epochs is None:
        return train
    steps = ceil(train.epochs * images / train.batch)
    if train.warmup_steps >= steps:
        raise BenchError(
            f"train.warmup_steps is {train.warmup_steps}, but {train.epochs} epochs of {images} images in batches of "
            f"{train.batch} are {steps} steps. Shorten the warm-up, or train longer."
        )
    return train.model_copy(update={"steps": steps, "epochs": None})


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

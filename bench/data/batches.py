"""The training batches of a cell: a function of (seed, step), so a resumed training sees what an uninterrupted one would."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bench.data.augment import augment, draw
from bench.data.cache import Cache, normalise
from bench.data.chance import generator
from bench.data.crops import crop_size
from bench.specs import AugmentationSpec, TrainSpec


class Batches:
    """Batches of augmented crops of the chosen images of a cache, by step."""

    def __init__(self, cache: Cache, chosen: np.ndarray, train: TrainSpec, augmentation: AugmentationSpec, seed: int) -> None:
        self.cache, self.chosen, self.train, self.augmentation, self.seed = cache, chosen, train, augmentation, seed
        self.size = crop_size(cache.sizes[chosen], train)
        self._epoch, self._order = -1, chosen

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The (B, 3, h, w) float images and (B, h, w) uint8 labels of a step."""
        draws = draw(self.seed, step, self.train.batch)
        images, labels = augment(self.cache, self.indices(step), self.size, self.augmentation, draws)
        return normalise(images, self.train.channels_last), labels

    def indices(self, step: int) -> np.ndarray:
        """The images of a step: epoch after epoch without replacement, batches running across the ends."""
        positions = step * self.train.batch + np.arange(self.train.batch)
        return np.array([self._at(int(position)) for position in positions])

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, len(self.chosen))
        if epoch != self._epoch:
            order = np.argsort(generator(self.seed, "order", epoch).random(len(self.chosen)), kind="stable")
            self._epoch, self._order = epoch, self.chosen[order]
        return int(self._order[place])


def by_size(sizes: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Indices of all images in groups of one size, at most ``most`` a group."""
    _, kind = np.unique(sizes, axis=0, return_inverse=True)
    for each in range(int(kind.max()) + 1):
        members = np.flatnonzero(kind.ravel() == each)
        yield from (members[begin : begin + most] for begin in range(0, len(members), most))


def whole_images(cache: Cache, indices: np.ndarray, channels_last: bool = True) -> tuple[Tensor, Tensor]:
    """Whole images of one size as a normalised (B, 3, H, W) input and (B, H, W) uint8 labels."""
    images, labels = cache.whole(indices)
    return normalise(images.to(torch.float32), channels_last), labels

"""The training batches of a cell: a function of (seed, step), so a resumed training sees what an uninterrupted one would."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from bench.data.augment import Cut, Places, cut, finish, locate
from bench.data.cache import Cache, Planes, normalise
from bench.data.chance import draw, generator
from bench.data.crops import crop_size
from bench.side_by_side import side_by_side
from bench.specs import AugmentationSpec, TrainSpec

_LARGE = 128 * 128
"""Pixels from which on samples are cut one by one."""


class Batches:
    """Batches of augmented crops of the chosen images of a cache, by step."""

    def __init__(
        self,
        cache: Cache,
        chosen: np.ndarray,
        train: TrainSpec,
        augmentation: AugmentationSpec,
        seed: int,
        part: slice = slice(None),
    ) -> None:
        """``part`` takes these rows of every batch, as they would be in the whole."""
        self.part = part
        self.cache, self.chosen, self.train, self.augmentation, self.seed = cache, chosen, train, augmentation, seed
        self.size = crop_size(cache.sizes[chosen], train)
        self._epoch, self._order = -1, chosen

    def __call__(self, step: int) -> Planes:
        """The (B, 3, h, w) float images, (B, h, w) uint8 labels and, where the cache has them, border weights of a step."""
        places = self._places(step)
        return self._made(lambda part: cut(self.cache, places.rows(part)), places, self.cache.pixels.device)

    def cut(self, step: int) -> Cut:
        """The bytes that a step needs, on the cache's device."""
        return cut(self.cache, self._places(step))

    def finish(self, cut: Cut) -> Planes:
        """The batch of a cut, on the cut's device."""
        return self._made(cut.rows, cut.places, cut.planes[0].device)

    def _places(self, step: int) -> Places:
        draws, indices = draw(self.seed, step, self.train.batch).rows(self.part), self.indices(step)[self.part]
        size = self.size or (int(self.cache.sizes[indices[0], 0]), int(self.cache.sizes[indices[0], 1]))
        return locate(self.cache.sizes, indices, size, self.augmentation, draws)

    def _made(self, part_of: Callable[[slice], Cut], places: Places, device: torch.device) -> Planes:
        """The batch whose parts are cut so: in one piece, or sample by sample where a CPU has much to do for each."""
        samples, size = len(places), places.size
        if device.type != "cpu" or not self._apart(size):
            images, *others = finish(part_of(slice(0, samples)), self.augmentation)
            return self._laid_out(normalise(images)), *others
        whole = torch.empty(samples, *size, 3)
        stored = [each for each in (self.cache.labels, self.cache.border) if each is not None]
        rest = [torch.empty(samples, *size, dtype=each.dtype) for each in stored]

        def make(part: slice) -> None:
            images, *others = finish(part_of(part), self.augmentation)
            normalise(images, out=whole[part])
            for plane, done in zip(rest, others, strict=True):
                plane[part] = done

        side_by_side(make, samples)
        return self._laid_out(whole.permute(0, 3, 1, 2)), *rest

    def _apart(self, size: tuple[int, int]) -> bool:
        """Whether a CPU makes sample by sample, which costs it some calls more for each and less for every pixel."""
        return self.augmentation.resamples or math.prod(size) >= _LARGE

    def _laid_out(self, images: Tensor) -> Tensor:
        return images if self.train.channels_last else images.contiguous()

    def indices(self, step: int) -> np.ndarray:
        """The images of a step: epoch after epoch without replacement, batches running across the ends, or each drawn anew."""
        if self.train.sampling == "replacement":
            drawn = generator(self.seed, "sampling", step).random(self.train.batch)
            return self.chosen[(drawn * len(self.chosen)).astype(np.int64)]
        epochs, places = np.divmod(step * self.train.batch + np.arange(self.train.batch), len(self.chosen))
        return np.concatenate([self._epoch_order(epoch)[places[epochs == epoch]] for epoch in range(epochs[0], epochs[-1] + 1)])

    def _epoch_order(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            order = np.argsort(generator(self.seed, "order", epoch).random(len(self.chosen)), kind="stable")
            self._epoch, self._order = epoch, self.chosen[order]
        return self._order


def by_size(sizes: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Indices of all images in groups of one size, at most ``most`` a group."""
    _, kind = np.unique(sizes, axis=0, return_inverse=True)
    for each in range(int(kind.max()) + 1):
        members = np.flatnonzero(kind.ravel() == each)
        yield from (members[begin : begin + most] for begin in range(0, len(members), most))


def whole_images(cache: Cache, indices: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Whole images of one size as a normalised (B, 3, H, W) input and (B, H, W) uint8 labels, on a device."""
    images, labels, *_ = (plane.to(device, non_blocking=True) for plane in cache.whole(indices))
    return normalise(images), labels

"""Samples as training sees them: drawn by the training's own augmentation, at their own size."""

import numpy as np
import torch

from bench.data.augment import augment
from bench.data.cache import Cache
from bench.data.chance import Draws, draw
from bench.data.decode import Pair
from bench.specs import AugmentationSpec


def variants(pairs: list[Pair], spec: AugmentationSpec, count: int, seed: int) -> list[list[Pair]]:
    """``count`` augmented versions of each image (H, W, 3) and its label (H, W), of its size, from the draws of steps 0, 1 …"""
    cache = pack(pairs)
    drawn = []
    for step in range(count):
        draws = draw(seed, step, len(pairs))
        drawn.append([_one(cache, index, spec, draws.rows(slice(index, index + 1))) for index in range(len(pairs))])
    return [list(versions) for versions in zip(*drawn, strict=True)]


def _one(cache: Cache, index: int, spec: AugmentationSpec, draws: Draws) -> Pair:
    height, width = (int(side) for side in cache.sizes[index])
    images, labels = augment(cache, np.array([index]), (height, width), spec, draws)
    return images[0].round().clamp(0, 255).to(torch.uint8).numpy(), labels[0].to(torch.uint8).numpy()


def pack(pairs: list[Pair]) -> Cache:
    """Decoded images in the form in which training holds them; classes are not counted."""
    sizes = np.array([label.shape for _, label in pairs], np.int64)
    return Cache(
        pixels=torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image, _ in pairs])),
        labels=torch.from_numpy(np.concatenate([label.ravel() for _, label in pairs])),
        sizes=sizes,
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes.prod(axis=1))]),
        class_counts=np.zeros((len(pairs), 0), np.int64),
        ids=tuple(map(str, range(len(pairs)))),
    )

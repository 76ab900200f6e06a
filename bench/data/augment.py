"""Random changes of a batch, on the device that holds it.

A batch is made in two stages. `cut` takes bytes from the cache, wherever that lies; `finish` turns them into the sample, on the
device they have been brought to. So a cache on the host and one on the device give the same batches.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.data.cache import Cache, Planes
from bench.data.chance import Draws
from bench.data.noise import noise_like
from bench.data.warp import Warp, plan, resample
from bench.data.zoom import Zoom, plan_zoom, resized
from bench.specs import AugmentationSpec


@dataclass(frozen=True)
class Cut:
    """The bytes of a batch, and what will be done to them."""

    planes: Planes
    """Crops of the wanted size, or the larger boxes that a warp needs."""
    draws: Draws
    move: Warp | Zoom | None
    """How pixels come to lie between those of the image; None where they stay on them."""
    size: tuple[int, int]
    """(height, width) in pixels of the samples to be."""

    def rows(self, part: slice) -> "Cut":
        """The same of a part of the batch."""
        move = None if self.move is None else self.move.rows(part)
        return Cut(tuple(plane[part] for plane in self.planes), self.draws.rows(part), move, self.size)

    def to(self, device: torch.device) -> "Cut":
        """The same with its bytes on a device, copied without a wait from pinned memory."""
        pinned = [plane.pin_memory() for plane in self.planes] if device.type == "cuda" else self.planes
        return replace(self, planes=tuple(plane.to(device, non_blocking=True) for plane in pinned))


def augment(cache: Cache, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Planes:
    """Cut and change crops of (height, width) ``size``: (B, h, w, 3) images in 0 … 255, (B, h, w) uint8 labels, border weights."""
    return finish(cut(cache, indices, size, spec, draws), spec)


def cut(cache: Cache, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Cut:
    """Take what the samples of a batch need from the cache: uint8 on the cache's device, nothing changed yet."""
    sizes = cache.sizes[indices]
    if spec.rotate_deg or spec.elastic_px:
        warp = plan(sizes, size, spec, draws)
        return Cut(cache.crops(indices, warp.corner, warp.box), draws, warp, size)
    if spec.scale != (1.0, 1.0):
        zoom = plan_zoom(size, spec, draws)
        return Cut(cache.crops(indices, _corners(sizes - zoom.side, draws), zoom.box), draws, zoom, size)
    return Cut(cache.crops(indices, _corners(sizes - size, draws), size), draws, None, size)


def finish(cut: Cut, spec: AugmentationSpec) -> Planes:
    """Change the samples of a cut: geometry first, then colour, then noise."""
    match cut.move:
        case Warp():
            images, *others = resample(cut.planes, cut.move, cut.size, spec, cut.draws)
        case Zoom():
            images, *others = resized(cut.planes, cut.move, cut.size)
        case None:
            images, *others = _flipped(cut.planes, cut.draws.uniform[:, 2] < spec.flip)
    if spec.colour:
        images = _recoloured(images, spec.colour, cut.draws)
    if spec.noise:
        keys = torch.from_numpy(cut.draws.noise).to(images.device)
        images = torch.add(images, noise_like(images, keys), alpha=spec.noise).clamp_(0, 255)
    return images, *others


def _corners(free: np.ndarray, draws: Draws) -> np.ndarray:
    """(B, 2) top-left corners, uniform where the image is larger than the crop; a smaller image is centred."""
    random = np.floor(draws.uniform[:, :2] * (np.maximum(free, 0) + 1)).astype(np.int64)
    return np.where(free >= 0, random, free // 2)


def _flipped(planes: Planes, flips: np.ndarray) -> Planes:
    """The planes with the chosen samples mirrored."""
    if not flips.any():
        return planes
    if flips.all():
        return tuple(plane.flip(2) for plane in planes)
    chosen = torch.from_numpy(flips.astype(np.uint8) * 255).to(planes[0].device)[:, None]
    return tuple(_either(plane.flip(2), plane, chosen) for plane in planes)


def _either(one: Tensor, other: Tensor, chosen: Tensor) -> Tensor:
    """Sample by sample ``one`` where (B, 1) ``chosen`` is 255 and ``other`` where it is 0, in the memory of ``one``.

    Byte masks over whole samples take a tenth of the time of a choice by elements.
    """
    first, second = (plane.view(torch.uint8).flatten(1) for plane in (one, other))
    first.bitwise_xor_(second).bitwise_and_(chosen).bitwise_xor_(second)
    return one


def _recoloured(images: Tensor, strength: float, draws: Draws) -> Tensor:
    """Brightness, contrast about the image's mean and saturation about its grey, each changed by a factor 1 ± strength."""
    factors = torch.from_numpy(1 + strength * (2 * draws.uniform[:, 5:8] - 1)).float().to(images.device)
    brightness, contrast, saturation = factors[:, :, None, None, None].unbind(1)
    changed = images * brightness
    mean = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = mean + (changed - mean) * contrast
    grey = changed.mean(dim=3, keepdim=True)
    return (grey + (changed - grey) * saturation).clamp(0, 255)

"""Random changes of a batch, on the device that holds it.

A batch is made in three stages. `locate` decides from where in its image each sample comes; `cut` takes those bytes from the
cache, wherever that lies; `finish` turns them into the sample, on the device they have been brought to. So a cache on the host and
one on the device give the same batches.
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
class Places:
    """Where the samples of a batch come from, and what will be done to them."""

    indices: np.ndarray
    """(B,) images."""
    corner: np.ndarray
    """(B, 2) top-left corners in them, in whole pixels."""
    draws: Draws
    move: Warp | Zoom | None
    """How pixels come to lie between those of the image; None where they stay on them."""
    size: tuple[int, int]
    """(height, width) in pixels of the samples to be."""

    def __len__(self) -> int:
        return len(self.indices)

    def rows(self, part: slice) -> "Places":
        """The same of a part of the batch."""
        move = None if self.move is None else self.move.rows(part)
        return Places(self.indices[part], self.corner[part], self.draws.rows(part), move, self.size)


@dataclass(frozen=True)
class Cut:
    """The bytes of a batch, which are of the wanted size, or of the larger boxes that their move needs."""

    planes: Planes
    places: Places

    def rows(self, part: slice) -> "Cut":
        """The same of a part of the batch."""
        return Cut(tuple(plane[part] for plane in self.planes), self.places.rows(part))

    def to(self, device: torch.device) -> "Cut":
        """The same with its bytes on a device, copied without a wait from pinned memory."""
        pinned = [plane.pin_memory() for plane in self.planes] if device.type == "cuda" else self.planes
        return replace(self, planes=tuple(plane.to(device, non_blocking=True) for plane in pinned))


def augment(cache: Cache, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Planes:
    """Cut and change crops of (height, width) ``size``: (B, h, w, 3) images in 0 … 255, (B, h, w) uint8 labels, border weights."""
    return finish(cut(cache, locate(cache.sizes, indices, size, spec, draws)), spec)


def locate(sizes: np.ndarray, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Places:
    """Choose crops of (height, width) ``size`` of the images at ``indices``, of (N, 2) ``sizes``."""
    sizes = sizes[indices]
    if spec.rotate_deg or spec.elastic_px:
        warp = plan(sizes, size, spec, draws)
        return Places(indices, warp.corner, draws, warp, size)
    zoom = None if spec.scale == (1.0, 1.0) else plan_zoom(size, spec, draws)
    return Places(indices, _corners(sizes - (zoom.side if zoom else size), draws), draws, zoom, size)


def cut(cache: Cache, places: Places) -> Cut:
    """Take what the samples of a batch need from the cache: uint8 on the cache's device, nothing changed yet."""
    box = places.move.box if places.move else places.size
    return Cut(cache.crops(places.indices, places.corner, box), places)


def finish(cut: Cut, spec: AugmentationSpec) -> Planes:
    """Change the samples of a cut: geometry first, then colour, then noise."""
    places = cut.places
    match places.move:
        case Warp():
            images, *others = resample(cut.planes, places.move, places.size, spec, places.draws)
        case Zoom():
            images, *others = resized(cut.planes, places.move, places.size)
        case None:
            images, *others = _flipped(cut.planes, places.draws.uniform[:, 2] < spec.flip)
    if spec.colour:
        images = _recoloured(images, spec.colour, places.draws)
    if spec.noise:
        keys = torch.from_numpy(places.draws.noise).to(images.device)
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
    # Line by line first: a sum over a whole image is split between threads, and its last bits tell how many there were.
    mean = changed.mean(dim=(2, 3), keepdim=True).mean(dim=1, keepdim=True)
    changed = mean + (changed - mean) * contrast
    grey = changed.mean(dim=3, keepdim=True)
    return (grey + (changed - grey) * saturation).clamp(0, 255)

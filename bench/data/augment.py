"""Random changes of a batch, on the device that holds it.

All geometry (flip, zoom, rotation, elastic) is one map from output pixels to source pixels, so an image is resampled once,
and its labels by the same map with the nearest neighbour.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.data.cache import FILL, VOID, Cache
from bench.data.chance import generator
from bench.specs import AugmentationSpec

_DRAWS = 8
_GRID = 3


@dataclass(frozen=True)
class Draws:
    """The random numbers of one batch: a row a sample, so that a batch may be split."""

    uniform: np.ndarray
    """(B, 8) in [0, 1): top, left, flip, zoom, angle, brightness, contrast, saturation."""
    normal: np.ndarray
    """(B, 2, 3, 3) standard normal: the elastic vectors, y and x, on the coarse grid."""

    def rows(self, part: slice) -> "Draws":
        """The draws of a part of the batch."""
        return Draws(self.uniform[part], self.normal[part])


def draw(seed: int, step: int, batch: int) -> Draws:
    """The random numbers of a training step."""
    uniform = generator(seed, "augment", step).random((batch, _DRAWS))
    normal = generator(seed, "elastic", step).standard_normal((batch, 2 * _GRID * _GRID))
    return Draws(uniform, normal.reshape(batch, 2, _GRID, _GRID))


def augment(
    cache: Cache, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Cut and change crops of (height, width) ``size``: (B, h, w, 3) images in 0 … 255 and (B, h, w) uint8 labels."""
    free = cache.sizes[indices] - size
    if _moves_pixels_between_grid_points(spec):
        images, labels = _warped(cache, indices, size, spec, draws, free)
    else:
        images, labels = cache.crops(indices, _corners(free, draws), size)
        images, labels = _flipped(images, labels, draws.uniform[:, 2] < spec.flip)
    return (_recoloured(images, spec.colour, draws) if spec.colour else images), labels


def _moves_pixels_between_grid_points(spec: AugmentationSpec) -> bool:
    return spec.scale != (1.0, 1.0) or spec.rotate_deg > 0 or spec.elastic_px > 0


def _corners(free: np.ndarray, draws: Draws) -> np.ndarray:
    """(B, 2) top-left corners, uniform where the image is larger than the crop; a smaller image is centred."""
    random = np.floor(draws.uniform[:, :2] * (np.maximum(free, 0) + 1)).astype(np.int64)
    return np.where(free >= 0, random, free // 2)


def _flipped(images: Tensor, labels: Tensor, flips: np.ndarray) -> tuple[Tensor, Tensor]:
    if not flips.any():
        return images, labels
    chosen = torch.from_numpy(flips).to(images.device)
    return (
        torch.where(chosen[:, None, None, None], images.flip(2), images),
        torch.where(chosen[:, None, None], labels.flip(2), labels),
    )


def _warped(
    cache: Cache, indices: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws, free: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Resample each sample from the smallest box of source pixels that its batch needs."""
    low, high = np.log(spec.scale)
    zoom = np.exp(low + (high - low) * draws.uniform[:, 3])
    angle = np.deg2rad(spec.rotate_deg) * (2 * draws.uniform[:, 4] - 1)
    mirror = np.where(draws.uniform[:, 2] < spec.flip, -1.0, 1.0)
    # Source offset from the sample's centre = matrix @ output offset from the crop's centre, both as (y, x).
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.stack([np.stack([cos, sin * mirror], -1), np.stack([-sin, cos * mirror], -1)], -2)
    half = np.abs(matrix) @ (np.array(size) / 2)
    slack = cache.sizes[indices] / 2 - half
    # The window is placed so that it stays inside the image where it fits, and is centred where it does not.
    centre = cache.sizes[indices] / 2 + np.where(slack > 0, slack, 0) * (2 * draws.uniform[:, :2] - 1)
    reach = 4 * spec.elastic_px + 2  # bilinear neighbours, and vectors of up to four deviations
    box = tuple(ceil(side) for side in 2 * (half.max(axis=0) + reach))
    corner = np.floor(centre - np.array(box) / 2).astype(np.int64)
    images, labels = cache.crops(indices, corner, (box[0], box[1]))
    grid = _source_grid(matrix, centre - corner, size, spec, draws, images.device)
    return _sampled(images, labels, grid)


def _source_grid(
    matrix: np.ndarray, centre: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws, device: torch.device
) -> Tensor:
    """(B, h, w, 2) source positions as (y, x), in pixels from the box's corner, where pixel i covers [i, i + 1)."""
    y = torch.arange(size[0], device=device) + 0.5 - size[0] / 2
    x = torch.arange(size[1], device=device) + 0.5 - size[1] / 2
    turn = torch.from_numpy(matrix).float().to(device)[:, None, None]
    shift = torch.from_numpy(centre).float().to(device)[:, None, None]
    grid = turn[..., 0] * y[:, None, None] + turn[..., 1] * x[:, None] + shift
    if spec.elastic_px:
        vectors = torch.from_numpy(draws.normal * spec.elastic_px).float().to(device)
        field = F.interpolate(vectors, size, mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return grid


def _sampled(images: Tensor, labels: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Images bilinear, labels nearest, at (B, h, w, 2) pixel positions; outside the box is `FILL` and void."""
    height, width = labels.shape[1:]
    unit = (2 * grid / torch.tensor([height, width], device=grid.device) - 1).flip(-1)
    fill = torch.tensor(FILL, dtype=torch.float32, device=images.device)
    source = (images - fill).permute(0, 3, 1, 2)
    warped = F.grid_sample(source, unit, mode="bilinear", padding_mode="zeros", align_corners=False).permute(0, 2, 3, 1) + fill
    y, x = grid.floor().long().unbind(-1)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    nearest = labels.flatten(1).gather(1, flat.flatten(1)).view_as(flat)
    return warped, torch.where(inside, nearest, VOID)


def _recoloured(images: Tensor, strength: float, draws: Draws) -> Tensor:
    """Brightness, contrast about the image's mean and saturation about its grey, each changed by a factor 1 ± strength."""
    factors = torch.from_numpy(1 + strength * (2 * draws.uniform[:, 5:8] - 1)).float().to(images.device)
    brightness, contrast, saturation = factors[:, :, None, None, None].unbind(1)
    changed = images * brightness
    mean = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = mean + (changed - mean) * contrast
    grey = changed.mean(dim=3, keepdim=True)
    return (grey + (changed - grey) * saturation).clamp(0, 255)

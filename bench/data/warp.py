"""Rotation, elastic deformation, zoom and mirror as one map from output pixels to source pixels.

An image is resampled once, and its labels by the same map with the nearest neighbour. `bench.data.zoom` has the zoom alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.data.cache import FILL, Planes, blank_planes
from bench.data.chance import Draws
from bench.specs import AugmentationSpec


@dataclass(frozen=True)
class Warp:
    """Where each sample of a batch comes from, in its image and in the box that is cut from it."""

    corner: np.ndarray
    """(B, 2) top-left corner of a sample's box in the image."""
    side: np.ndarray
    """(B, 2) height and width in whole pixels of the smallest box that holds all a sample needs."""
    matrix: np.ndarray
    """(B, 2, 2): source offset from the sample's centre = matrix @ output offset from the crop's centre, both as (y, x)."""
    centre: np.ndarray
    """(B, 2) centre of the sample in its image."""

    @property
    def box(self) -> tuple[int, int]:
        """(height, width) that holds every box of the batch."""
        height, width = self.side.max(axis=0)
        return int(height), int(width)

    def rows(self, part: slice) -> "Warp":
        """The warp of a part of the batch."""
        return Warp(self.corner[part], self.side[part], self.matrix[part], self.centre[part])


def zooms(spec: AugmentationSpec, draws: Draws) -> np.ndarray:
    """(B,) factors, uniform in the logarithm, so that halving is as likely as doubling."""
    low, high = np.log(spec.scale)
    zoom: np.ndarray = np.exp(low + (high - low) * draws.uniform[:, 3])
    return zoom


def plan(sizes: np.ndarray, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Warp:
    """Place crops of (height, width) ``size`` in images of (B, 2) ``sizes``, with the smallest boxes that hold all they need."""
    zoom = zooms(spec, draws)
    angle = np.deg2rad(spec.rotate_deg) * (2 * draws.uniform[:, 4] - 1)
    mirror = np.where(draws.uniform[:, 2] < spec.flip, -1.0, 1.0)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.stack([np.stack([cos, sin * mirror], -1), np.stack([-sin, cos * mirror], -1)], -2)
    half = np.abs(matrix) @ (np.array(size) / 2)
    slack = sizes / 2 - half
    # The window is placed so that it stays inside the image where it fits, and is centred where it does not.
    centre = sizes / 2 + np.where(slack > 0, slack, 0) * (2 * draws.uniform[:, :2] - 1)
    reach = 4 * spec.elastic_px + 2  # bilinear neighbours, and vectors of up to four deviations
    side = np.ceil(2 * (half + reach)).astype(np.int64)
    return Warp(np.floor(centre - side / 2).astype(np.int64), side, matrix, centre)


def resample(planes: Planes, warp: Warp, size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Planes:
    """Crops of (height, width) ``size`` from the planes of a warp's boxes: images bilinear, in 0 … 255, all else nearest."""
    height, width = warp.box
    boxes, *others = (plane[:, :height, :width] for plane in planes)
    y, x = _source(warp, size, spec, draws, boxes.device)
    row, column = y.floor().long(), x.floor().long()
    if spec.elastic_px:  # nothing else leads out of a box
        high, wide = torch.from_numpy(warp.side).to(boxes.device)[..., None, None].unbind(1)
        inside = -((row >= 0) & (row < high) & (column >= 0) & (column < wide)).to(torch.uint8)
        row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
    index = (row * width + column).expand(-1, *size).flatten(1)
    nearest = [plane.flatten(1).gather(1, index).view(-1, *size) for plane in others]
    if spec.elastic_px:
        blank_planes(nearest, inside)
    return bilinear(boxes, y, x, size), *nearest


def _source(warp: Warp, size: tuple[int, int], spec: AugmentationSpec, draws: Draws, device: torch.device) -> tuple[Tensor, Tensor]:
    """The source positions y and x of every output pixel, in pixels from the box's corner, where pixel i covers [i, i + 1).

    Both are (B, h, w); without rotation and deformation they are (B, h, 1) and (B, 1, w).
    """
    down = (torch.arange(size[0], device=device) + 0.5 - size[0] / 2)[:, None]
    right = torch.arange(size[1], device=device) + 0.5 - size[1] / 2
    turn = torch.from_numpy(warp.matrix).float().to(device)[..., None, None]
    shift = torch.from_numpy(warp.centre - warp.corner).float().to(device)[..., None, None]
    if spec.rotate_deg:
        y = turn[:, 0, 0] * down + turn[:, 0, 1] * right + shift[:, 0]
        x = turn[:, 1, 0] * down + turn[:, 1, 1] * right + shift[:, 1]
    else:
        y, x = turn[:, 0, 0] * down + shift[:, 0], turn[:, 1, 1] * right + shift[:, 1]
    if spec.elastic_px:
        vectors = torch.from_numpy(draws.normal * spec.elastic_px).float().to(device)
        field = F.interpolate(vectors, size, mode="bicubic", align_corners=True)
        y, x = y + field[:, 0], x + field[:, 1]
    return y, x


def bilinear(boxes: Tensor, y: Tensor, x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w, 3) float colours at the given positions of (B, H, W, 3) uint8 boxes; outside a box is `FILL`."""
    _, height, width, _ = boxes.shape
    fill = torch.tensor(FILL, dtype=torch.float32, device=boxes.device)
    # grid_sample's own coordinates: -1 and 1 are the outer edges of the first and the last pixel.
    unit = torch.stack(torch.broadcast_tensors(2 * x / width - 1, 2 * y / height - 1), -1).expand(-1, *size, 2)
    source = boxes.flatten(2).sub(fill.repeat(width)).unflatten(2, (width, 3)).permute(0, 3, 1, 2)
    warped = F.grid_sample(source, unit, mode="bilinear", padding_mode="zeros", align_corners=False)
    return warped.add_(fill[:, None, None]).permute(0, 2, 3, 1)

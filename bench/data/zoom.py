"""Scaling alone: a crop of another size, of whole pixels, resized to the wanted one and perhaps mirrored.

Without rotation and deformation, rows and columns are resampled apart from each other, which a CPU does many times faster.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from bench.data.cache import Planes
from bench.data.chance import Draws
from bench.data.warp import bilinear, zooms
from bench.specs import AugmentationSpec


@dataclass(frozen=True)
class Zoom:
    """The crops that samples are resized from."""

    side: np.ndarray
    """(B, 2) height and width in whole pixels."""
    mirror: np.ndarray
    """(B,) whether a sample is flipped from left to right."""

    @property
    def box(self) -> tuple[int, int]:
        """(height, width) that holds every crop of the batch."""
        height, width = self.side.max(axis=0)
        return int(height), int(width)

    def rows(self, part: slice) -> "Zoom":
        """The zoom of a part of the batch."""
        return Zoom(self.side[part], self.mirror[part])


def plan_zoom(size: tuple[int, int], spec: AugmentationSpec, draws: Draws) -> Zoom:
    """The crops that become samples of (height, width) ``size``: of whole pixels, so that the two factors differ a little."""
    side = np.rint(np.array(size) / zooms(spec, draws)[:, None])
    return Zoom(np.maximum(side, 1).astype(np.int64), draws.uniform[:, 2] < spec.flip)


def resized(planes: Planes, zoom: Zoom, size: tuple[int, int]) -> Planes:
    """Samples of (height, width) ``size`` from crops that begin at the corners of the planes: images bilinear, all else nearest.

    A neighbour beyond the crop is its edge. On a CPU, where samples come one at a time, images stay uint8, rounded; on other
    devices they are float.
    """
    (row, column), images = _places(zoom, size), planes[0]
    if images.device.type == "cpu" and len(images) == 1:
        return _one_resized(planes, zoom, row[0], column[0])
    y, x = (torch.from_numpy(each).float().to(images.device) for each in (row[:, :, None], column[:, None, :]))
    last = torch.from_numpy(zoom.side).float().to(images.device)[..., None, None]
    half = torch.full_like(last[:, 0], 0.5)
    warped = bilinear(images, y.clamp(half, last[:, 0] - 0.5), x.clamp(half, last[:, 1] - 0.5), size)
    index = np.floor(row).astype(np.int64)[:, :, None] * images.shape[2] + np.floor(column).astype(np.int64)[:, None]
    flat = torch.from_numpy(index).to(images.device).flatten(1)
    return warped, *(plane.flatten(1).gather(1, flat).view(-1, *size) for plane in planes[1:])


def _places(zoom: Zoom, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the centres of the output's (B, h) rows and (B, w) columns lie in the crop, where pixel i covers [i, i + 1)."""
    row, column = ((np.arange(length) + 0.5) * (zoom.side[:, axis, None] / length) for axis, length in enumerate(size))
    return row, np.where(zoom.mirror[:, None], column[:, ::-1], column)


def _one_resized(planes: Planes, zoom: Zoom, row: np.ndarray, column: np.ndarray) -> Planes:
    height, width = zoom.side[0]
    crop = planes[0][:, :height, :width].permute(0, 3, 1, 2)
    image = F.interpolate(crop, (len(row), len(column)), mode="bilinear").permute(0, 2, 3, 1)
    rows, columns = row.astype(np.int64), column.astype(np.int64)
    # NumPy takes columns of bytes in a fifth of torch's time.
    nearest = [torch.from_numpy(plane[0].numpy()[rows].take(columns, axis=1))[None] for plane in planes[1:]]
    return image.flip(2) if zoom.mirror[0] else image, *nearest

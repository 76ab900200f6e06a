"""A prepared split in memory: packed bytes, cut into batches by one gather."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.store import read_json

VOID = 255
"""The label in memory of what is not annotated, whatever the data set writes on disk."""
FILL = (124, 116, 104)
"""The colour outside an image: ImageNet's mean, so that it is nearly 0 once normalised."""
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Cache:
    """N images of any size, packed: ``pixels`` (P, 3) and ``labels`` (P,) uint8, image i at rows ``offsets[i]:offsets[i+1]``."""

    pixels: Tensor
    labels: Tensor
    sizes: np.ndarray
    """(N, 2) heights and widths in pixels, on the host: they steer indexing and never need a device sync."""
    offsets: np.ndarray
    """(N + 1,) first row of every image."""
    class_counts: np.ndarray
    """(N, C) annotated pixels by class."""
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> "Cache":
        """The same cache with its bytes on a device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def image(self, index: int) -> tuple[Tensor, Tensor]:
        """One whole image (H, W, 3) and its labels (H, W), uint8, without a copy."""
        height, width = (int(side) for side in self.sizes[index])
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return self.pixels[rows].view(height, width, 3), self.labels[rows].view(height, width)

    def whole(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Whole images of one size as (B, H, W, 3) and (B, H, W) uint8."""
        size = self.sizes[indices[0]]
        assert (self.sizes[indices] == size).all(), "whole images of different sizes share no batch"
        return self.crops(indices, np.zeros((len(indices), 2), np.int64), (int(size[0]), int(size[1])))

    def crops(self, indices: np.ndarray, top_left: np.ndarray, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Cut one crop of (height, width) ``size`` from each image at its (B, 2) corner: (B, h, w, 3) and (B, h, w) uint8.

        What lies outside an image is `FILL`, and void in the labels.
        """
        high, wide = size
        sizes, start = self.sizes[indices], self.offsets[indices]
        inside = bool(((top_left >= 0) & (top_left + size <= sizes)).all())
        if inside:
            rows = start[:, None] + (top_left[:, :1] + np.arange(high)) * sizes[:, 1:] + top_left[:, 1:]
            return self._windows(rows, wide)
        y = top_left[:, :1] + np.arange(high)
        x = top_left[:, 1:] + np.arange(wide)
        seen = ((y >= 0) & (y < sizes[:, :1]))[:, :, None] & ((x >= 0) & (x < sizes[:, 1:]))[:, None, :]
        y, x = np.clip(y, 0, sizes[:, :1] - 1), np.clip(x, 0, sizes[:, 1:] - 1)
        flat = self._on_device(start[:, None, None] + y[:, :, None] * sizes[:, 1:, None] + x[:, None, :])
        visible = self._on_device(seen)
        fill = torch.tensor(FILL, dtype=torch.uint8, device=self.pixels.device)
        images = torch.where(visible[..., None], self.pixels[flat], fill)
        return images, torch.where(visible, self.labels[flat], VOID)

    def _windows(self, rows: np.ndarray, wide: int) -> tuple[Tensor, Tensor]:
        """Runs of ``wide`` pixels that begin at the given rows: overlapping windows, so one gather copies whole lines."""
        begin = self._on_device(rows)
        count = self.labels.shape[0] - wide + 1
        images = self.pixels.as_strided((count, wide * 3), (3, 1))[begin]
        return images.view(*rows.shape, wide, 3), self.labels.as_strided((count, wide), (1, 1))[begin]

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.pixels.device, non_blocking=True)


def open_cache(folder: Path) -> Cache:
    """Map a prepared cache into memory; nothing is read until it is used."""
    with np.load(folder / "index.npz", allow_pickle=False) as index:
        sizes, class_counts = index["sizes"], index["class_counts"]
    areas = sizes.prod(axis=1)
    total = int(areas.sum())
    # Private mapping: pages come from the file, and a write by mistake would stay in this process.
    pixels = torch.from_file(str(folder / "pixels.u8"), shared=False, size=total * 3, dtype=torch.uint8).view(total, 3)
    labels = torch.from_file(str(folder / "labels.u8"), shared=False, size=total, dtype=torch.uint8)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(areas)])
    return Cache(pixels, labels, sizes, offsets, class_counts, tuple(read_json(folder / "manifest.json")["ids"]))


def normalise(images: Tensor, channels_last: bool = True) -> Tensor:
    """(B, H, W, 3) in 0 … 255, any type, to a (B, 3, H, W) float input with ImageNet's mean and deviation taken out."""
    mean = torch.tensor(_MEAN, device=images.device) * 255
    deviation = torch.tensor(_STD, device=images.device) * 255
    batch = ((images - mean) / deviation).permute(0, 3, 1, 2)
    return batch if channels_last else batch.contiguous()

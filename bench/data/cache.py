"""A prepared split in memory: packed bytes, cut into batches by one gather."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.store import read_json

VOID = 255
"""The label in memory of what is not annotated, whatever the data set writes on disk."""
FILL = (124, 116, 104)
"""The colour outside an image: ImageNet's mean, so that it is nearly 0 once normalised."""
Planes = tuple[Tensor, ...]
"""Images (B, h, w, 3), labels (B, h, w) and, where the cache has them, border weights (B, h, w)."""
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
    border: Tensor | None = None
    """(P,) float16: how near a pixel is to two objects at once (`bench.data.border`), where a training asks for it."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> "Cache":
        """The same cache with its bytes on a device."""
        border = None if self.border is None else self.border.to(device)
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device), border=border)

    @property
    def size_bytes(self) -> int:
        """Bytes that `to` would take on a device."""
        held = (self.pixels, self.labels, self.border)
        return sum(each.numel() * each.element_size() for each in held if each is not None)

    def image(self, index: int) -> tuple[Tensor, Tensor]:
        """One whole image (H, W, 3) and its labels (H, W), uint8, without a copy."""
        height, width = (int(side) for side in self.sizes[index])
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return self.pixels[rows].view(height, width, 3), self.labels[rows].view(height, width)

    def whole(self, indices: np.ndarray) -> Planes:
        """Whole images of one size as (B, H, W, 3) and (B, H, W) uint8."""
        size = self.sizes[indices[0]]
        assert (self.sizes[indices] == size).all(), "whole images of different sizes share no batch"
        return self.crops(indices, np.zeros((len(indices), 2), np.int64), (int(size[0]), int(size[1])))

    def crops(self, indices: np.ndarray, top_left: np.ndarray, size: tuple[int, int]) -> Planes:
        """Cut one crop of (height, width) ``size`` from each image at its (B, 2) corner: (B, h, w, 3) and (B, h, w) uint8.

        What lies outside an image is `FILL`, void in the labels and 0 in the border weights. A single crop inside its image
        is not copied: it must not be written to.
        """
        if len(indices) == 1:
            return self._crop(int(indices[0]), top_left[0], size)
        (high, wide), sizes = size, self.sizes[indices]
        y, x = top_left[:, :1] + np.arange(high), top_left[:, 1:] + np.arange(wide)
        rows = np.clip(y, 0, sizes[:, :1] - 1)
        lines = self.offsets[indices, None] + rows * sizes[:, 1:] + top_left[:, 1:]
        shape = (len(indices), high, wide)
        images, *planes = (self._lines(each, lines.ravel(), wide).view(*shape, *each.shape[1:]) for each in self._packed())
        if not ((top_left >= 0) & (top_left + size <= sizes)).all():
            inside = self._on_device(y == rows)[:, :, None], self._on_device((x >= 0) & (x < sizes[:, 1:]))[:, None]
            _blank(images, planes, *inside)
        return images, *planes

    def _crop(self, index: int, top_left: np.ndarray, size: tuple[int, int]) -> Planes:
        """One crop: a view where it lies in the image, else a copy into what lies outside."""
        (top, left), (height, width), (high, wide) = top_left.tolist(), self.sizes[index].tolist(), size
        above, before = max(-top, 0), max(-left, 0)
        inside = max(0, min(top + high, height) - max(top, 0)), max(0, min(left + wide, width) - max(left, 0))
        first = int(self.offsets[index]) + max(top, 0) * width + max(left, 0)
        parts = [_window(each, first, width, inside) for each in self._packed()]
        if inside == size:
            return tuple(parts)
        outside = blank(size, [each.dtype for each in parts[1:]], self.pixels.device)
        for plane, part in zip(outside, parts, strict=True):
            plane[:, above : above + inside[0], before : before + inside[1]] = part
        return outside

    def _packed(self) -> list[Tensor]:
        return [each for each in (self.pixels, self.labels, self.border) if each is not None]

    def _lines(self, packed: Tensor, lines: np.ndarray, wide: int) -> Tensor:
        """(L, ``wide`` · channels) elements from each of (L,) packed pixels on, by one gather of windows that overlap in memory.

        A window that begins before the first pixel of the cache or ends after its last is gathered again, pixel by pixel.
        """
        count, channels = len(packed) - wide + 1, packed[0].numel()
        cut_off = np.flatnonzero((lines < 0) | (lines >= count))
        if count > 0:
            begin = self._on_device(np.clip(lines, 0, count - 1))
            runs = packed.as_strided((count, wide * channels), (channels, 1)).index_select(0, begin)
        else:
            runs = packed.new_empty(len(lines), wide * channels)
        if len(cut_off):
            pixels = np.clip(lines[cut_off, None] + np.arange(wide), 0, len(packed) - 1)
            runs[self._on_device(cut_off)] = packed[self._on_device(pixels)].flatten(1)
        return runs

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.pixels.device, non_blocking=True)


def _window(packed: Tensor, first: int, width: int, size: tuple[int, int]) -> Tensor:
    """A view (1, h, w, channels) of packed pixels, from the ``first`` on, in an image of so many pixels' ``width``."""
    apart, *within = packed.stride()
    begin = packed.storage_offset() + first * apart
    # With the stride of a batch, from which operations choose how their output lies, and so in which order they add up.
    return packed.as_strided((1, *size, *packed.shape[1:]), (size[0] * width * apart, width * apart, apart, *within), begin)


def _blank(images: Tensor, planes: list[Tensor], rows: Tensor, columns: Tensor) -> None:
    """Give what is not inside, by row (B, h, 1) and column (B, 1, w), the values of the outside, in place."""
    batch, high, wide, _ = images.shape
    lines, fill = images.view(batch, high, 3 * wide), torch.tensor(FILL, dtype=torch.uint8, device=images.device).repeat(wide)
    # Bytes under masks of all ones or none, in long runs, are many times faster than a choice by pixels of three.
    high_mask, wide_mask = -rows.to(torch.uint8), -columns.to(torch.uint8)
    lines.bitwise_xor_(fill).bitwise_and_(high_mask)
    lines.bitwise_and_(wide_mask.repeat_interleave(3, dim=2)).bitwise_xor_(fill)
    blank_planes(planes, high_mask & wide_mask)


def blank(size: tuple[int, int], kinds: list[torch.dtype], device: torch.device) -> Planes:
    """One crop of (height, width) ``size`` that lies outside, with labels and perhaps border weights of the kinds."""
    line = torch.tensor(FILL, dtype=torch.uint8, device=device).repeat(size[1])
    image = line.expand(size[0], -1).contiguous().view(1, *size, 3)
    label, *border = (torch.zeros(1, *size, dtype=kind, device=device) for kind in kinds)
    return image, label.fill_(VOID), *border


def blank_planes(planes: list[Tensor], inside: Tensor) -> None:
    """Make labels void and border weights 0, in place, wherever the mask (B, h, w) is 0; elsewhere it is 255."""
    labels, *border = planes
    labels.bitwise_or_(~inside)  # VOID has all bits set
    for weights in border:
        weights.mul_(inside & 1)


def open_cache(folder: Path, border: str | None = None) -> Cache:
    """Map a prepared cache into memory, with the file of border terms named; nothing is read until it is used."""
    with np.load(folder / "index.npz", allow_pickle=False) as index:
        sizes, class_counts = index["sizes"], index["class_counts"]
    areas = sizes.prod(axis=1)
    total = int(areas.sum())
    # Private mapping: pages come from the file, and a write by mistake would stay in this process.
    pixels = torch.from_file(str(folder / "pixels.u8"), shared=False, size=total * 3, dtype=torch.uint8).view(total, 3)
    labels = torch.from_file(str(folder / "labels.u8"), shared=False, size=total, dtype=torch.uint8)
    terms = torch.from_file(str(folder / border), shared=False, size=total, dtype=torch.float16) if border else None
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(areas)])
    return Cache(pixels, labels, sizes, offsets, class_counts, tuple(read_json(folder / "manifest.json")["ids"]), terms)


def normalise(images: Tensor, out: Tensor | None = None) -> Tensor:
    """(B, H, W, 3) in 0 … 255, any type, to a (B, 3, H, W) channels-last input with ImageNet's mean and deviation taken out.

    It is made in the memory of ``out``, (B, H, W, 3) float32, where that is given.
    """
    batch = torch.empty(images.shape, device=images.device) if out is None else out
    mean, deviation = _lines(images.shape[2], images.device)
    batch.copy_(images).flatten(2).sub_(mean).div_(deviation)
    return batch.permute(0, 3, 1, 2)


@lru_cache(maxsize=16)
def _lines(wide: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation over a whole line of pixels: a constant that repeats every third number makes short, slow runs."""
    mean, deviation = (255 * torch.tensor(each, device=device).repeat(wide) for each in (_MEAN, _STD))
    return mean, deviation

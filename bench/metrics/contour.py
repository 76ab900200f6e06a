"""Contour measures with a tolerance: the BF score and DAVIS' F, all classes at once.

Classes are bits of an integer, so one dilation serves up to 31 of them; more are taken in groups. The tolerance is an exact
Euclidean disc, built from its rows. Where void is filled, contours run through its middle in truth and prediction alike.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bench.metrics.void import Scene, fill_void

Contour = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From (M, H, W) uint8 maps to the contours' pixels (E,), as flat positions, and the classes (E, L) each is a contour of."""

_GROUP = 31  # classes in an int32 without its sign


def bf_sums(preds: Tensor, labels: Tensor, num_classes: int, ratio: float = 0.0075, ignore_index: int = 255) -> Tensor:
    """Contour pixels for the BF score (Csurka et al., BMVC 2013; MATLAB's bfscore): (N, H, W) twice -> (N, C, 4) int64.

    The last axis is: predicted contour pixels that lie near the true contour, all predicted, true contour pixels that lie near
    the predicted one, all true. Near is closer than ``ratio`` of the diagonal: Euclidean, not rounded, strictly. The contour
    is the mask minus its erosion by the 4-neighbours; the image edge counts. ``contour_f`` turns the four into F.
    """
    return inner_contour_sums(fill_void(preds, labels, ignore_index), num_classes, ratio)


def davis_sums(preds: Tensor, labels: Tensor, num_classes: int, ratio: float = 0.008, ignore_index: int = 255) -> Tensor:
    """Contour pixels for the F of DAVIS (Perazzi et al., CVPR 2016), in the order of ``bf_sums``: -> (N, C, 4) int64.

    Near is at most ceil(``ratio`` of the diagonal) px away, Euclidean. The contour is every pixel whose membership differs from
    that of its east, south or south-east neighbour; the image edge makes none.
    """
    return pair_contour_sums(fill_void(preds, labels, ignore_index), num_classes, ratio)


def inner_contour_sums(scene: Scene, num_classes: int, ratio: float = 0.0075) -> Tensor:
    """``bf_sums`` of maps whose void is filled already."""
    tolerance = ratio * math.hypot(*scene.labels.shape[-2:])
    return _contour_sums(scene, num_classes, _inner_contour, disc(tolerance, strict=True))


def pair_contour_sums(scene: Scene, num_classes: int, ratio: float = 0.008) -> Tensor:
    """``davis_sums`` of maps whose void is filled already."""
    tolerance = math.ceil(ratio * math.hypot(*scene.labels.shape[-2:]))
    return _contour_sums(scene, num_classes, _pair_contour, disc(tolerance, strict=False))


def disc(radius: float, strict: bool) -> list[int]:
    """Half-widths of the rows 0, 1, 2 ... of the pixels at distance < ``radius`` (strict) or <= ``radius`` from the centre."""
    inside = (lambda square: square < radius * radius) if strict else (lambda square: square <= radius * radius)
    rows = [max((x for x in range(int(radius) + 1) if inside(x * x + y * y)), default=-1) for y in range(int(radius) + 1)]
    return [row for row in rows if row >= 0]


def dilate(bits: Tensor, rows: list[int]) -> Tensor:
    """Union of every pixel's bits over a disc given by the half-widths of its rows: (N, H, W) -> (N, H, W)."""
    height, width = bits.shape[-2:]
    grown, run = torch.zeros_like(bits), bits.clone()
    reach = 0
    for dy in reversed(range(len(rows))):  # from the narrow rows to the widest, so that one run grows
        while reach < min(rows[dy], width - 1):
            reach += 1
            run[..., reach:].bitwise_or_(bits[..., :-reach])
            run[..., :-reach].bitwise_or_(bits[..., reach:])
        if dy == 0:
            grown |= run
        elif dy < height:
            grown[..., dy:, :].bitwise_or_(run[..., :-dy, :])
            grown[..., :-dy, :].bitwise_or_(run[..., dy:, :])
    return grown


def _contour_sums(scene: Scene, num_classes: int, contour: Contour, rows: list[int]) -> Tensor:
    maps = torch.cat([scene.labels, scene.preds])
    pixel, classes = contour(maps)
    across = (pixel + scene.labels.numel()) % maps.numel()  # the same place in the other map
    near = torch.zeros_like(classes)
    for first in range(0, num_classes, _GROUP):
        member = (classes >= first) & (classes < first + _GROUP)
        shift = (classes - first) * member
        bits = torch.zeros(maps.numel(), dtype=torch.int32, device=maps.device)
        bits[pixel] = ((1 << shift) * member).sum(-1, dtype=torch.int32)
        grown = dilate(bits.view(maps.shape), rows).flatten()
        near |= (grown[across, None] >> shift) & member
    image = pixel[:, None] // maps[0].numel()
    slots = (image * (num_classes + 1) + classes.clamp(max=num_classes)) * 2 + near
    counts = torch.bincount(slots.flatten(), minlength=len(maps) * (num_classes + 1) * 2)
    true, predicted = counts.view(2, -1, num_classes + 1, 2)[:, :, :num_classes]
    return torch.stack([predicted[..., 1], predicted.sum(-1), true[..., 1], true.sum(-1)], dim=-1)


def _inner_contour(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels with a 4-neighbour of another class or outside the image, and their class."""
    edge = torch.ones_like(maps, dtype=torch.bool)
    inner = maps[:, 1:-1, 1:-1]
    edge[:, 1:-1, 1:-1] = (
        (inner != maps[:, :-2, 1:-1]) | (inner != maps[:, 2:, 1:-1]) | (inner != maps[:, 1:-1, :-2]) | (inner != maps[:, 1:-1, 2:])
    )
    pixel = edge.flatten().nonzero().squeeze(1)
    return pixel, maps.flatten()[pixel, None].to(torch.int32)


def _pair_contour(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Upper left pixels of the 2x2 blocks with several classes, and those classes, each once and 255 for none."""
    edge = torch.zeros_like(maps, dtype=torch.bool)
    edge[:, :, :-1].logical_or_(maps[:, :, :-1] != maps[:, :, 1:])
    edge[:, :-1].logical_or_(maps[:, :-1] != maps[:, 1:])
    edge[:, :-1, :-1].logical_or_(maps[:, :-1, :-1] != maps[:, 1:, 1:])
    pixel = edge.flatten().nonzero().squeeze(1)
    height, width = maps.shape[-2:]
    east = ((pixel + 1) % width > 0).to(torch.int64)
    south = (pixel // width % height < height - 1) * width
    values = maps.flatten()
    blocks = [values[pixel], values[pixel + east], values[pixel + south], values[pixel + east + south]]
    distinct = blocks[:1]
    for later in range(1, 4):
        known = torch.stack([blocks[later] == earlier for earlier in blocks[:later]]).any(0)
        distinct.append(blocks[later].masked_fill(known, 255))
    return pixel, torch.stack(distinct, dim=-1).to(torch.int32)

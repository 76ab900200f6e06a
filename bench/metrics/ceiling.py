"""The class maps that a network with a coarse grid could predict at best, by the protocols of `bench.ceilings`.

The grid: cell i of an axis covers the pixels [stride i, stride (i + 1)) that the image has, and its unit lies in the middle of
the whole cell, as `bench.models.upsample` has it by default. Reducing and enlarging separate into rows and columns, so each is a
product with one small matrix a side. Ties go to the smallest class.
"""

from functools import lru_cache

import torch
from torch import Tensor

from bench.ceilings import Protocol
from bench.metrics.void import fill_void

Matrices = tuple[Tensor, Tensor]


def ceiling_maps(labels: Tensor, strides: list[int], protocol: Protocol, weights: Tensor | None = None) -> Tensor:
    """What the protocol makes of one label map at each stride: (H, W) uint8 with void as 255 -> (S, H, W) uint8.

    ``weights`` (S, C) multiply the classes' scores. Only classes of the map are ever predicted. A map without a single label
    comes back as it is.
    """
    filled = fill_void(labels[None], labels[None]).labels[0]
    classes = torch.unique(filled)
    if len(classes) == 1:  # its void is filled, so there is nothing to be wrong about
        return filled.expand(len(strides), -1, -1).contiguous()
    # Void votes neither for a share nor for a mode: it belongs to no plane. The others need a value at every pixel.
    votes = labels if protocol.reduce in ("shares", "mode") else filled
    planes = (votes == classes[:, None, None]).to(torch.float32)
    void = labels == 255 if protocol.steps else None
    factors = torch.ones(len(strides), len(classes)) if weights is None else weights[:, classes.long()]
    scores = (
        _scores(planes, void, stride, protocol) * factor[:, None, None] for stride, factor in zip(strides, factors, strict=True)
    )
    return torch.stack([classes[each.max(0).indices] for each in scores])  # argmax: 40 times slower


def _scores(planes: Tensor, void: Tensor | None, stride: int, protocol: Protocol) -> Tensor:
    """Full-size class scores (K, H, W) that come of indicators (K, H, W) by way of the coarse grid."""
    height, width = planes.shape[-2:]
    if protocol.reduce == "centre":
        coarse = planes[:, _middles(height, stride)][..., _middles(width, stride)]
    elif protocol.reduce == "fit":
        coarse = _both(planes, (fitting(height, stride), fitting(width, stride)))
    else:
        coarse = _both(planes, (repeating(height, stride).T, repeating(width, stride).T))
        if protocol.reduce == "mode":
            coarse = torch.zeros_like(coarse).scatter_(0, coarse.argmax(0, keepdim=True), 1)
        else:
            coarse /= coarse.sum(0).clamp_(min=1)
    enlarge = interpolating if protocol.enlarge == "bilinear" else repeating
    scores = _both(coarse, (enlarge(height, stride), enlarge(width, stride)))
    return scores if void is None else _refined(scores, planes, void, stride, protocol.steps)


def _refined(scores: Tensor, planes: Tensor, void: Tensor, stride: int, steps: int) -> Tensor:
    """Nesterov steps down the squared hinge: a pixel's own class is to score 1 or more, the others 0 or less, void anything.

    Refitting the grid to the scores clipped to these bounds is a step of the loss's exact curvature, so there is no rate to tune.
    """
    height, width = scores.shape[-2:]
    refit, enlarge = (
        (fitting(height, stride), fitting(width, stride)),
        (interpolating(height, stride), interpolating(width, stride)),
    )
    own, latest = planes > 0, scores
    for step in range(steps):
        bounded = torch.where(own, scores.clamp(min=1), scores.clamp(max=0))
        before, latest = latest, _both(_both(torch.where(void, scores, bounded), refit), enlarge)
        scores = latest + step / (step + 3) * (latest - before)
    return latest


def _both(planes: Tensor, matrices: Matrices) -> Tensor:
    """Apply one matrix along rows and one along columns: (K, H, W) with (h, H) and (w, W) -> (K, h, w)."""
    rows, columns = matrices
    if rows.shape[0] < rows.shape[1]:  # the order that makes the smaller intermediate
        return (rows @ planes) @ columns.T
    return rows @ (planes @ columns.T)


@lru_cache(maxsize=256)
def interpolating(size: int, stride: int) -> Tensor:
    """Bilinear enlargement of an axis, values continued beyond the outermost units: (size, cells)."""
    cells = -(-size // stride)
    places = ((torch.arange(size, dtype=torch.float64) + 0.5) / stride - 0.5).clamp_(0, cells - 1)
    return (1 - (places[:, None] - torch.arange(cells)).abs()).clamp_(min=0).to(torch.float32)


@lru_cache(maxsize=256)
def repeating(size: int, stride: int) -> Tensor:
    """Each unit repeated over its cell: (size, cells). Its transpose sums over cells."""
    return (torch.arange(size)[:, None] // stride == torch.arange(-(-size // stride))).to(torch.float32)


@lru_cache(maxsize=256)
def fitting(size: int, stride: int) -> Tensor:
    """The values whose bilinear enlargement is nearest in squares to an axis: (cells, size), the pseudo-inverse of it."""
    enlarge = interpolating(size, stride).to(torch.float64)
    return torch.linalg.solve(enlarge.T @ enlarge, enlarge.T).to(torch.float32)


def _middles(size: int, stride: int) -> Tensor:
    """The pixel under the middle of each cell; of two, the second, and the image's last where a cell is cut short before it."""
    return (torch.arange(0, size, stride) + stride // 2).clamp_(max=size - 1)

"""Window maxima, nearest labels and distances on whole maps, by doubling: log2(radius) passes, any number of classes, any device.

A window of length L is covered by two overlapping windows of length at least L/2 (van Herk 1992), so its maximum takes
log2(L) passes of slices and maxima. The same doubling spreads cones (value - distance), whose maximum is a distance transform.
"""

import torch
from torch import Tensor


def window_max(maps: Tensor, radius: int) -> Tensor:
    """Maximum over the (2r+1)-square around every pixel that has one: (..., H, W) -> (..., H-2r, W-2r)."""
    for axis in (-2, -1):
        span, length = 1, 2 * radius + 1
        while span < length:
            step = min(span, length - span)
            rest = maps.shape[axis] - step
            maps = torch.maximum(maps.narrow(axis, 0, rest), maps.narrow(axis, step, rest))
            span += step
    return maps


def varies(maps: Tensor, radius: int) -> Tensor:
    """Where the (2r+1)-square holds two values: (N, H, W) uint8 -> (N, H-2r, W-2r) bool."""
    both = maps.new_empty(2, *maps.shape)
    both[0].copy_(maps)
    torch.bitwise_not(maps, out=both[1])  # 255 - x, so that one pass finds both extremes
    highest, lowest = window_max(both, radius)
    return highest != ~lowest


def spread_nearest(ranked: Tensor, unit: int, reach: int) -> None:
    """Raise every value to the largest of (value - unit * city-block distance) around it, in place: (N, H, W).

    Exact up to ``reach`` along either axis; city-block distance is the one that separates into rows and columns.
    """
    lower = torch.empty_like(ranked)
    for axis in (-2, -1):
        step, size = 1, ranked.shape[axis]
        while step <= min(reach, size - 1):
            torch.sub(ranked, unit * step, out=lower)
            ahead, behind = ranked.narrow(axis, 0, size - step), ranked.narrow(axis, step, size - step)
            torch.maximum(ahead, lower.narrow(axis, step, size - step), out=ahead)
            torch.maximum(behind, lower.narrow(axis, 0, size - step), out=behind)
            step *= 2


def chessboard_distance(seeds: Tensor, radius: int) -> Tensor:
    """Chessboard distance in pixels to the nearest seed, at most ``radius`` + 1: (N, H, W) bool -> uint8; radius < 127.

    A chessboard step is half a step along each diagonal, so the distance separates into the two diagonals and one step to a
    4-neighbour for points of odd parity. Diagonal ways may leave the image by half the radius: hence the frame.
    """
    assert 0 <= radius < 127, f"radius {radius} does not fit 8 bits"
    height, width = seeds.shape[-2:]
    frame = radius // 2 + 1
    cone = torch.zeros(seeds.shape[0], height + 2 * frame, width + 2 * frame, dtype=torch.int8, device=seeds.device)
    inside = cone[:, frame : frame + height, frame : frame + width]
    inside.copy_(seeds).mul_(radius + 1)
    lower = torch.empty_like(cone)
    for direction in (1, -1):
        step = 1
        while step <= radius:
            _spread_diagonal(cone, lower, step, direction)
            step *= 2
    torch.sub(cone, 1, out=lower)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside = lower[:, frame + dy : frame + dy + height, frame + dx : frame + dx + width]
        torch.maximum(inside, beside, out=inside)
    return (radius + 1 - inside).view(torch.uint8)


def _spread_diagonal(cone: Tensor, lower: Tensor, step: int, direction: int) -> None:
    """Let every pixel see the two at ``step`` px along one diagonal, lowered by as much; ``lower`` is scratch."""
    rows, columns = cone.shape[-2] - step, cone.shape[-1] - step
    if rows <= 0 or columns <= 0:
        return
    torch.sub(cone, step, out=lower)
    start = 0 if direction == 1 else step
    upper = slice(None), slice(0, rows), slice(start, start + columns)
    under = slice(None), slice(step, step + rows), slice(step - start, step - start + columns)
    torch.maximum(cone[upper], lower[under], out=cone[upper])
    torch.maximum(cone[under], lower[upper], out=cone[under])

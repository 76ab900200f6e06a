"""Names beside points: each where nothing else stands, and none where there is no such place."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import plotly.graph_objects as go

_LETTER_PX, _LINE_PX, _FONT_PX, _GAP_PX = 6.2, 14.0, 11, 3.0
_INSET = 0.07
"""Share of a plot that its axes leave free at each end."""
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Where a name may lie, the best place first: to the right, left, above, below, at a corner."""
_ACROSS, _UP = {1: "left", 0: "center", -1: "right"}, {1: "bottom", 0: "middle", -1: "top"}
"""Plotly's word for the part of the text that is at the point."""
Box = tuple[float, float, float, float]
Line = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """A point of a figure, in the figure's own units, and its name."""

    x: float
    y: float
    radius_px: float
    name: str


def labelled(
    figure: go.Figure, points: Sequence[Point], lines: Sequence[Line] = (), *, width_px: float = 560, height_px: float = 300
) -> None:
    """Write the names of points beside them, the first of the sequence first; axes are linear, and that of y begins at 0.

    A name that would stand on another, on a point, on one of the upright or level ``lines`` or outside of the plot is left out. The
    sizes are those of the plot, roughly.
    """
    if not points:
        return
    low, high = min(each.x for each in points), max(each.x for each in points)
    wide, tall = high - low or 1.0, max(each.y for each in points) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return width_px * (_INSET + (1 - 2 * _INSET) * (x - low) / wide), height_px * (1 - _INSET) * y / tall

    taken = [_around(*place(each.x, each.y), each.radius_px) for each in points]
    for line in lines:
        ends = [place(*each) for each in line]
        taken += [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise(ends)]
    for number, point in enumerate(points):
        others = [*taken[:number], *taken[number + 1 :]]
        for across, up in _SIDES:
            # At a corner the name comes nearer, as a round point leaves room there.
            away = (point.radius_px + _GAP_PX) * (0.7 if across and up else 1)
            x, y = place(point.x, point.y)
            box = _box(x + across * away, y + up * away, len(point.name) * _LETTER_PX, across, up)
            if box[0] < 0 or box[2] > width_px or any(_meet(box, other) for other in others):
                continue
            taken.append(box)
            figure.add_annotation(
                x=point.x, y=point.y, text=point.name, showarrow=False, font={"size": _FONT_PX},
                xanchor=_ACROSS[across], yanchor=_UP[up], xshift=across * away, yshift=up * away,
            )  # fmt: skip
            break


def _around(x: float, y: float, radius_px: float) -> Box:
    return x - radius_px, y - radius_px, x + radius_px, y + radius_px


def _box(x: float, y: float, width: float, across: int, up: int) -> Box:
    left, bottom = x + (across - 1) * width / 2, y + (up - 1) * _LINE_PX / 2
    return left, bottom, left + width, bottom + _LINE_PX


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

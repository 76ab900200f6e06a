"""A picture and its label map being drawn together, thing over thing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.stream import Plane, Stream

Window = tuple[slice, slice]
Vector = tuple[float, float, float]


@dataclass
class Canvas:
    """An image (H, W, 3) in 0 … 255 and its label (H, W); ``ground`` (3,) is the mean colour that things stand out from."""

    image: Plane
    label: NDArray[np.uint8]
    ground: Plane
    stream: Stream

    def place(self) -> tuple[float, float]:
        """A point (y, x) of the image."""
        height, width = self.label.shape
        return self.stream.uniform(0, height), self.stream.uniform(0, width)

    def around(self, y: float, x: float, reach_px: float) -> tuple[Window, Plane, Plane]:
        """The window within reach of a point, and how far the centres of its rows (h, 1) and columns (1, w) lie from the point."""
        height, width = self.label.shape
        rows, down = _span(y, reach_px, height)
        columns, right = _span(x, reach_px, width)
        return (rows, columns), down[:, None], right[None, :]

    def colour(self, contrast: tuple[float, float], tint: Vector, spread: float) -> Plane:
        """A colour (3,) that differs from the ground by something in the range ``contrast``, tinted, and varied by ``spread``."""
        step = self.stream.uniform(*contrast) * (1 if self.stream.chance(0.5) else -1)
        return self.ground + np.float32(step) + np.array(tint, np.float32) + spread * self.stream.white(3)

    def paint(self, window: Window, depth_px: Plane, colour: Plane, label: int) -> None:
        """Cover what lies inside a shape, given how deep every pixel's centre is in it; one pixel of its rim is blended.

        ``colour`` is (3,) or (h, w, 3). The label goes to the pixels whose centre is inside.
        """
        cover = np.clip(depth_px + 0.5, 0, 1)[..., None]
        self.image[window] += cover * (colour - self.image[window])
        self.label[window][depth_px > 0] = label


def disc(down: Plane, right: Plane, radius_px: float) -> Plane:
    """Depth (h, w) in a disc at the origin."""
    return radius_px - np.sqrt(down * down + right * right)


def box(down: Plane, right: Plane, axis: tuple[float, float], half_px: tuple[float, float]) -> Plane:
    """Depth (h, w) in a rectangle at the origin, by half its length along the unit vector ``axis`` and half its width across."""
    y, x = axis
    return np.minimum(half_px[0] - np.abs(y * down + x * right), half_px[1] - np.abs(x * down - y * right))


def _span(at: float, reach_px: float, length: int) -> tuple[slice, Plane]:
    """The pixels of one axis within reach, perhaps none, and their centres' distances to the point."""
    first = max(0, int(at - reach_px))
    last = max(first, min(length, int(at + reach_px) + 1))
    return slice(first, last), (np.arange(first, last) + 0.5 - at).astype(np.float32)

"""A picture of an effective receptive field."""

from typing import Any

import numpy as np

from bench.models.drawing import captioned, coloured, framed, png
from bench.models.effective import Effective

SIDE_PX = 320
"""Longest side of the picture; larger fields are averaged down."""


def draw(found: Effective, name: str, summary: dict[str, Any]) -> bytes:
    """A PNG: brightness is the fourth root of the gradient, so that its tails show; squares are both fields about its centre."""
    gradients = found.gradients.numpy()
    height, width = gradients.shape
    step = -(-max(height, width) // SIDE_PX)
    grown = max(1, SIDE_PX // max(height, width))
    rows, columns = (int(side) // step * step for side in (height, width))
    shown = gradients[:rows, :columns].reshape(rows // step, step, columns // step, step).max((1, 3))
    shown = np.kron(shown, np.ones((grown, grown)))
    scale = grown / step
    centre = [float((gradients.sum(1 - axis) * np.arange(gradients.shape[axis])).sum() / gradients.sum()) for axis in (0, 1)]
    field = summary["receptive_field_px"]
    sides = [(found.side_px, "#40e0d0")]
    if isinstance(field, int) and field <= min(height, width):
        sides.append((float(field), "white"))
    boxes = [
        (*(scale * (middle - side / 2) for middle in centre), *(scale * (middle + side / 2) for middle in centre))
        for side, _ in sides
    ]
    picture = framed(coloured(shown**0.25), boxes, [colour for _, colour in sides])
    theory = "the whole image" if field is None or summary["whole_image"] else f"{field} px"
    lines = [
        f"{name}: stride {summary['output_stride']} px, {height}x{width}",
        f"effective {found.side_px:.0f} px (turquoise), theoretical {theory}",
    ]
    return png(captioned(picture, lines))

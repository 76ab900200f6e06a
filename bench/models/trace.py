"""What a model is, found out by running it: what an output pixel can see, how many operations it takes, how many parameters."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.models.reach import reach
from bench.models.shapes import run_on_shapes, takes

LONGEST_PX = 4096
"""Length of the largest image tried for a receptive field."""
CLEAR_PX = 64
"""How far inside the image a field must lie to count as whole, and how many neighbouring output pixels must have one:
at least a period of the coarsest grid."""


def receptive_field_px(model: nn.Module, *, across_px: int | None = None) -> int | None:
    """The largest extent in pixels, over rows and columns, of the input that can move one output pixel.

    Exact, and the largest over all positions of a pixel on the model's grids, since interpolation and up-convolutions give
    neighbours different fields. None where it has no bound below a few thousand pixels: a model that pools globally, say.
    ``across_px`` is the other side of the images used, unset 64 and what the model loses at its edges; it has no influence as long
    as the model takes it.
    """
    across = across_px or 64 + 2 * int(getattr(model, "margin", 0))
    rows, columns = (_extent(model, axis, across) for axis in (0, 1))
    return None if rows is None or columns is None else max(rows, columns)


def _extent(model: nn.Module, axis: int, across_px: int) -> int | None:
    side = 512
    while side <= LONGEST_PX:
        first, last = reach(model, *((side, across_px) if axis == 0 else (across_px, side)), axis)
        # Against the outermost pixels that anything sees: strides may leave some at the edges unseen.
        inside = (first >= first.min() + CLEAR_PX) & (last <= last.max() - CLEAR_PX)
        if int(inside.sum()) >= CLEAR_PX:
            return int((last - first)[inside].max()) + 1
        # Where the outermost unit sees all of it, the field is at least twice this side: the next image would not do either.
        everywhere = bool((first == first.min()).all() and (last == last.max()).all())
        side *= 4 if everywhere else 2
    return None


def smallest_input_px(model: nn.Module, size: Sequence[int], axis: int) -> int:
    """The smallest height (axis 0) or width (1) that the model takes, the other side as in ``size``, which it takes.

    Found by halving: what takes a size is held to take all larger ones.
    """
    sides = range(1 + 2 * int(getattr(model, "margin", 0)), int(size[axis]) + 1)

    def does(side: int) -> bool:
        return takes(model, (side, size[1]) if axis == 0 else (size[0], side))

    # By the contract of our own models the first will do.
    return sides[0] if does(sides[0]) else sides[bisect_left(sides, True, key=does)]


def count_parameters(model: nn.Module) -> int:
    """Number of trainable and frozen parameters; fixed upsampling kernels and running statistics are not among them."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(model: nn.Module, size: Sequence[int]) -> int:
    """Floating-point operations for one image of (height, width) pixels: 2 x multiply-accumulates, in whole numbers.

    Counted are convolutions and transposed convolutions, matrix products, attention, and interpolation at one multiply-
    accumulate a neighbour (4 for bilinear, 16 for bicubic); not counted are element-wise operations, pooling and
    normalisation. The model runs on the meta device, where shapes are all there is, and is left as it was.
    """
    with FlopCounterMode(display=False, custom_mapping=INTERPOLATION) as counter:
        run_on_shapes(model, size)
    return counter.get_total_flops()


def _neighbours(count: int) -> Any:
    def flops(*_: Any, out_shape: Sequence[int], **__: Any) -> int:
        outputs = 1
        for side in out_shape:
            outputs *= side
        return 2 * count * outputs

    return flops


INTERPOLATION = {
    torch.ops.aten.upsample_bilinear2d: _neighbours(4),
    torch.ops.aten.upsample_bicubic2d: _neighbours(16),
}
"""What torch's own counter leaves out, and what segmentation spends a good part of its time on."""

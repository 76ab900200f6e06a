"""Overlap-tile inference (Ronneberger et al. 2015, figure 2): a model that loses its margin labels any image piece by piece."""

from collections.abc import Iterator

from torch import Tensor, nn

from bench.models.blocks import mirrored


def overlap_tiles(model: nn.Module, images: Tensor, tile: tuple[int, int] | None = None) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and logits (B, C, rows, columns) of one tile after the other, which together cover (B, 3, H, W) images.

    Beyond the border the image is mirrored. ``tile`` is a (height, width) in pixels of output, rounded up to the model's
    ``align_px``; None for one tile. The logits are the same for any tiling: tiles begin where the coarsest grid has a unit, and
    each is given all that its logits depend on.
    """
    margin, align = int(getattr(model, "margin", 0)), int(getattr(model, "align_px", 1))
    height, width = images.shape[-2:]
    high, wide = (
        -(-min(wanted, side) // align) * align for wanted, side in zip(tile or (height, width), (height, width), strict=True)
    )
    input_px = getattr(model, "input_px", lambda output: output + 2 * margin)
    tops, lefts = range(0, height, high), range(0, width, wide)
    bottom, right = tops[-1] + input_px(high) - margin - height, lefts[-1] + input_px(wide) - margin - width
    # One canvas for all tiles, so that mirrored pixels are the same to all of them as well.
    canvas = mirrored(images, margin, bottom, margin, right)
    for top in tops:
        for left in lefts:
            rows, columns = slice(top, min(top + high, height)), slice(left, min(left + wide, width))
            logits = model(canvas[..., top : top + input_px(high), left : left + input_px(wide)])
            yield rows, columns, logits[..., : rows.stop - top, : columns.stop - left]

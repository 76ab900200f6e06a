"""Bilinear upsampling as the transposed convolution it is, fixed or as the start of a learned one.

Written as a convolution it repeats to the bit on CUDA, which ``F.interpolate`` does not in its backward pass, and its cost is
counted like any other layer's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def bilinear_kernel(size: int) -> Tensor:
    """The (size, size) kernel of FCN's upsampling: (1 - |i - c| / f) (1 - |j - c| / f).

    f = (size + 1) // 2; the centre c is f - 1 for an odd size, f - 0.5 for an even one (Long et al. 2015, reference code).
    """
    factor = (size + 1) // 2
    tent = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return torch.outer(tent, tent)


class Upsample(nn.Module):
    """(B, C, h, w) to (B, C, factor * h, factor * w): unit u lies at pixel factor * u + offset_px, the rest is interpolated.

    Beyond the outermost units their values are continued. With the default offset, (factor - 1) / 2, units sit in the middle
    of their cells and the result is ``F.interpolate(mode="bilinear", align_corners=False)``.
    """

    def __init__(self, channels: int, factor: int, *, offset_px: float | None = None, learned: bool = False) -> None:
        super().__init__()
        offset_px = (factor - 1) / 2 if offset_px is None else offset_px
        if not 0 <= offset_px <= factor - 1 or (2 * offset_px) % 1:
            raise ValueError(f"offset_px {offset_px} is not a whole or half pixel from 0 to {factor - 1}")
        # A kernel of odd size has its centre on a pixel, one of even size between two.
        size = 2 * factor - (offset_px % 1 == 0)
        kernel = bilinear_kernel(size)
        self.factor, self.groups = factor, 1 if learned else channels
        # One unit is added at either end: cut it off, and grow where a shifted grid leaves the last pixels uncovered.
        self.before = int((size - 1) / 2 - offset_px) + factor
        self.after = max(0, 2 * self.before - size - factor)
        if learned:
            # Classes stay apart at the start; what one class says about another is there to be learned.
            self.weight = nn.Parameter(torch.eye(channels)[:, :, None, None] * kernel)
        else:
            # Follows from the specification, so it stays out of state dicts.
            self.register_buffer("weight", kernel.expand(channels, 1, size, size).clone(), persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        """Upsample (B, C, h, w) scores."""
        height, width = (self.factor * side for side in scores.shape[-2:])
        # Slices instead of F.pad(mode="replicate"), whose backward pass does not repeat to the bit on CUDA.
        scores = torch.cat((scores[..., :1, :], scores, scores[..., -1:, :]), -2)
        scores = torch.cat((scores[..., :1], scores, scores[..., -1:]), -1)
        grown = F.conv_transpose2d(
            scores, self.weight, stride=self.factor, padding=self.before, output_padding=self.after, groups=self.groups
        )
        return grown[..., :height, :width]

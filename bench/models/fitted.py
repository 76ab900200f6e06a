"""Models of others behind the contract of ours: any height and width, logits alone, an output stride that was measured."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BenchError
from bench.models.blocks import one_value_told
from bench.models.shapes import REFUSALS, idle_parameters, run_on_shapes
from bench.models.walk import walk

ODD = (97, 131)
"""A size that is a multiple of nothing."""
POWERS = (1, 2, 4, 8, 16, 32, 64, 128)


def build_for_real(build: Callable[[], Any]) -> Any:
    """What ``build`` makes, moved to the meta device where that is wanted: others' code may compute while it builds."""
    wanted = torch.get_default_device()
    with torch.device("cpu"):
        made = build()
    return made.to("meta") if wanted.type == "meta" and isinstance(made, nn.Module) else made


class Fitted(nn.Module):
    """(B, 3, H, W) images to (B, C, H, W) logits at any H and W: padded at the bottom and the right, then cropped.

    ``output`` picks the logits where the network returns several things under names. ``multiple`` is what sides are padded to,
    the smallest power of two at which the network takes an odd size and gives it back, ``least`` the smallest side it takes.
    ``output_stride`` is measured by tracing. Parts of the network that never take part are left out.
    """

    margin = 0

    def __init__(self, network: nn.Module, name: str, num_classes: int, *, output: str | None = None) -> None:
        super().__init__()
        self.network, self.name, self.output = network, name, output
        self.multiple = self.least = 1
        self.multiple = next(self._multiples(num_classes))
        self.least = next(self._sides())
        self._drop_idle()
        # Eight units a side of the coarsest grid there can be, so that no pooling of a pyramid finds it small.
        side = max(self.multiple, 32) * 8
        self.output_stride = walk(self, side, side).output_stride

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel; raises BenchError for a training batch that is too small for batch normalisation."""
        height, width = images.shape[-2:]
        bottom, right = (max(self.least, side + -side % self.multiple) - side for side in (height, width))
        images = F.pad(images, (0, right, 0, bottom)) if bottom or right else images
        with one_value_told(self.name):
            made = self.network(images)
        scores: Tensor = made[self.output] if self.output else made
        if not isinstance(scores, Tensor) or scores.shape[-2:] != images.shape[-2:]:
            # Cropping would hide it, and shift the scores.
            given = f"{tuple(scores.shape)}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
            raise BenchError(f"{self.name} gives {given} for images {tuple(images.shape)}; height and width must be the same")
        return scores[..., :height, :width]

    def _multiples(self, num_classes: int) -> Iterator[int]:
        """The multiples that will do; raises BenchError, with the reason for the last, when there is none left."""
        expected, reason = (1, num_classes, *ODD), ""
        for self.multiple in POWERS:
            try:
                made = run_on_shapes(self, ODD)
                if made.shape == expected:
                    yield self.multiple
                reason = f"it gives {tuple(made.shape)}, expected {expected}"
            except REFUSALS as error:
                reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise BenchError(f"{self.name} gives no scores for an image of {ODD[0]}x{ODD[1]}, whatever it is padded to: {reason}")

    def _sides(self) -> Iterator[int]:
        """The sides, in multiples, that the network takes."""
        for factor in POWERS:
            self.least = factor * self.multiple
            try:
                if tuple(run_on_shapes(self, (1, 1)).shape[2:]) == (1, 1):
                    yield self.least
            except REFUSALS:
                continue
        raise BenchError(f"{self.name} takes no square image of up to {self.least} pixels a side")

    def _drop_idle(self) -> None:
        """Put nothing in the place of parts without influence, so that they are neither counted nor stored nor trained."""
        idle = idle_parameters(self, ODD)
        for name, part in [*self.named_modules()]:
            own = [f"{name}.{parameter}" for parameter, _ in part.named_parameters()]
            if own and idle.issuperset(own):
                idle.difference_update(own)
                parent, _, child = name.rpartition(".")
                setattr(self.get_submodule(parent), child, nn.Identity())
        for name in idle:
            self.get_parameter(name).requires_grad_(False)

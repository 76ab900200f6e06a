"""How void pixels are kept from making boundaries.

The rule: void has no class of its own. A void pixel takes truth and prediction alike from the labelled pixel nearest to it
(city-block distance; of several, the one with the smallest label, then prediction), whatever was predicted there. Contours and
distances are those of the filled maps, so a void band between two classes hides their border in its middle, and a void
blob inside one class hides none. Void pixels themselves are never counted in an area, a band or a trimap. Hence a prediction
that is right on every labelled pixel is perfect, and predictions under void change nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.metrics.window import spread_nearest

_NEAR_PX = 63  # six doublings
_RANK = 1 << 14  # above any distance an image has, and rank << 16 still fits an int32


@dataclass(frozen=True)
class Scene:
    """A batch of truth and prediction, void filled in both."""

    labels: Tensor
    """(N, H, W) uint8."""
    preds: Tensor
    """(N, H, W) uint8."""
    counted: Tensor | None
    """(N, H, W) uint8, 0 on void and 1 elsewhere; None when there is no void."""

    def rows(self, part: slice) -> "Scene":
        """The same of a part of the batch."""
        return Scene(self.labels[part], self.preds[part], None if self.counted is None else self.counted[part])


def fill_void(preds: Tensor, labels: Tensor, ignore_index: int = 255) -> Scene:
    """Fill the void pixels of (N, H, W) maps from the labelled pixels nearest to them.

    Only an image without a single label keeps its void, as 255 in both maps.
    """
    assert preds.shape == labels.shape and labels.ndim == 3, f"preds {tuple(preds.shape)}, labels {tuple(labels.shape)}"
    truth, guess = labels.to(torch.uint8), preds.to(torch.uint8)
    if ignore_index != 255:
        truth = truth.masked_fill(labels == ignore_index, 255)
    counted = (truth + 1).clamp_(max=1)  # 255 wraps round to 0: a comparison with a number takes ten times as long
    if int(counted.min()):
        return Scene(truth, guess, None)
    # Complements, so that void, which is 0, comes out as 255 where nothing reaches it.
    pairs = (~truth).to(torch.int32).mul_(256).add_(~guess).add_(_RANK << 16).mul_(counted)
    # What is found within reach is nearest. Nearly always that is all, and longer reaches would double the cost.
    spread_nearest(pairs, unit=1 << 16, reach=_NEAR_PX)
    if max(labels.shape[-2:]) > _NEAR_PX and int(pairs.min()) < (_RANK - _NEAR_PX) << 16:
        spread_nearest(pairs, unit=1 << 16, reach=max(labels.shape[-2:]))
    return Scene(~(pairs >> 8).to(torch.uint8), ~pairs.to(torch.uint8), counted)

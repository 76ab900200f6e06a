"""What training minimises."""

from collections.abc import Callable

import torch
from torch import Tensor

IGNORE_INDEX = 255


def segmentation_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    class_weights: Tensor | None = None,
    pixel_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    divisor: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Cross-entropy over annotated pixels, their mean or with ``reduction="sum"`` their sum, a scalar in fp32.

    Takes logits (B, C, H, W), labels (B, H, W) of any integer type and class weights (C,). With weights the mean is weighted:
    divided by the sum of the weights of the true classes, as ``torch.nn.CrossEntropyLoss`` does, which this function equals
    but for three things. Pixel weights (B, H, W) are added to the class's, or to 1, as in U-Net's equation 2. A batch of void
    pixels alone gives 0 with a zero gradient, not NaN. And the two-dimensional NLL kernel, which does not repeat to the bit on
    CUDA, is left out: each pixel's own term is gathered, then summed.

    ``divisor`` takes the place of the batch's own in the mean: with `mean_divisor` of a whole batch the losses of its parts add
    up to its loss, however the annotated pixels are spread over them.
    """
    logs = logits.float().log_softmax(1)
    known = labels != ignore_index
    index = torch.where(known, labels, 0).long().unsqueeze(1)
    losses = -logs.gather(1, index)
    weights = _weights(index, known, class_weights, pixel_weights)
    total = (losses * weights).sum()
    if label_smoothing:
        spread = logs if class_weights is None else logs * class_weights.to(logs)[:, None, None]
        uniform = -(spread.sum(1) * known).sum() / logits.shape[1]
        if pixel_weights is not None:
            extra = (pixel_weights.to(logs) * known).unsqueeze(1)
            uniform = uniform - (logs * extra).sum() / logits.shape[1]
        total = torch.lerp(total, uniform, label_smoothing)
    if reduction == "sum":
        return total
    return total / (_divisor(known, weights) if divisor is None else divisor)


def mean_divisor(
    labels: Tensor,
    *,
    class_weights: Tensor | None = None,
    pixel_weights: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
    total: Callable[[Tensor], Tensor] = lambda sums: sums,
) -> Tensor:
    """What the mean of `segmentation_loss` divides by, from labels (B, H, W) alone: a scalar in fp32.

    Where the labels are a part of a batch, ``total`` adds the sums of the other parts to those it is handed.
    """
    known = labels != ignore_index
    index = torch.where(known, labels, 0).long().unsqueeze(1)
    weights = _weights(index, known, class_weights, pixel_weights)
    annotated, weight = total(torch.stack([known.any().float(), weights.sum()]))
    return torch.where(annotated > 0, weight, 1.0)


def _weights(index: Tensor, known: Tensor, class_weights: Tensor | None, pixel_weights: Tensor | None) -> Tensor:
    """The weight (B, 1, H, W) of every pixel, 0 where it is void."""
    weights = known.unsqueeze(1).float()
    if class_weights is not None:
        weights = weights * class_weights.to(weights)[index]
    if pixel_weights is not None:
        weights = weights + (pixel_weights.to(weights) * known).unsqueeze(1)
    return weights


def _divisor(known: Tensor, weights: Tensor) -> Tensor:
    # Where every pixel is void the numerator is an exact 0; any positive divisor keeps it so.
    return torch.where(known.any(), weights.sum(), 1.0)

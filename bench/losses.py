"""What training minimises."""

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
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Cross-entropy over annotated pixels, their mean or with ``reduction="sum"`` their sum, a scalar in fp32.

    Takes logits (B, C, H, W), labels (B, H, W) of any integer type and class weights (C,). With weights the mean is weighted:
    divided by the sum of the weights of the true classes, as ``torch.nn.CrossEntropyLoss`` does, which this function equals
    but for three things. Pixel weights (B, H, W) are added to the class's, or to 1, as in U-Net's equation 2. A batch of void
    pixels alone gives 0 with a zero gradient, not NaN. And the two-dimensional NLL kernel, which does not repeat to the bit on
    CUDA, is left out: each pixel's own term is gathered, then summed.
    """
    logs = logits.float().log_softmax(1)
    known = labels != ignore_index
    index = torch.where(known, labels, 0).long().unsqueeze(1)
    losses = -logs.gather(1, index)
    weights = known.unsqueeze(1).to(logs.dtype)
    if class_weights is not None:
        weights = weights * class_weights.to(logs)[index]
    extra = None if pixel_weights is None else (pixel_weights.to(logs) * known).unsqueeze(1)
    if extra is not None:
        weights = weights + extra
    total = (losses * weights).sum()
    if label_smoothing:
        spread = logs if class_weights is None else logs * class_weights.to(logs)[:, None, None]
        uniform = -(spread.sum(1) * known).sum() / logits.shape[1]
        if extra is not None:
            uniform = uniform - (logs * extra).sum() / logits.shape[1]
        total = torch.lerp(total, uniform, label_smoothing)
    if reduction == "sum":
        return total
    # Where every pixel is void the numerator is an exact 0; any positive divisor keeps it so.
    return total / torch.where(known.any(), weights.sum(), 1.0)

"""The effective receptive field: which of the pixels a unit can see it listens to (Luo et al., NeurIPS 2016, arXiv 1701.04128)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.models.shapes import evaluating

LEVEL = 0.0455
"""Share of the largest gradient above which a pixel counts: that of a Gaussian beyond two standard deviations, as in the paper."""


@dataclass(frozen=True)
class Effective:
    """Gradients of the unit in the middle of a model's output."""

    gradients: Tensor
    """(H, W) mean absolute gradient, the largest being 1."""
    unit: tuple[int, int]
    images: int

    @property
    def side_px(self) -> float:
        """Side of the square whose area is that of all pixels above `LEVEL` of the largest gradient."""
        return float((self.gradients > LEVEL).sum()) ** 0.5


def effective_field(model: nn.Module, size: Sequence[int], *, images: int = 8, seed: int = 0) -> Effective:
    """Measure the gradient of the middle unit of the output with respect to a (height, width) input.

    Averaged are its absolute values over ``images`` images of Gaussian noise and the three colours; the unit's channels are
    weighed by random signs, so that no two cancel by design. The model is run as for inference and left as it was; its weights
    decide, so trained and untrained networks differ. Raises BenchError where no pixel moves the unit at all.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    draw = torch.Generator().manual_seed(seed)
    total = torch.zeros(tuple(size), dtype=torch.float64)
    frozen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)  # gradients of weights are not asked for, and cost as much again
    try:
        with evaluating(model), torch.enable_grad():
            for _ in range(images):
                image = torch.randn(1, 3, *size, generator=draw).to(device).requires_grad_()
                scores = model(image)
                row, column = (int(side) // 2 for side in scores.shape[-2:])
                signs = (torch.randint(0, 2, (scores.shape[1],), generator=draw) * 2 - 1).to(device)
                (gradient,) = torch.autograd.grad((scores[0, :, row, column] * signs).sum(), image)
                total += gradient[0].abs().sum(0).double().cpu()
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    if not total.max() > 0:
        raise BenchError(
            f"no pixel of {images} images of noise moves the middle unit: with these weights it is silent. "
            "Give trained weights with --weights, or a wider model."
        )
    return Effective(total / total.max(), (row, column), images)

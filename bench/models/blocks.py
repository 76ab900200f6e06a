"""The parts that more than one model is built of."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BenchError


def double_conv(channels: int, width: int, *, norm: bool = True, padding: int = 1) -> nn.Sequential:
    """Two 3x3 convolutions with ReLU: (B, channels, H, W) to (B, width, H, W), or without padding to (B, width, H - 4, W - 4)."""
    return nn.Sequential(*_conv_relu(channels, width, norm, padding), *_conv_relu(width, width, norm, padding))


def _conv_relu(channels: int, width: int, norm: bool, padding: int) -> Iterator[nn.Module]:
    # Batch normalisation has its own shift, so the convolution before it needs no bias.
    yield nn.Conv2d(channels, width, 3, padding=padding, bias=not norm)
    if norm:
        yield nn.BatchNorm2d(width)
    yield nn.ReLU(inplace=True)


@contextmanager
def one_value_told(name: str, remedy: str = "") -> Iterator[None]:
    """Raise BenchError where batch normalisation finds a single value a channel, whose deviation is none."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise BenchError(
            f"{name} normalises over the batch where it has a single unit left: train.batch must be 2 or more{remedy}"
        ) from error


def he_normal(module: nn.Module) -> None:
    """Draw every convolution below from N(0, sqrt(2 / N)), N inputs a unit, with zero biases (He et al., arXiv 1502.01852).

    A 2x2 transposed convolution of stride 2 reaches each output through one tap, so its N is its number of input channels.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        elif isinstance(part, nn.ConvTranspose2d):
            taps = part.kernel_size[0] * part.kernel_size[1] / (part.stride[0] * part.stride[1])
            nn.init.normal_(part.weight, std=(2 / (part.in_channels / part.groups * taps)) ** 0.5)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
            continue
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def pad_to_multiple(images: Tensor, multiple: int, before: int = 0, after: int = 0) -> Tensor:
    """Grow (B, C, H, W) at the bottom and the right with zeros, so that H and W are multiples; the grid's origin stays put.

    Then add rows and columns of zeros ``before`` and ``after``.
    """
    bottom, right = (-side % multiple + after for side in images.shape[-2:])
    return F.pad(images, (before, right, before, bottom)) if bottom or right or before else images


def mirrored(images: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """Grow (B, C, H, W) by its own mirror image, the outermost pixels not repeated; where that ends, it is mirrored again."""
    if max(top, bottom) < images.shape[-2] and max(left, right) < images.shape[-1]:
        return F.pad(images, (left, right, top, bottom), mode="reflect") if top or bottom or left or right else images
    rows = _mirrored(images.shape[-2], top, bottom, images.device)
    columns = _mirrored(images.shape[-1], left, right, images.device)
    return images.index_select(-2, rows).index_select(-1, columns)


def _mirrored(side: int, before: int, after: int, device: torch.device) -> Tensor:
    period = max(1, 2 * (side - 1))
    place = torch.arange(-before, side + after, device=device).remainder(period)
    return torch.minimum(place, period - place) if side > 1 else place

"""U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, arXiv 1505.04597, with convolutions padded to keep the size."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.models.blocks import double_conv, he_normal, pad_to_multiple
from bench.specs import UnetSpec


def build(spec: UnetSpec, num_classes: int) -> "Unet":
    """A U-Net of ``spec.depth`` poolings whose first level is ``spec.width`` channels wide."""
    model = Unet(spec, num_classes)
    he_normal(model)
    return model


class Encoder(nn.Module):
    """The contracting path: (B, 3, H, W) to the features of all levels, finest first, each at half the last one's size."""

    def __init__(self, widths: list[int], *, norm: bool, dropout: float) -> None:
        super().__init__()
        self.levels = nn.ModuleList(double_conv(*pair, norm=norm) for pair in pairwise([3, *widths]))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The features of every level."""
        features = [self.levels[0](images)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return [*features[:-1], self.dropout(features[-1])]


class Decoder(nn.Module):
    """The expanding path: up-convolutions that halve the channels, each joined by the level of its size, to (B, width, H, W)."""

    def __init__(self, widths: list[int], *, norm: bool) -> None:
        super().__init__()
        pairs = list(pairwise(widths))[::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(deep, fine, 2, stride=2) for fine, deep in pairs)
        self.levels = nn.ModuleList(double_conv(2 * fine, fine, norm=norm) for fine, _ in pairs)

    def forward(self, features: list[Tensor]) -> Tensor:
        """The features at the resolution of the image."""
        *skips, x = features
        for up, level, skip in zip(self.ups, self.levels, reversed(skips), strict=True):
            x = level(torch.cat((skip, up(x)), 1))
        return x


class Unet(nn.Module):
    """(B, 3, H, W) images to (B, C, H, W) logits at any H and W: padded to a multiple of 2^depth, then cropped.

    ``encoder``, ``decoder`` and ``score`` run once each a pass, one after the other, and are all there is.
    """

    margin = 0
    output_stride = 1

    def __init__(self, spec: UnetSpec, num_classes: int) -> None:
        super().__init__()
        widths = [spec.width * 2**level for level in range(spec.depth + 1)]
        norm = spec.norm == "batch"
        self.coarsest = 2**spec.depth
        self.encoder = Encoder(widths, norm=norm, dropout=spec.dropout)
        self.decoder = Decoder(widths, norm=norm)
        self.score = nn.Conv2d(spec.width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel."""
        height, width = images.shape[-2:]
        features = self.encoder(pad_to_multiple(images, self.coarsest))
        return self.score(self.decoder(features))[..., :height, :width]

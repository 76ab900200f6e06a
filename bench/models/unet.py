"""U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, arXiv 1505.04597, as published or with convolutions padded to keep the size.

Its decoder may stop at a coarser stride, where classes are scored and the scores interpolated: FCN's axis, for this family.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.models.blocks import double_conv, he_normal, mirrored, one_value_told, pad_to_multiple
from bench.models.upsample import Upsample
from bench.specs import UnetSpec


def build(spec: UnetSpec, num_classes: int) -> "Unet":
    """A U-Net of ``spec.depth`` poolings whose first level is ``spec.width`` channels wide."""
    model = Unet(spec, num_classes)
    he_normal(model)
    return model


class Encoder(nn.Module):
    """The contracting path: (B, channels, H, W) to the features of all levels, finest first, each at half the last one's size."""

    def __init__(self, widths: list[int], *, norm: bool, dropout: float, channels: int = 3, padding: int = 1) -> None:
        super().__init__()
        self.levels = nn.ModuleList(double_conv(*pair, norm=norm, padding=padding) for pair in pairwise([channels, *widths]))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The features of every level."""
        features = [self.levels[0](images)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return [*features[:-1], self.dropout(features[-1])]


class Decoder(nn.Module):
    """The expanding path: up-convolutions that halve the channels, each joined by the middle of the level of its size.

    Goes from the last of ``widths`` to the one at ``finest``.
    """

    def __init__(self, widths: list[int], *, norm: bool, finest: int = 0, padding: int = 1) -> None:
        super().__init__()
        pairs = list(pairwise(widths[finest:]))[::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(deep, fine, 2, stride=2) for fine, deep in pairs)
        self.levels = nn.ModuleList(double_conv(2 * fine, fine, norm=norm, padding=padding) for fine, _ in pairs)

    def forward(self, features: list[Tensor]) -> Tensor:
        """The features at the resolution of the finest level that is reached."""
        *skips, x = features
        for up, level, skip in zip(self.ups, self.levels, skips[::-1], strict=False):
            x = up(x)
            frame = (skip.shape[-1] - x.shape[-1]) // 2
            x = level(torch.cat((_without(skip, frame), x), 1))
        return x


class Unet(nn.Module):
    """(B, channels, H, W) images to (B, C, H - 2 margin, W - 2 margin) logits at any H and W above 2 margin.

    Padded, an image is grown to a multiple of 2^depth, else by its mirror image to the next size at which every pooling divides
    evenly; both at the bottom and the right alone. ``encoder``, ``decoder``, ``score`` and, above stride 1, ``final`` run once
    each a pass, one after the other, and are all there is. Raises BenchError for an image that is all margin.
    """

    def __init__(self, spec: UnetSpec, num_classes: int, *, channels: int = 3) -> None:
        super().__init__()
        widths = [spec.width * 2**level for level in range(spec.depth + 1)]
        norm, padding = spec.norm == "batch", int(spec.padding == "same")
        self.output_stride, self.margin = spec.stride, spec.margin_px
        self.align_px = 2**spec.depth
        """Spacing of the coarsest grid: inputs cut at multiples of it are pooled alike."""
        finest = spec.stride.bit_length() - 1
        self.encoder = Encoder(widths, norm=norm, dropout=spec.dropout, channels=channels, padding=padding)
        self.decoder = Decoder(widths, norm=norm, finest=finest, padding=padding)
        self.score = nn.Conv2d(widths[finest], num_classes, 1)
        self.final = Upsample(num_classes, spec.stride) if spec.stride > 1 else nn.Identity()

    def input_px(self, output_px: int) -> int:
        """The smallest side of an input that needs no growing and gives at least that many pixels of logits."""
        if not self.margin:
            return output_px + -output_px % self.align_px
        # An input of 2^depth units of the lowest level, and what the convolutions above it lose: 12 mod 16 at depth 4.
        least = output_px + 2 * self.margin
        return least + (4 * (self.align_px - 1) - least) % self.align_px

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel that is not margin."""
        height, width = (side - 2 * self.margin for side in images.shape[-2:])
        if min(height, width) < 1:
            given = "x".join(map(str, images.shape[-2:]))
            raise BenchError(
                f"an image of {given} px is too small for a U-Net with valid convolutions that loses {self.margin} px a side: "
                f"more than {2 * self.margin} px are needed. Use larger images or crops, less depth, or padding: same."
            )
        if self.margin:
            bottom, right = (self.input_px(side) - side - 2 * self.margin for side in (height, width))
            images = mirrored(images, 0, bottom, 0, right) if bottom or right else images
        else:
            images = pad_to_multiple(images, self.align_px)
        with one_value_told(f"a U-Net of depth {len(self.encoder.levels) - 1}", ", or train.crop larger, or norm: none"):
            features = self.encoder(images)
        logits = self.final(self.score(self.decoder(features)))
        # What lies outside the middles of the outermost units would not be interpolated but continued.
        return _without(logits, self.output_stride // 2 if self.margin else 0)[..., :height, :width]


def _without(features: Tensor, frame: int) -> Tensor:
    """Take a frame of that many units off."""
    return features[..., frame:-frame, frame:-frame] if frame else features

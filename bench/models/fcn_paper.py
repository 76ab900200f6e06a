"""FCN-32s, -16s and -8s as Long, Shelhamer and Darrell released them (shelhamer/fcn.berkeleyvision.org), layer by layer.

VGG16 with 100 px of zeros around the image, pools that round up, fc6 without padding, and scores that are cropped by the offsets
of the released graphs. Layers bear the names of the public PyTorch port, so its state dicts load as they are.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models as tv

from bench.models.blocks import he_normal
from bench.models.upsample import bilinear_kernel
from bench.models.weights import load_weights
from bench.specs import FcnSpec

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions of each stage of VGG16."""
MEAN_BGR = (104.00699, 116.66877, 122.67892)
"""Taken out of blue, green and red in 0 … 255: the colours of Caffe's VGG16."""
MEAN_RGB, DEVIATION_RGB = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What this project's images, and torchvision's weights, have had taken out, for red, green and blue in 0 … 1."""
UPSAMPLING = {
    32: {"upscore": (32, 19)},
    16: {"upscore2": (2, 5), "upscore16": (16, 27)},
    8: {"upscore2": (2, 5), "upscore_pool4": (2, 9), "upscore8": (8, 31)},
}
"""Stride -> layer -> its factor, and the units by which what it is added to, or its own result at the end, is cropped."""


def build_paper(spec: FcnSpec, num_classes: int) -> "PaperFcn":
    """The paper's graph; raises BenchError for ImageNet weights that cannot be had."""
    scaled, learned = spec.skips == "scaled", spec.upsampling == "learned"
    model = PaperFcn(num_classes, spec.stride, dropout=spec.dropout, scaled=scaled, learned=learned)
    if spec.weights:
        with torch.device("meta"):
            classifier = tv.vgg16()
        load_weights(classifier, "vgg16")
        model.adopt(classifier)
    return model


class Bilinear(nn.Module):
    """A transposed convolution of stride ``factor`` without padding: (B, C, h, w) to (B, C, factor * (h + 1), ...).

    Its weight is (C, C, 2 factor, 2 factor) as in the paper's graph; fixed, it is no parameter but stays in the state dict.
    """

    def __init__(self, channels: int, factor: int, *, learned: bool) -> None:
        super().__init__()
        self.factor = factor
        weight = torch.eye(channels)[:, :, None, None] * bilinear_kernel(2 * factor)
        if learned:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)

    def forward(self, scores: Tensor) -> Tensor:
        """Upsample (B, C, h, w) scores."""
        return F.conv_transpose2d(scores, self.weight, stride=self.factor)


class PaperFcn(nn.Module):
    """(B, 3, H, W) images to (B, C, H, W) logits at any H and W.

    ``widths`` and ``head_width`` are those of VGG16 in the paper. Score layers start at 0, all else from He's initialisation.
    With ``scaled``, FCN-8s at once: what the skips score is multiplied by 0.01 (pool4) and 0.0001 (pool3).
    """

    margin = 0
    factor: Tensor
    summand: Tensor

    def __init__(
        self, num_classes: int, stride: int, *, dropout: float = 0.5, scaled: bool = False, learned: bool = False,
        widths: tuple[int, ...] = WIDTHS, head_width: int = 4096,
    ) -> None:  # fmt: skip
        super().__init__()
        self.output_stride, self.scale = stride, 0.01 if scaled else 1.0
        # (3, 1, 1) factor and summand that turn normalised channels, in the order blue, green, red, into colours less Caffe's mean.
        mean, deviation = (_channels(each[::-1]) * 255 for each in (MEAN_RGB, DEVIATION_RGB))
        self.register_buffer("factor", deviation, persistent=False)
        self.register_buffer("summand", mean - _channels(MEAN_BGR), persistent=False)
        channels = 3
        for stage, (width, depth) in enumerate(zip(widths, DEPTHS, strict=True), start=1):
            for place in range(1, depth + 1):
                padding = 100 if (stage, place) == (1, 1) else 1
                self.add_module(f"conv{stage}_{place}", nn.Conv2d(channels, width, 3, padding=padding))
                channels = width
        self.fc6 = nn.Conv2d(channels, head_width, 7)
        self.fc7 = nn.Conv2d(head_width, head_width, 1)
        self.dropout = nn.Dropout(dropout)
        he_normal(self)
        taps = {"score_fr": head_width, "score_pool4": widths[3], "score_pool3": widths[2]}
        self.skips = list(taps)[1 : len(UPSAMPLING[stride])]
        for name in ("score_fr", *self.skips):
            self.add_module(name, nn.Conv2d(taps[name], num_classes, 1))
            for parameter in self.get_submodule(name).parameters():
                nn.init.zeros_(parameter)
        for name, (factor, _) in UPSAMPLING[stride].items():
            # The last one is fixed whatever the others are, as in the paper.
            self.add_module(name, Bilinear(num_classes, factor, learned=learned and factor == 2))

    def adopt(self, classifier: Any) -> None:
        """Take over the convolutions, fc6 and fc7 of torchvision's VGG16, whose first layer is rewritten to read BGR in 0 … 255."""
        given: list[Any] = [layer for layer in classifier.features if isinstance(layer, nn.Conv2d)]
        dense: list[Any] = [layer for layer in classifier.classifier if isinstance(layer, nn.Linear)]
        names = [f"conv{stage}_{place}" for stage, depth in enumerate(DEPTHS, start=1) for place in range(1, depth + 1)]
        mine: dict[str, Any] = dict(self.named_children())
        for name, layer in zip([*names, "fc6", "fc7"], [*given, *dense[:2]], strict=True):
            mine[name].weight = nn.Parameter(layer.weight.detach().view_as(mine[name].weight))
            mine[name].bias = nn.Parameter(layer.bias.detach())
        weight = mine["conv1_1"].weight.detach().flip(1) / self.factor
        mine["conv1_1"].weight = nn.Parameter(weight)
        mine["conv1_1"].bias = nn.Parameter(mine["conv1_1"].bias.detach() - (weight * self.summand).sum((1, 2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel."""
        height, width = images.shape[-2:]
        x, pools = images.flip(1) * self.factor + self.summand, []
        for stage, depth in enumerate(DEPTHS, start=1):
            for place in range(1, depth + 1):
                x = F.relu(self.get_submodule(f"conv{stage}_{place}")(x), inplace=True)
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            pools.append(x)
        for name in ("fc6", "fc7"):
            x = self.dropout(F.relu(self.get_submodule(name)(x), inplace=True))
        x = self.get_submodule("score_fr")(x)
        *steps, (last, (_, offset)) = UPSAMPLING[self.output_stride].items()
        for skip, (name, (_, crop)) in enumerate(steps, start=1):
            x = self.get_submodule(name)(x)
            taken = pools[-1 - skip] if self.scale == 1 else pools[-1 - skip] * self.scale**skip
            scored = self.get_submodule(self.skips[skip - 1])(taken)
            x = x + scored[..., crop : crop + x.shape[-2], crop : crop + x.shape[-1]]
        return self.get_submodule(last)(x)[..., offset : offset + height, offset : offset + width]


def _channels(values: tuple[float, ...]) -> Tensor:
    """Three values as (3, 1, 1); on the CPU, where weights are read, whatever the model is built on."""
    return torch.tensor(values, device="cpu")[:, None, None]

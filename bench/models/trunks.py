"""Classifiers cut down to what an FCN builds on: five stages, each at half the resolution of the one before."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models as tv

from bench.models.blocks import double_conv, he_normal
from bench.models.weights import load_weights
from bench.specs import FcnSpec


@dataclass(frozen=True)
class Tap:
    """One stage's output: its stride, its channels, and the pixel that its first unit has in its middle."""

    stride: int
    channels: int
    centre_px: float


class Trunk(nn.Module):
    """Stages run one after the other; what the taps from ``finest`` on give comes out by stride.

    Takes (B, 3, H, W) with H and W multiples of the last stride and returns {stride: (B, channels, H/stride, W/stride)}.
    """

    def __init__(self, stages: list[nn.Module], taps: list[Tap], *, head_kernel: int, head_width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.taps = taps
        self.head_kernel = head_kernel
        """Side in units of the classifier's first dense layer, read as a convolution."""
        self.head_width = head_width
        """Channels of fc6 and fc7 where a specification names none."""

    def forward(self, images: Tensor, finest: int = 1) -> dict[int, Tensor]:
        """The features of every stage at stride ``finest`` or coarser, by stride."""
        features = {}
        for stage, tap in zip(self.stages, self.taps, strict=True):
            images = stage(images)
            if tap.stride >= finest:
                features[tap.stride] = images
        return features


def build_trunk(spec: FcnSpec) -> tuple[Trunk, list[nn.Linear]]:
    """The trunk a specification names, with He's initialisation or ImageNet weights, and what a head may start from.

    That is the classifier's own fc6 and fc7, where it has them and comes with weights. Raises BenchError as `load_weights` does.
    """
    if spec.backbone == "small":
        trunk, dense = _small(spec.width)
    else:
        # On the meta device, dense layers that nobody needs cost nothing.
        with torch.device("meta"):
            classifier: Any = getattr(tv, spec.backbone)()
        if spec.weights:
            load_weights(classifier, spec.backbone)
        trunk, dense = _vgg(classifier) if spec.backbone.startswith("vgg") else _resnet(classifier)
    if spec.weights is None:
        trunk.to_empty(device="cpu")
        he_normal(trunk)
        dense = []
    return trunk, dense


def _small(width: int) -> tuple[Trunk, list[nn.Linear]]:
    """A VGG in miniature, for minutes on a CPU: five pairs of 3x3 convolutions, each followed by 2x2 pooling."""
    widths = [3, *(width * factor for factor in (1, 2, 4, 8, 8))]
    stages: list[nn.Module] = []
    for channels, wider in pairwise(widths):
        stages.append(nn.Sequential(*double_conv(channels, wider), nn.MaxPool2d(2)))
    return Trunk(stages, _cells(widths[1:]), head_kernel=7, head_width=widths[-1]), []


def _vgg(classifier: Any) -> tuple[Trunk, list[nn.Linear]]:
    """Simonyan and Zisserman, arXiv 1409.1556, as in torchvision: a stage ends with its pooling."""
    stages: list[nn.Module] = []
    stage: list[nn.Module] = []
    for layer in classifier.features:
        stage.append(layer)
        if isinstance(layer, nn.MaxPool2d):
            stages.append(nn.Sequential(*stage))
            stage = []
    dense = [layer for layer in classifier.classifier if isinstance(layer, nn.Linear)]
    return Trunk(stages, _cells([64, 128, 256, 512, 512]), head_kernel=7, head_width=4096), dense[:2]


def _resnet(net: Any) -> tuple[Trunk, list[nn.Linear]]:
    """He et al., arXiv 1512.03385, as in torchvision: the stride is in a stage's first 3x3 convolution."""
    stages = [
        nn.Sequential(net.conv1, net.bn1, net.relu),
        nn.Sequential(net.maxpool, net.layer1),
        net.layer2,
        net.layer3,
        net.layer4,
    ]
    width = net.fc.in_features
    # Odd kernels, padded by half, keep unit 0 on pixel 0 at every stage.
    widths = [64, width // 8, width // 4, width // 2, width]
    return Trunk(
        stages, [Tap(2**n, channels, 0.0) for n, channels in enumerate(widths, start=1)], head_kernel=1, head_width=width
    ), []


def _cells(widths: list[int]) -> list[Tap]:
    """The taps of a trunk that halves by 2x2 pooling: units sit in the middle of their cells of stride x stride pixels."""
    return [Tap(2**n, channels, (2**n - 1) / 2) for n, channels in enumerate(widths, start=1)]

"""Classifiers cut down to what an FCN builds on: stages, each at half the resolution of the one before.

Where a stage ends, and where its grid lies, is found out by tracing the layers, not written down: any classifier will do that is a
chain of layers up to its global pooling or its first dense layer.
"""

from itertools import pairwise
from math import isqrt

import torch
from torch import Tensor, nn

from bench.models.blocks import double_conv, he_normal
from bench.models.chain import chain
from bench.models.classifiers import build_classifier
from bench.models.grids import Tap
from bench.models.weights import load_weights
from bench.specs import FcnSpec


class Trunk(nn.Module):
    """Stages run one after the other; what the taps from ``finest`` on give comes out by stride.

    Takes (B, 3, H, W) and returns {stride: (B, channels, h, w)}, as many units as each tap's size map says.
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

    That is the classifier's own fc6 and fc7, where it has them and comes with weights. A trunk of other parts than convolutions
    and batch normalisation (ConvNeXt) has its own initialisation. Raises BenchError as `load_weights` does.
    """
    if spec.backbone == "small":
        trunk, dense = _small(spec.width)
    else:
        # On the meta device, dense layers that nobody needs cost nothing.
        classifier = build_classifier(spec.backbone, meta=True)
        if spec.weights:
            load_weights(classifier, spec.backbone)
        trunk, dense = _convolutional(classifier)
    if spec.weights is None:
        dense = []
        device = torch.get_default_device()
        if _all_drawn(trunk):
            trunk.to_empty(device=device)
            he_normal(trunk)
        elif device.type != "meta":
            trunk, _ = _convolutional(build_classifier(spec.backbone))
            trunk.to(device)
    return trunk, dense


def _all_drawn(trunk: nn.Module) -> bool:
    """Whether `he_normal` leaves no parameter as it is."""
    parts = (part for part in trunk.modules() if any(True for _ in part.parameters(recurse=False)))
    return all(isinstance(part, (nn.Conv2d, nn.BatchNorm2d)) for part in parts)


def _small(width: int) -> tuple[Trunk, list[nn.Linear]]:
    """A VGG in miniature, for minutes on a CPU: five pairs of 3x3 convolutions, each followed by 2x2 pooling."""
    widths = [3, *(width * factor for factor in (1, 2, 4, 8, 8))]
    stages: list[nn.Module] = []
    for channels, wider in pairwise(widths):
        stages.append(nn.Sequential(*double_conv(channels, wider), nn.MaxPool2d(2)))
    # Units sit in the middle of their cells of stride x stride pixels.
    taps = [Tap(2**n, channels, (2**n - 1) / 2, 2**n) for n, channels in enumerate(widths[1:], start=1)]
    return Trunk(stages, taps, head_kernel=7, head_width=widths[-1]), []


def _convolutional(classifier: nn.Module) -> tuple[Trunk, list[nn.Linear]]:
    """The layers of a torchvision classifier before its end, in stages.

    Where the last layer is a pooling, stages end with theirs, as in VGG and the paper; a grid that no pooling made, and every grid
    of other trunks, ends with the last layer at its resolution.
    """
    stages: list[nn.Module] = []
    taps: list[Tap] = []
    links = chain(classifier)
    pooled = isinstance(links[-1].layer, nn.MaxPool2d)
    stage: list[nn.Module] = []
    for place, (layer, tap) in enumerate(links):
        stage.append(layer)
        before = links[place - 1].tap.stride if place else 1
        after = links[place + 1].tap.stride if place + 1 < len(links) else 0
        made = pooled and isinstance(layer, nn.MaxPool2d) and tap.stride > before
        left = after > tap.stride > 1 and tap.stride not in (each.stride for each in taps)
        if made or left or not after:
            # A layer that is a stage of its own keeps its names.
            stages.append(stage[0] if len(stage) == 1 else nn.Sequential(*stage))
            taps.append(tap)
            stage = []
    if not pooled:
        return Trunk(stages, taps, head_kernel=1, head_width=taps[-1].channels), []
    dense = [layer for layer in classifier.modules() if isinstance(layer, nn.Linear)]
    kernel = isqrt(dense[0].in_features // taps[-1].channels)
    return Trunk(stages, taps, head_kernel=kernel, head_width=dense[0].out_features), dense[:2]

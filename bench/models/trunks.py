"""Classifiers cut down to what an FCN builds on: stages, each at half the resolution of the one before.

Where a stage ends, and where its grid lies, is found out by running the layers, not written down: any classifier that is a chain
of layers at strides 2, 4, 8, 16 and 32 will do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models as tv

from bench.models.blocks import double_conv, he_normal
from bench.models.reach import Reach
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
            options = {"aux_logits": False, "init_weights": False} if spec.backbone == "googlenet" else {}
            classifier: Any = getattr(tv, spec.backbone)(**options)
        if spec.weights:
            load_weights(classifier, spec.backbone)
        trunk, dense = _convolutional(classifier, pooled=spec.backbone.startswith("vgg"))
    if spec.weights is None:
        trunk.to_empty(device=torch.get_default_device())
        he_normal(trunk)
        dense = []
    return trunk, dense


def _small(width: int) -> tuple[Trunk, list[nn.Linear]]:
    """A VGG in miniature, for minutes on a CPU: five pairs of 3x3 convolutions, each followed by 2x2 pooling."""
    widths = [3, *(width * factor for factor in (1, 2, 4, 8, 8))]
    stages: list[nn.Module] = []
    for channels, wider in pairwise(widths):
        stages.append(nn.Sequential(*double_conv(channels, wider), nn.MaxPool2d(2)))
    # Units sit in the middle of their cells of stride x stride pixels.
    taps = [Tap(2**n, channels, (2**n - 1) / 2) for n, channels in enumerate(widths[1:], start=1)]
    return Trunk(stages, taps, head_kernel=7, head_width=widths[-1]), []


def _convolutional(classifier: Any, *, pooled: bool) -> tuple[Trunk, list[nn.Linear]]:
    """The layers of a torchvision classifier before its global pooling, in stages.

    With ``pooled`` a stage ends with its pooling, as in VGG and the paper, else with the last layer at its resolution.
    """
    stages: list[nn.Module] = []
    taps: list[Tap] = []
    chain = list(_chain(_layers(classifier)))
    last = len(chain) - 1
    stage: list[nn.Module] = []
    for place, (layer, tap) in enumerate(chain):
        stage.append(layer)
        before = chain[place - 1][1].stride if place else 1
        if place == last or (tap.stride > before if pooled else chain[place + 1][1].stride > tap.stride > 1):
            # A layer that is a stage of its own keeps its names.
            stages.append(stage[0] if len(stage) == 1 else nn.Sequential(*stage))
            taps.append(tap)
            stage = []
    if not pooled:
        return Trunk(stages, taps, head_kernel=1, head_width=taps[-1].channels), []
    dense = [layer for layer in classifier.classifier if isinstance(layer, nn.Linear)]
    return Trunk(stages, taps, head_kernel=7, head_width=4096), dense[:2]


def _layers(classifier: Any) -> list[nn.Module]:
    """What a classifier does before it pools globally, layer by layer."""
    if not hasattr(classifier, "features"):
        pool = next(n for n, layer in enumerate(classifier.children()) if isinstance(layer, nn.AdaptiveAvgPool2d))
        return list(classifier.children())[:pool]
    layers = list(classifier.features)
    # DenseNet's last activation is in its forward pass alone.
    return [*layers, nn.ReLU(inplace=True)] if isinstance(classifier, tv.DenseNet) else layers


def _chain(layers: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, Tap]]:
    """Every layer with the grid of its output, found by sending coordinates through it."""
    tap = Tap(1, 3, 0.0)
    # Longer than any one layer's field: the 36 blocks of ResNet-152's third stage see 143 px of what they are given.
    line = torch.arange(256.0, device="cpu")
    for layer in layers:
        with torch.no_grad():
            coordinates = torch.stack((-line, line))[:, None, None].expand(2, tap.channels, 4, -1)
            out = layer.eval()(Reach(coordinates.contiguous())).coordinates
        layer.train()
        first, last = -out[0].amax((0, 1)), out[1].amax((0, 1))
        unit, factor = len(first) // 2, len(line) // len(first)
        # The middle of what a unit far from all borders sees, less the units before it.
        centre = (first[unit] + last[unit]).item() / 2 - unit * factor
        tap = Tap(tap.stride * factor, out.shape[1], tap.centre_px + centre * tap.stride)
        yield layer, tap

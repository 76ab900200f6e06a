"""Receptive fields against autograd, operations against pencil and paper."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.models import build_model
from bench.models.reach import reach
from bench.models.trace import count_flops, count_parameters, receptive_field_px
from bench.specs import FcnSpec, UnetSpec
from tests.test_models_fcn import positive

SMALL = FcnSpec(name="fcn", backbone="small", width=1, head_width=1)


class Graph(nn.Module):
    """A function of an image and layers as a module."""

    def __init__(self, function, *layers):
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, x):
        return self.function(x, *self.layers)


def conv(kernel, **options):
    return nn.Conv2d(3, 3, kernel, **options)


def by_autograd(model: nn.Module, height: int, width: int, axis: int, every: int = 1) -> list[tuple[int, int]]:
    """First and last pixel that move an output line, for one line in ``every``."""
    images = torch.ones(1, 3, height, width, dtype=torch.float64, requires_grad=True)
    lines = positive(model)(images).sum((0, 1, 3 - axis))
    spans = []
    for line in lines[::every]:
        seen = torch.autograd.grad(line, images, retain_graph=True)[0].sum((0, 1, 3 - axis)).nonzero().flatten()
        spans.append((int(seen[0]), int(seen[-1])))
    return spans


def by_reach(model: nn.Module, height: int, width: int, axis: int, every: int = 1) -> list[tuple[int, int]]:
    first, last = reach(model, height, width, axis)
    return [(int(a), int(b)) for a, b in zip(first[::every], last[::every], strict=True)]


GRAPHS = {
    "strides and dilation": Graph(lambda x, a, b: b(a(x)), conv(5, stride=2, padding=3), conv(3, dilation=3)),
    "even kernels": Graph(lambda x, a, b: b(a(x)), conv(4, stride=2, padding=1), nn.AvgPool2d(2, 2, ceil_mode=True)),
    "oblong kernels": Graph(lambda x, a, b: b(a(x)), conv((1, 7), padding=(0, 3)), conv((3, 1), stride=(2, 1))),
    "two paths": Graph(lambda x, a, b: torch.cat((a(x), b(x)), 1), conv(3, padding=1), conv(7, padding=3)),
    "a residual in place": Graph(lambda x, a: a(x).add_(x).relu_(), conv(5, padding=2)),
    "misaligned paths": Graph(lambda x, a: a(x)[..., 3:, 3:] + x[..., :-3, :-3], conv(3, padding=1)),
    "up-convolution": Graph(lambda x, a, b: b(a(x)), conv(3, stride=2), nn.ConvTranspose2d(3, 3, 3, 2, 1, output_padding=1)),
    "dilated up-convolution": Graph(lambda x, a: a(x), nn.ConvTranspose2d(3, 3, 3, 2, 3, dilation=3)),
    "groups": Graph(lambda x, a, b: b(a(x).repeat(1, 2, 1, 1)), conv(3, groups=3), nn.Conv2d(6, 4, 3, groups=2, padding=2)),
    "bilinear": Graph(lambda x, a: F.interpolate(a(x), scale_factor=4.0, mode="bilinear"), conv(3, stride=4)),
    "corners": Graph(lambda x, a: F.interpolate(a(x), size=(21, 30), mode="bilinear", align_corners=True), conv(3, stride=4)),
    "nearest": Graph(lambda x, a: F.interpolate(a(x), scale_factor=3), conv(3, stride=4)),
    "pooling to a size": Graph(lambda x, a: F.adaptive_avg_pool2d(a(x), (5, 7)), conv(3)),
    "padding and constants": Graph(
        lambda x, a: torch.cat((a(F.pad(x, (9, 9, 9, 9))), torch.zeros(len(x), 1, 40, 50).to(x)), 1), conv(11)
    ),
    "mirrored borders": Graph(lambda x, a: a(F.pad(x, (4, 4, 4, 4), mode="reflect")), conv(3)),
    "shuffled pixels": Graph(lambda x, a: F.pixel_shuffle(a(x), 2), nn.Conv2d(3, 12, 3, stride=2)),
    "a matrix over channels": Graph(lambda x, a: a(x.movedim(1, -1)).movedim(-1, 1), nn.Linear(3, 4)),
    "gates": Graph(lambda x, a, b: a(x) * b(x), conv(1), conv(3, padding=1)),
    "means": Graph(lambda x, a: a(x) + x.mean(3, keepdim=True), conv(3, padding=1)),
}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_fields_are_what_autograd_says(name, axis):
    assert by_reach(GRAPHS[name], 32, 42, axis) == by_autograd(GRAPHS[name], 32, 42, axis)


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        SMALL.model_copy(update={"stride": 32, "upsampling": "fixed"}),
        SMALL.model_copy(update={"backbone": "resnet18"}),
        UnetSpec(name="unet", width=1, depth=3),
        UnetSpec(name="unet", width=1, norm="none"),
    ],
    ids=["fcn-8", "fcn-32", "resnet", "unet", "plain unet"],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_fields_of_models_are_what_autograd_says(spec, axis):
    model = build_model(spec, 2)
    # An odd side, so that padding and cropping take part.
    size = (131, 32) if axis == 0 else (32, 131)
    assert by_reach(model, *size, axis, every=9) == by_autograd(model, *size, axis, every=9)


def test_the_largest_extent_is_what_autograd_says():
    model = build_model(SMALL, 2)
    images = torch.ones(1, 3, 1024, 32, dtype=torch.float64, requires_grad=True)
    lines = positive(model)(images).sum((0, 1, 3))
    extents = []
    for line in lines[496:528]:
        seen = torch.autograd.grad(line, images, retain_graph=True)[0].sum((0, 1, 3)).nonzero()
        extents.append(int(seen[-1] - seen[0]) + 1)
    assert receptive_field_px(model) == max(extents)


def test_figures_of_the_literature():
    vgg16 = build_model(FcnSpec(name="fcn", backbone="vgg16", stride=32, head_width=8), 2)
    assert receptive_field_px(vgg16.trunk.stages[0]) == 6
    # fc6 sees 404 pixels, and an interpolated pixel two neighbouring units.
    assert receptive_field_px(vgg16) == 404 + 32
    # Known to be 188 or 204 by position; the larger one counts.
    assert receptive_field_px(build_model(UnetSpec(name="unet", width=1), 2)) == 204


def test_no_bound_is_said_so():
    everything = Graph(lambda x, a: a(x) + x.mean((2, 3), keepdim=True), conv(3, padding=1))
    normalised = Graph(lambda x, a, b: b(a(x)), conv(3), nn.InstanceNorm2d(3))
    unknown = Graph(lambda x, a: a(x).cumsum(2), conv(3))
    assert [receptive_field_px(model) for model in (everything, normalised, unknown)] == [None] * 3


def test_tracing_leaves_a_model_as_it_was():
    model = build_model(UnetSpec(name="unet", width=2, depth=2), 2).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    receptive_field_px(model)
    count_flops(model, (33, 47))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "macs"),
    [
        # Outputs x inputs a group x taps.
        (nn.Conv2d(3, 8, 3, padding=1), 10 * 12 * 8 * 3 * 9),
        (nn.Conv2d(3, 6, (3, 5), stride=2, groups=3), 4 * 4 * 6 * 1 * 15),
        # A transposed convolution writes every tap once for each of its inputs.
        (nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), 10 * 12 * 3 * 5 * 16),
        (nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1, groups=3), 10 * 12 * 3 * 1 * 16),
        (nn.Upsample(scale_factor=2, mode="bilinear"), 3 * 20 * 24 * 4),
        (nn.Upsample(scale_factor=2, mode="bicubic"), 3 * 20 * 24 * 16),
        (nn.Upsample(scale_factor=2, mode="nearest"), 0),
        (nn.Linear(12, 7), 3 * 10 * 12 * 7),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), 0),
    ],
)
def test_operations_by_hand(model, macs):
    assert count_flops(model, (10, 12)) == 2 * macs


def test_operations_of_a_model_by_hand():
    # One pooling, width 2, on 5x6 padded to 6x6: five layers at 36 pixels and three at 9.
    model = build_model(UnetSpec(name="unet", width=2, depth=1), 3)
    full = 36 * (3 * 2 + 2 * 2 + 4 * 2 + 2 * 2) * 9 + 36 * 2 * 3
    half = 9 * (2 * 4 + 4 * 4) * 9 + 9 * 4 * 2 * 4
    assert count_flops(model, (5, 6)) == 2 * (full + half)


def test_parameters_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2, bias=False))
    assert count_parameters(model) == 3 * 4 * 9 + 4 + 8 + 8

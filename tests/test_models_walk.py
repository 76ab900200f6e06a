"""Layers, strides and windows found by tracing: against autograd, the literature, pencil and paper, and trying sizes out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.models import build_model
from bench.models.classifiers import build_classifier
from bench.models.convolutionalize import convolutionalize
from bench.models.inspection import inspect_model
from bench.models.shapes import activation_bytes, idle_parameters, run_on_shapes
from bench.models.walk import walk
from bench.specs import FcnSpec, UnetSpec
from tests.test_models_trace import GRAPHS, Graph, by_autograd, conv

INEXACT = {
    "up-convolution",
    "dilated up-convolution",
    "bilinear",
    "corners",
    "nearest",
    "pooling to a size",
    "shuffled pixels",
    "means",
    # Cut off where constants were put beside it, and so windows that none of its units has.
    "padding and constants",
}


def windows(model: nn.Module, height: int, width: int, axis: int) -> list[tuple[int, int]]:
    """First and last pixel of every unit's window, within the image."""
    walked = walk(model, height, width)
    trail, side = (walked.rows, walked.columns)[axis], (height, width)[axis]
    if trail.everything:
        return [(0, side - 1)] * walked.size[2 + axis]
    starts = [trail.start + unit * trail.stride for unit in range(walked.size[2 + axis])]
    return [(max(0, int(start // 1)), min(side - 1, int(-(-(start + trail.size - 1) // 1)))) for start in starts]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_windows_are_what_autograd_says(name, axis):
    found, truth = windows(GRAPHS[name], 32, 42, axis), by_autograd(GRAPHS[name], 32, 42, axis)
    if name == "mirrored borders":  # what windows show beyond the image is not nothing
        assert found[8:-8] == truth[8:-8]
    elif name in INEXACT:
        assert all(a <= first and b >= last for (a, b), (first, last) in zip(found, truth, strict=True))
    else:
        assert found == truth


@pytest.mark.parametrize(
    "spec",
    [
        FcnSpec(name="fcn", backbone="small", width=1, head_width=1),
        FcnSpec(name="fcn", backbone="small", width=1, head_width=1, stride=32, upsampling="fixed"),
        UnetSpec(name="unet", width=1, depth=3),
    ],
    ids=["fcn-8", "fcn-32", "unet"],
)
def test_windows_after_upsampling_hold_what_autograd_finds(spec):
    model = build_model(spec, 2)
    found, truth = windows(model, 512, 32, 0)[::31], by_autograd(model, 512, 32, 0, every=31)
    assert all(a <= first and b >= last for (a, b), (first, last) in zip(found, truth, strict=True))
    assert any(b - a < 511 for a, b in found)


@pytest.mark.parametrize(
    ("name", "field", "padding", "kernel", "units", "with_head"),
    [
        ("vgg16", 212, 90, 32, 7, 404),
        ("alexnet", 195, 66, 63, 6, 355),
        ("inception_v3", 1311, 618, 75, 8, 1535),
    ],
)
def test_figures_of_the_literature(name, field, padding, kernel, units, with_head):
    form = convolutionalize(build_classifier(name, meta=True))
    facts = inspect_model(form, form.size, form.head)
    trunk, whole = facts["trunk"], facts["summary"]
    assert (trunk["receptive_field_px"], trunk["stride"], trunk["padding_px"]) == (field, 32, padding)
    assert (trunk["compound_kernel"], trunk["smallest_input_px"], trunk["size"]) == (kernel, kernel, [units, units])
    assert whole["receptive_field_px"] == with_head and whole["output_stride"] == 32 and not whole["misaligned"]


def test_a_5_3_after_which_a_3_2_gives_11_6():
    layers = inspect_model(nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.Conv2d(4, 5, 3, 2)), (30, 41))["layers"]
    assert [(line["kernel"], line["stride"], line["compound_kernel"], line["compound_stride"]) for line in layers] == [
        (5, 3, 5, 3),
        (3, 2, 11, 6),
    ]
    assert [line["size"] for line in layers] == [[9, 13], [4, 6]]


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet", "densenet121", "inception_v3", "squeezenet1_0"])
def test_the_smallest_input_is_the_smallest_that_runs(name):
    model = build_classifier(name, meta=True)
    trunk = getattr(model, "features", None)
    if trunk is None:
        trunk, model.avgpool, model.fc = model, nn.Identity(), nn.Identity()
    smallest = walk(trunk, 299, 299).rows.smallest
    run_on_shapes(trunk, (smallest, smallest + 9))
    with pytest.raises(RuntimeError, match=r"too small|greater than actual"):
        run_on_shapes(trunk, (smallest - 1, smallest + 9))


def test_a_layer_that_asks_for_more_than_all_together():
    walked = walk(nn.Sequential(nn.Conv2d(3, 3, 5), nn.Conv2d(3, 3, 1, padding=2)), 9, 9)
    assert (walked.rows.sizes.kernel, walked.rows.smallest) == (1, 5)


def test_misaligned_paths_are_reported():
    facts = inspect_model(GRAPHS["misaligned paths"], (32, 42))
    assert facts["summary"]["misaligned"] == [{"name": "after layers.0", "kind": "add", "apart_px": 3}]
    # An even kernel puts one path half a pixel beside the other.
    even = Graph(lambda x, a: a(F.pad(x, (0, 1, 0, 0))) + x, conv((1, 2)))
    assert inspect_model(even, (9, 9))["summary"]["misaligned"][0]["apart_px"] == [0, 0.5]


def test_what_follows_global_pooling_is_said_to_see_everything():
    gate = Graph(lambda x, a, b: a(x) * b(F.adaptive_avg_pool2d(x, 1)).sigmoid(), conv(3, padding=1), conv(1))
    walked = walk(gate, 20, 30)
    assert walked.rows.everything and walked.rows.size == 3
    assert walked.rows.sizes is not None and walked.rows.sizes.output(20) == 20
    layers = nn.GroupNorm(1, 3), nn.InstanceNorm2d(3), nn.Softmax(2), nn.LayerNorm(30)
    for mixing in (*(Graph(lambda x, a: a(x), layer) for layer in layers), Graph(lambda x, a: a(x).cumsum(2), conv(3))):
        assert walk(mixing, 20, 30).rows.everything
    assert not walk(nn.BatchNorm2d(3), 20, 30).rows.everything


@pytest.mark.parametrize(
    ("spec", "stride"),
    [
        *[(FcnSpec(name="fcn", backbone="resnet18", stride=stride), stride) for stride in (32, 16, 8)],
        (FcnSpec(name="fcn", backbone="small", stride=16, upsampling="fixed"), 16),
        (UnetSpec(name="unet", width=2), 1),
    ],
)
def test_output_stride_is_the_finest_grid_of_scores(spec, stride):
    with torch.device("meta"):
        model = build_model(spec, 3)
    assert walk(model, 256, 192).output_stride == model.output_stride == stride


def test_channels_laid_out_as_pixels_are_scores_of_their_own():
    assert walk(GRAPHS["shuffled pixels"], 32, 42).output_stride == 1


def test_activations_by_hand():
    # Kept: the image for the first kernel's gradient, its result for the rectifier and, in the same place, for the second.
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert activation_bytes(model, (10, 12)) == 4 * 10 * 12 * (3 + 4)
    # Max pooling keeps its input and, as 64-bit numbers, where each maximum was.
    assert activation_bytes(nn.Sequential(conv(1), nn.MaxPool2d(2)), (10, 12)) == 120 * 3 * 4 * 2 + 30 * 3 * 8


def test_idle_parts_are_found():
    model = Graph(lambda x, a, b: a(x), conv(3), conv(3))
    assert idle_parameters(model, (9, 9)) == {"layers.1.weight", "layers.1.bias"}


def test_tracing_leaves_a_model_as_it_was():
    model = build_model(UnetSpec(name="unet", width=2, depth=2), 2).train()
    model.encoder.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    inspect_model(model, (33, 47))
    assert model.training and not model.encoder.training and not model.encoder.levels[0].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_channels_in_another_order_mix_no_positions() -> None:
    """The released FCN reads BGR: its field is the chain's, 404 px at fc7, and its size map is known throughout."""
    model = build_model(FcnSpec(name="fcn", form="paper", stride=32), 3)
    steps = {step.name: step for step in walk(model, 256, 256).steps}
    assert steps["fc7"].rows.size == 404 and not any(step.rows.everything for step in steps.values())

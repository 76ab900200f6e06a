"""Others' networks behind our contract: the whole table at odd sizes, gradients everywhere, strides and fields measured twice."""

import copy
import sys

import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.models import build_model, weights
from bench.models.fitted import Fitted
from bench.models.library import encoder_names
from bench.models.plugin import build as build_plugin
from bench.models.reach import reach
from bench.models.shapes import run_on_shapes
from bench.models.walk import walk
from bench.registry import PERMITTED, permit
from bench.specs import PluginSpec, SmpSpec, TorchvisionSpec
from tests.conftest import exhaustive
from tests.test_models_trace import by_autograd

STRIDES = {
    **dict.fromkeys(("unet", "unetplusplus", "manet", "linknet"), 1),
    **dict.fromkeys(("fpn", "deeplabv3plus", "pan", "upernet", "segformer"), 4),
    **dict.fromkeys(("pspnet", "deeplabv3", "fcn_resnet50", "lraspp_mobilenet_v3_large"), 8),
    "deeplabv3_mobilenet_v3_large": 16,
    "dpt": 2,
}
LOCAL = ("unet", "unetplusplus", "linknet", "fcn_resnet50")
"""Those in which nothing pools, normalises or attends globally."""


def spec(arch: str, **options):
    if "_" in arch:
        return TorchvisionSpec(name="torchvision", arch=arch, **options)
    encoder = "tu-vit_tiny_patch16_224" if arch == "dpt" else "resnet18"
    return SmpSpec(name="smp", **{"arch": arch, "encoder": encoder, **options})


@pytest.fixture(scope="module")
def models():
    """Every architecture, built when it is first asked for."""
    built: dict[str, Fitted] = {}

    def get(arch: str) -> Fitted:
        if arch not in built:
            torch.manual_seed(0)
            built[arch] = build_model(spec(arch), 5)
        return built[arch]

    return get


@pytest.mark.parametrize("arch", STRIDES)
def test_any_size_and_gradients_everywhere(models, arch):
    model = models(arch).train()
    scores = model(torch.randn(2, 3, 97, 131))
    assert scores.shape == (2, 5, 97, 131)
    scores.square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    # A bias before batch normalisation, or a gate that is shut, may have none; most of it moves.
    moved = [bool(parameter.grad.any()) for parameter in model.parameters()]
    assert sum(moved) > 0.9 * len(moved)
    model.zero_grad(set_to_none=True)
    with torch.inference_mode():
        model.eval()
        assert [tuple(model(torch.randn(1, 3, *size)).shape) for size in ((1, 1), (33, 64))] == [(1, 5, 1, 1), (1, 5, 33, 64)]


@pytest.mark.parametrize("arch", STRIDES)
def test_output_stride_is_where_the_scores_bend(models, arch):
    """Between units an interpolation is straight: bends of a row are counted, and each unit can make only so many."""
    model = copy.deepcopy(models(arch)).double().eval()
    assert model.output_stride == STRIDES[arch]
    width = 256
    with torch.inference_mode():
        row = model(torch.randn(1, 3, 64, width, dtype=torch.float64).mul(3))[0, :, 31]
    row = row - row.mean(1, keepdim=True)
    bends = (row.diff(n=2).abs() > 1e-7 * row.abs().amax(1, keepdim=True)).any(0).nonzero().flatten()
    # A unit bends the row at its pixel, or at the two next to it.
    units = 1 + int((bends.diff() > 1).sum())
    if model.output_stride <= 2:
        assert len(bends) > 0.9 * width
    else:
        # Twice as many would be half the stride, half as many twice; units that happen to be alike do not bend it.
        assert width / model.output_stride / 2 < units <= width / model.output_stride + 1


@pytest.mark.parametrize("arch", LOCAL)
def test_fields_are_what_autograd_says(models, arch):
    height, every = 832, 101
    model = models(arch)
    first, last = (lines[::every].int().tolist() for lines in reach(model, height, 32, 0))
    truth = by_autograd(model, height, 32, 0, every=every)
    assert list(zip(first, last, strict=True)) == truth
    trail = walk(model, height, 32).rows
    assert not trail.everything
    starts = [trail.start + unit * trail.stride for unit in range(0, height, every)]
    assert all(start <= a and b < start + trail.size for start, (a, b) in zip(starts, truth, strict=True))


@pytest.mark.parametrize("arch", [arch for arch in STRIDES if arch not in LOCAL])
def test_the_others_see_the_whole_image(models, arch):
    assert walk(models(arch), 97, 64).rows.everything
    model = copy.deepcopy(models(arch)).double().eval()
    images = torch.randn(1, 3, 97, 64, dtype=torch.float64, requires_grad=True)
    (seen,) = torch.autograd.grad(model(images)[0, :, 0].square().sum(), images)
    assert seen.abs().sum((0, 1, 3))[96] > 0
    first, last = reach(models(arch), 97, 64, 0)
    assert not first.any() and bool((last == 96).all())


@pytest.mark.slow
@exhaustive
@pytest.mark.parametrize("encoder", encoder_names())
def test_every_encoder_builds_and_takes_odd_sizes(encoder):
    with torch.device("meta"):
        model = build_model(SmpSpec(name="smp", arch="unet", encoder=encoder), 3)
    assert tuple(run_on_shapes(model, (45, 131)).shape) == (1, 3, 45, 131)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "efficientnet-b0", "mit_b0", "tu-resnet10t", "densenet121", "vgg11"])
def test_encoders_of_all_kinds(encoder):
    with torch.device("meta"):
        model = build_model(SmpSpec(name="smp", arch="unet", encoder=encoder), 3)
    assert tuple(run_on_shapes(model, (45, 131)).shape) == (1, 3, 45, 131)


def test_parts_without_influence_are_left_out(models):
    network = models("pspnet").network
    assert not list(network.encoder.layer4.parameters())


def test_options_reach_the_library():
    with torch.device("meta"):
        small = build_model(spec("unet", options={"decoder_channels": [32, 16, 8, 8, 4], "encoder_depth": 5}), 3)
    assert small.get_parameter("network.segmentation_head.0.weight").shape[1] == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (spec("unet", encoder="resnet81"), "Did you mean 'resnet18'"),
        (spec("unet", encoder="tu-resnet10q"), "no encoder 'tu-resnet10q'. Did you mean 'tu-"),
        (spec("unet", options={"decoder_chanels": [1]}), "Did you mean 'decoder_channels'"),
        (spec("unet", options={"classes": 3}), "no option 'classes'"),
        (spec("unet", options={"decoder_channels": [1]}), "smp unet with resnet18 cannot be built"),
        (spec("dpt", encoder="resnet18"), "smp dpt with resnet18 cannot be built"),
        (spec("unet", encoder_weights="imagenot"), "imagenot"),
    ],
)
def test_mistakes_are_told(given, message):
    with pytest.raises(BenchError, match=message):
        build_model(given, 3)


def test_absent_weights_of_the_library_are_told(monkeypatch, tmp_path):
    import huggingface_hub
    import segmentation_models_pytorch.encoders as encoders

    def refuse(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no route to host")

    monkeypatch.setattr(encoders, "hf_hub_download", refuse)
    with pytest.raises(BenchError, match=r"'imagenet' of resnet18 are not in .*no route to host"):
        build_model(spec("unet", encoder_weights="imagenet"), 3)


def test_torchvision_trunks_take_the_classifiers_file(monkeypatch, tmp_path):
    from torchvision import models as tv

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    state = tv.mobilenet_v3_large().state_dict()
    path = weights.weights_file("mobilenet_v3_large")
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    model = build_model(spec("lraspp_mobilenet_v3_large", weights="imagenet"), 3)
    assert torch.equal(model.get_parameter("network.backbone.0.0.weight"), state["features.0.0.weight"])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_batch_of_one_is_told_where_it_cannot_be(models):
    with pytest.raises(BenchError, match=r"train\.batch must be 2"):
        models("deeplabv3").train()(torch.randn(1, 3, 33, 33))


PLUGIN = """
from torch import nn
from tests.conftest import exhaustive

class Valid(nn.Module):
    def __init__(self, num_classes, kernel=9):
        super().__init__()
        self.conv = nn.Conv2d(3, num_classes, kernel)

    def forward(self, x):
        return self.conv(x)

class Own(Valid):
    margin, output_stride = 4, 1

def strided(num_classes, stride=4):
    down = nn.Conv2d(3, num_classes, stride, stride)
    return nn.Sequential(down, nn.Upsample(scale_factor=stride, mode="bilinear"))

def fails(num_classes):
    raise KeyError("oops")

def nothing(num_classes):
    return 3

class Bare(nn.Module):
    def __init__(self, num_classes):
        super().__init__()

    def forward(self, x):
        return x

class Text(Valid):
    margin, output_stride = 4, "x"

class NoMargin(Valid):
    margin, output_stride = None, 1

class OtherMargin(Valid):
    margin, output_stride = 3, 1

class Leaves(Own):
    def forward(self, x):
        raise SystemExit(0)

def leaves(num_classes):
    raise SystemExit(0)
"""


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    (tmp_path / "plugged_models.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(PERMITTED, "1")
    yield lambda name, **options: build_plugin(PluginSpec(name=f"plugged_models:{name}", options=options), 3)
    sys.modules.pop("plugged_models", None)


def test_a_users_model_is_fitted(plugged):
    model = plugged("strided", stride=8)
    assert (model.output_stride, model.multiple, model.margin) == (8, 8, 0)
    assert model(torch.zeros(1, 3, 5, 11)).shape == (1, 3, 5, 11)
    assert isinstance(plugged("Own"), nn.Module) and plugged("Own").margin == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Valid", r"gives no scores for an image of 97x131.*height and width must be the same"),
        ("stridden", "Did you mean 'strided'"),
        ("fails", "KeyError: 'oops'"),
        ("nothing", "returned a int"),
        ("Bare", "without a parameter to train"),
        ("Text", "output_stride is 'x', expected a whole number of pixels from 1"),
        ("NoMargin", "margin is None, expected a whole number of pixels from 0"),
        ("OtherMargin", r"gives \(1, 3, 95, 129\) for an image of 103x137 px, expected \(1, 3, 97, 131\)"),
        ("leaves", "leaves failed: SystemExit: 0"),
        ("Leaves", "a run on shapes failed: SystemExit: 0"),
    ],
)
def test_what_is_wrong_with_a_users_model_is_told(plugged, name, message):
    with pytest.raises(BenchError, match=message):
        plugged(name)


def test_code_that_nobody_permitted_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "never.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BenchError, match="model 'never:build' is code, which would run with your rights"):
        build_plugin(PluginSpec(name="never:build"), 3)
    assert not (tmp_path / "ran").exists()
    permit(["never:build"])
    with pytest.raises(BenchError, match="never has no function 'build'"):
        build_plugin(PluginSpec(name="never:build"), 3)
    assert (tmp_path / "ran").exists()


def test_a_module_that_is_nowhere_is_told(monkeypatch):
    monkeypatch.setenv(PERMITTED, "1")
    with pytest.raises(BenchError, match="no module 'nowhere'"):
        build_plugin(PluginSpec(name="nowhere.at.all:build"), 3)

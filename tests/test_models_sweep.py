"""Every model of the table: builds, takes odd sizes, learns everywhere, and has the stride and the field that it says."""

import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.models import build_model
from bench.models.classifiers import classifier_names, preprocessing
from bench.models.fcn_paper import PaperFcn
from bench.models.trunks import build_trunk
from bench.specs import FcnSpec, UnetSpec
from tests.conftest import exhaustive
from tests.test_models_trace import by_autograd, by_reach

BACKBONES = [each for each in FcnSpec.model_fields["backbone"].annotation.__args__ if each != "small"]
QUICK = [
    *("alexnet", "vgg16", "googlenet", "inception_v3", "resnet18", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small"),
    *("densenet121", "efficientnet_b0", "squeezenet1_0", "shufflenet_v2_x1_0", "mnasnet1_0", "regnet_y_400mf", "convnext_tiny"),
]
PAPER = {"widths": (2, 2, 3, 3, 4), "head_width": 4}


def ladder() -> dict[str, tuple]:
    """Every rung of every family and form, narrow: name -> builder of a net for 3 classes."""
    rungs: dict[str, tuple] = {}
    for stride in (32, 16, 8, 4, 2):
        for upsampling in ("fixed", "learned"):
            spec = FcnSpec(name="fcn", backbone="small", width=3, head_width=6, dropout=0, stride=stride, upsampling=upsampling)
            rungs[f"fcn-{stride}s-{upsampling}"] = (lambda spec=spec: build_model(spec, 3), stride)
    for stride in (32, 16, 8):
        rungs[f"paper-{stride}s"] = (lambda stride=stride: PaperFcn(3, stride, dropout=0, **PAPER), stride)
    for stride in (16, 8, 4, 2, 1):
        for padding in ("same", "valid"):
            for norm in ("batch", "none"):
                spec = UnetSpec(name="unet", width=2, stride=stride, padding=padding, norm=norm)
                rungs[f"unet-{stride}s-{padding}-{norm}"] = (lambda spec=spec: build_model(spec, 3), stride)
    return rungs


LADDER = ladder()


def made(name: str) -> nn.Module:
    torch.manual_seed(3)
    model = LADDER[name][0]()
    for part, layer in model.named_modules():
        if "score" in part and isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight)
    return model


@pytest.mark.parametrize("name", LADDER)
def test_every_rung_takes_odd_sizes_and_learns_everywhere(name):
    model = made(name)
    margin = model.margin
    model.eval()
    for height, width in [(97, 131), (1, 1), (1, 40)]:
        logits = model(torch.randn(1, 3, height + 2 * margin, width + 2 * margin))
        assert logits.shape == (1, 3, height, width) and logits.isfinite().all()
    if margin:
        with pytest.raises(BenchError, match=f"more than {2 * margin} px are needed"):
            model(torch.randn(1, 3, 2 * margin, 2 * margin))
    model.train()
    for _ in range(4):  # a unit of a narrow net may be silent on one image
        model(torch.randn(2, 3, 65 + 2 * margin, 96 + 2 * margin)).square().mean().backward()
    assert [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()] == []


@pytest.mark.parametrize("name", LADDER)
def test_every_rung_has_the_output_stride_it_says(name):
    """Between units logits are interpolated along straight lines: they bend at every unit of the finest grid and nowhere else."""
    stride = LADDER[name][1]
    model = made(name).double().eval()
    assert model.output_stride == stride
    rows = 40 + 2 * model.margin
    logits = model(torch.randn(1, 3, rows, 256 + 2 * model.margin, dtype=torch.float64))[0, :, 20, 40:-40]
    bends = logits.diff(n=2).abs().amax(0)
    bent = (bends > 1e-9 * logits.abs().max()).nonzero().flatten()
    # A unit whose middle lies between two pixels bends the line at both.
    assert len({int(place) % stride for place in bent}) == (1 if stride == 1 else 2)
    assert len(bent) >= (len(bends) // stride - 1) * (1 if stride == 1 else 2)


@pytest.mark.parametrize("name", [name for name in LADDER if not name.endswith(("batch", "fixed"))])
def test_every_rung_has_the_field_that_autograd_says(name):
    model = made(name)
    size = (32 + 2 * model.margin, 131 + 2 * model.margin)
    assert by_reach(model, *size, axis=1, every=13) == by_autograd(model, *size, axis=1, every=13)


def carries_skips_down_to_its_finest_stride(backbone: str) -> None:
    """On the meta device, where shapes and the graph are all there is; the pyramids by hand are in `test_models_fcn`."""
    with torch.device("meta"):
        strides = [tap.stride for tap in build_trunk(FcnSpec(name="fcn", backbone=backbone))[0].taps]
        model = build_model(FcnSpec(name="fcn", backbone=backbone, stride=strides[0], head_width=8, dropout=0), 3)
    assert strides == [each for each in (2, 4, 8, 16, 32) if strides[0] <= each <= strides[-1]] and len(strides) >= 4
    for height, width in [(33, 65), (1, 1)]:
        logits = model.eval()(torch.empty(2, 3, height, width, device="meta"))
        assert logits.shape == (2, 3, height, width) and sorted(map(int, model.decoder.scores)) == strides
    model.train()(torch.empty(2, 3, 33, 65, device="meta")).square().mean().backward()
    assert [key for key, each in model.named_parameters() if each.grad is None] == []


@pytest.mark.parametrize("backbone", QUICK)
def test_one_backbone_a_family_carries_skips_down_to_its_finest_stride(backbone):
    carries_skips_down_to_its_finest_stride(backbone)


@pytest.mark.slow
@exhaustive
@pytest.mark.parametrize("backbone", [each for each in BACKBONES if each not in QUICK])
def test_every_backbone_carries_skips_down_to_its_finest_stride(backbone):
    carries_skips_down_to_its_finest_stride(backbone)


def test_every_classifier_is_a_backbone_but_for_those_that_attend():
    attending = ("vit_", "swin_", "maxvit_")
    assert sorted(BACKBONES) == [name for name in classifier_names() if not name.startswith(attending)]


@pytest.mark.parametrize("backbone", ["alexnet", "inception_v3", "efficientnet_b0"])
def test_a_trunk_that_loses_or_gates_learns_everywhere(backbone):
    torch.manual_seed(3)
    model = build_model(FcnSpec(name="fcn", backbone=backbone, stride=8, head_width=8, dropout=0), 3).train()
    model(torch.randn(2, 3, 65, 96)).square().mean().backward()
    assert [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()] == []


def test_every_backbone_with_weights_wants_images_as_they_are_prepared():
    for backbone in BACKBONES:
        facts = preprocessing(backbone)
        if (facts["mean"], facts["std"]) != ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) or backbone in (
            "googlenet",
            "inception_v3",
        ):
            with pytest.raises(ValueError, match="has no ImageNet weights here"):
                FcnSpec(name="fcn", backbone=backbone, weights="imagenet")


@pytest.mark.parametrize("name", [name for name in LADDER if not name.endswith("batch") and not name.startswith("paper")])
def test_a_constant_image_gives_constant_logits_away_from_borders(name):
    """Constant from cell to cell: up-convolutions and half-pixel grids may tell the pixels within a cell apart."""
    model = made(name).double().eval()
    period = 32 if name.startswith("fcn") else 16
    side = 96 + 2 * model.margin
    middle = model(torch.full((1, 3, side, 1088 + 2 * model.margin), 0.3, dtype=torch.float64))[0, :, 48, 512:576]
    torch.testing.assert_close(middle[:, period:], middle[:, :-period])
    if name.startswith("fcn"):
        torch.testing.assert_close(middle, middle[:, :1].expand_as(middle))


@pytest.mark.parametrize("name", [name for name in LADDER if name.startswith(("paper", "unet")) and not name.endswith("batch")])
def test_shifts_by_the_coarsest_stride_shift_the_logits(name):
    model = made(name).double().eval()
    period = 32 if name.startswith("paper") else 16
    images = torch.randn(1, 3, 33 + 2 * model.margin, 1088 + 2 * model.margin, dtype=torch.float64)
    logits, shifted = model(images), model(images.roll(period, 3))
    torch.testing.assert_close(shifted[..., 512:576], logits[..., 512 - period : 576 - period])

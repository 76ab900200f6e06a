"""FCNs: upsampling, counts, alignment, any size, and gradients everywhere."""

import copy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import SqueezeExcitation

from bench.errors import BenchError
from bench.geometry import Layer
from bench.models import build_model
from bench.models.fcn import Decoder, Head
from bench.models.grids import Tap, frame
from bench.models.trace import count_parameters
from bench.models.trunks import build_trunk
from bench.models.upsample import Upsample, bilinear_kernel
from bench.specs import FcnSpec
from tests.conftest import exhaustive

SIZES = [(97, 131), (1, 1), (33, 64)]


def fcn(num_classes: int = 5, **options):
    torch.manual_seed(0)
    return build_model(FcnSpec(name="fcn", **{"backbone": "small", "width": 2, **options}), num_classes)


def perturb(model: nn.Module) -> nn.Module:
    """Give score layers something to say, whatever they start from."""
    for score in model.decoder.scores.values():
        nn.init.normal_(score.weight)
    return model


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("learned", [False, True])
def test_upsampling_is_bilinear_interpolation(factor, learned):
    scores = torch.randn(2, 3, 3, 4)
    expected = F.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(Upsample(3, factor, learned=learned)(scores), expected)


def test_upsampling_is_the_transposed_convolution_of_the_paper():
    scores = torch.randn(1, 2, 5, 6)
    weight = torch.zeros(2, 2, 16, 16)
    for row in range(16):
        for column in range(16):
            # f = 8 and c = 7.5, by the formula of the reference code.
            value = (1 - abs(row - 7.5) / 8) * (1 - abs(column - 7.5) / 8)
            weight[0, 0, row, column] = weight[1, 1, row, column] = value
    expected = F.conv_transpose2d(scores, weight, stride=8, padding=4)
    # The outermost half cells differ: there values are continued, where the plain convolution fades to 0.
    torch.testing.assert_close(Upsample(2, 8)(scores)[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4])


def test_kernels_by_hand():
    assert bilinear_kernel(3)[1].tolist() == [0.5, 1.0, 0.5]
    assert bilinear_kernel(4)[1].tolist() == [0.1875, 0.5625, 0.5625, 0.1875]


@pytest.mark.parametrize("factor", [2, 8, 32])
@pytest.mark.parametrize("learned", [False, True])
def test_units_come_to_lie_where_they_are_told(factor, learned):
    scores = torch.randn(1, 2, 3, 4)
    for offset in range(factor):
        grown = Upsample(2, factor, offset_px=offset, learned=learned)(scores)
        assert grown.shape == (1, 2, 3 * factor, 4 * factor)
        torch.testing.assert_close(grown[..., offset::factor, offset::factor], scores)
    # A linear ramp stays one between the outermost units.
    ramp = torch.arange(4.0).expand(1, 2, 4, 4)
    grown = Upsample(2, factor, offset_px=0, learned=learned)(ramp)
    torch.testing.assert_close(grown[0, 0, 0, : 3 * factor + 1], torch.arange(3 * factor + 1) / factor)


def test_offsets_off_the_grid_are_refused():
    with pytest.raises(ValueError, match=r"offset_px 0\.25"):
        Upsample(2, 8, offset_px=0.25)


@pytest.mark.parametrize(("stride", "published"), [(32, 134_346_581), (16, 134_357_354), (8, 134_362_751)])
def test_parameters_as_published(stride, published):
    assert count_parameters(fcn(21, backbone="vgg16", stride=stride, upsampling="fixed")) == published


def test_parameters_of_learned_upsampling():
    steps = count_parameters(fcn(5, upsampling="learned")) - count_parameters(fcn(5, upsampling="fixed"))
    assert steps == 2 * 5 * 5 * 4 * 4
    assert count_parameters(fcn(5, stride=32, upsampling="learned")) == count_parameters(fcn(5, stride=32, upsampling="fixed"))


@pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
@pytest.mark.parametrize("size", SIZES)
def test_any_size(stride, size):
    model = perturb(fcn(stride=stride)).eval()
    assert model(torch.randn(2, 3, *size)).shape == (2, 5, *size)
    assert model.output_stride == stride and model.margin == 0


@pytest.mark.parametrize("backbone", ["vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50"])
def test_any_backbone(backbone):
    model = fcn(backbone=backbone, head_width=16).eval()
    for size in SIZES:
        assert model(torch.randn(1, 3, *size)).shape == (1, 5, *size)


@pytest.mark.parametrize(
    "options", [{}, {"stride": 32}, {"upsampling": "fixed"}, {"backbone": "resnet18"}, {"backbone": "vgg16", "head_width": 8}]
)
def test_every_parameter_gets_a_gradient(options):
    model = perturb(fcn(dropout=0.0, **options)).train()
    model(torch.randn(2, 3, 65, 96)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_scores_over_a_pretrained_trunk_start_at_zero_and_learn_first():
    decoder = Decoder([Tap(8, 4, 3.5), Tap(16, 6, 7.5)], 5, learned=True, zero=True)
    logits = decoder({8: torch.randn(2, 4, 8, 8), 16: torch.randn(2, 6, 4, 4)})
    assert not logits.any()
    F.cross_entropy(logits, torch.randint(0, 5, (2, 64, 64))).backward()
    assert all(score.weight.grad.any() for score in decoder.scores.values())


def test_scores_over_a_trunk_from_nothing_pass_gradients_on_at_once():
    model = fcn()
    F.cross_entropy(model(torch.randn(2, 3, 64, 64)), torch.randint(0, 5, (2, 64, 64))).backward()
    assert model.trunk.stages[0][0].weight.grad.any()


@pytest.mark.parametrize(
    ("backbone", "stride"),
    [*product(["small", "resnet18"], [32, 16, 8]), ("small", 4), ("small", 2), ("googlenet", 2)],
)
def test_an_output_pixel_looks_around_itself(backbone, stride):
    looks_around_itself(backbone, stride, width=1024)


@pytest.mark.parametrize(("backbone", "stride"), [("alexnet", 32), ("alexnet", 4), ("inception_v3", 2)])
def test_so_it_does_over_a_trunk_that_loses_size(backbone, stride):
    looks_around_itself(backbone, stride, width=1600, every=15)


@pytest.mark.slow
@exhaustive
@pytest.mark.parametrize("backbone", [*FcnSpec.model_fields["backbone"].annotation.__args__])
def test_so_it_does_over_every_trunk(backbone):
    looks_around_itself(backbone, 8, width=4096, every=15)


def looks_around_itself(backbone, stride, width, every=7):
    """With every weight alike, the middle of what a pixel sees is the pixel itself: all grids are where they are said to be.

    Exactly, without rounding: grids lie on whole and half pixels, and interpolation keeps the middle of what it weighs.
    """
    model = positive(fcn(2, backbone=backbone, stride=stride, head_width=4, upsampling="fixed"))
    images = torch.ones(1, 3, 32, width, dtype=torch.float64, requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        # Of equals a maximum passes its gradient to one.
        patch.setattr(F, "max_pool2d", F.avg_pool2d)
        logits = model(images)
    for pixel in range(width // 2, width // 2 + 32, every):
        weights = torch.autograd.grad(logits[0, 0, 16, pixel], images, retain_graph=True)[0].sum((0, 1, 2))
        middle = (weights * torch.arange(width)).sum() / weights.sum()
        assert middle.item() == pytest.approx(pixel, abs=1e-6)


@pytest.mark.parametrize(
    ("backbone", "stride"), [("alexnet", 4), ("inception_v3", 2), ("efficientnet_b0", 2), ("squeezenet1_1", 2)]
)
def test_other_trunks_follow_shifts_by_their_coarsest_stride(backbone, stride):
    model = perturb(local(fcn(2, backbone=backbone, stride=stride, head_width=4))).eval().double()
    for part in model.modules():  # signals neither die nor explode on their way
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    images = torch.randn(1, 3, 32, 1600, dtype=torch.float64)
    with torch.no_grad():
        model.train()(images)
        model.eval()
        logits, shifted = model(images), model(images.roll(model.coarsest, 3))
    there, moved = logits[..., 768 - model.coarsest : 832 - model.coarsest], shifted[..., 768:832]
    assert there.std() > 1e-3 and not torch.allclose(logits[..., 768:832], moved)
    torch.testing.assert_close(moved, there)


@pytest.mark.parametrize(
    ("backbone", "before_px", "after_px", "centres_px"),
    [
        # By hand, from strides and kernels: 11/4 with 2 px of padding and three 3/2 after it, fc6 of 6 between two units.
        ("alexnet", 8, 23, [3, 7, 7, 7]),
        ("inception_v3", 22, 21, [1, 3, 7, 15, 15]),
        ("squeezenet1_1", 1, 0, [0, 2, 6, 14]),
        ("vgg11", 0, 0, [0.5, 1.5, 3.5, 7.5, 15.5]),
    ],
)
def test_a_trunk_that_loses_size_is_given_what_it_takes(backbone, before_px, after_px, centres_px):
    trunk, _ = build_trunk(FcnSpec(name="fcn", backbone=backbone))
    head = trunk.taps[-1].then(Layer(trunk.head_kernel, padding=trunk.head_kernel // 2), 4)
    framed, taps = frame([*trunk.taps[:-1], head], trunk.taps[-1].kernel)
    assert (framed.before_px, framed.after_px) == (before_px, after_px)
    assert [tap.centre_px for tap in taps] == centres_px


@pytest.mark.parametrize(
    ("backbone", "stride", "message"),
    [
        ("alexnet", 2, "given 2, but alexnet has no grid at that stride to score; choose 4, 8, 16 or 32"),
        ("squeezenet1_0", 32, "choose 2, 4, 8 or 16"),
        ("convnext_tiny", 2, "choose 4, 8, 16 or 32"),
    ],
)
def test_a_stride_that_the_trunk_has_not_is_told(backbone, stride, message):
    with torch.device("meta"), pytest.raises(BenchError, match=message):
        fcn(backbone=backbone, stride=stride)
    with torch.device("meta"), pytest.raises(BenchError, match="no skip to scale"):
        fcn(backbone="squeezenet1_0", stride=16, skips="scaled")


def test_parameters_over_alexnet():
    # torchvision's AlexNet has 61,100,840, of which 4,097,000 are for its 1,000 classes; table 1 of the paper says 57 M.
    with torch.device("meta"):
        model = fcn(21, backbone="alexnet", stride=32)
    assert count_parameters(model) == 61_100_840 - 4_097_000 + 21 * 4_097 == 57_089_877


@pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
def test_shifts_by_the_coarsest_stride_shift_the_logits(stride):
    model = perturb(fcn(stride=stride)).eval().double()
    images = torch.randn(1, 3, 64, 1088, dtype=torch.float64)
    logits, shifted = model(images), model(images.roll(32, 3))
    torch.testing.assert_close(shifted[..., 512:576], logits[..., 480:544])


@pytest.mark.parametrize("stride", [16, 8, 4, 2])
def test_what_is_scored_at_a_stride_follows_shifts_by_that_stride(stride):
    """A sum over grids follows shifts of the coarsest; the grid that a stride adds follows shifts by the stride, and no finer."""
    model = perturb(fcn(stride=stride)).eval().double()
    images = torch.randn(1, 3, 64, 1088, dtype=torch.float64)
    assert not torch.allclose(model(images.roll(stride, 3))[..., 512:576], model(images)[..., 512 - stride : 576 - stride])
    for coarser, score in model.decoder.scores.items():
        if int(coarser) > stride:
            nn.init.zeros_(score.weight)
            nn.init.zeros_(score.bias)
    for shift, follows in ((stride, True), (stride // 2, False)):
        moved, logits = model(images.roll(shift, 3))[..., 512:576], model(images)[..., 512 - shift : 576 - shift]
        assert torch.allclose(moved, logits) == follows


def test_scaled_skips_multiply_what_they_are_given():
    plain, scaled = perturb(fcn(stride=8)).eval(), perturb(fcn(stride=8, skips="scaled")).eval()
    scaled.load_state_dict(plain.state_dict())
    for stride, factor in (("16", 0.01), ("8", 0.0001)):
        plain.decoder.scores[stride].weight.data.mul_(factor)
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(plain(images), scaled(images))


def test_scores_of_a_net_that_starts_from_another_begin_at_zero():
    assert all(not parameter.any() for parameter in fcn(init_from="fcn32s").decoder.scores.parameters())
    assert fcn().decoder.scores["8"].weight.any()


GOLDEN = {
    # Five logits of pixel (10, 20) and the sum of all weights' magnitudes, of version 0.1.0.
    "small": ({"stride": 8, "width": 4}, [-2.295241, 8.952332, 1.760427, 3.13826, -3.951275], 4914.725614),
    "vgg16": (
        {"backbone": "vgg16", "stride": 8, "head_width": 16},
        [-1.107001, 1.810799, 1.192224, 1.107175, -2.829452],
        275008.7677,
    ),
    "resnet18": (
        {"backbone": "resnet18", "stride": 32, "head_width": 16},
        [3.597941, 3.770657, -2.077552, 9.232038, 9.579844],
        246539.1642,
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_seed_gives_the_model_it_always_gave(name):
    options, logits, magnitude = GOLDEN[name]
    torch.manual_seed(7)
    model = build_model(FcnSpec(name="fcn", **{"backbone": "small", **options}), 5).eval()
    torch.manual_seed(1)
    assert model(torch.randn(1, 3, 49, 70))[0, :, 10, 20].tolist() == pytest.approx(logits, rel=1e-3, abs=1e-4)
    assert sum(value.double().abs().sum().item() for value in model.state_dict().values()) == pytest.approx(magnitude, rel=1e-6)


PYRAMIDS = {
    # By hand, the pixel in the middle of a stage's first unit: pools of 3 without padding shift it by one unit, of 2 by half.
    "vgg13_bn": [(2, 64, 0.5), (4, 128, 1.5), (8, 256, 3.5), (16, 512, 7.5), (32, 512, 15.5)],
    "resnet152": [(2, 64, 0), (4, 256, 0), (8, 512, 0), (16, 1024, 0), (32, 2048, 0)],
    "mobilenet_v2": [(2, 16, 0), (4, 24, 0), (8, 32, 0), (16, 96, 0), (32, 1280, 0)],
    "googlenet": [(2, 64, 0), (4, 192, 2), (8, 480, 6), (16, 832, 14), (32, 1024, 22)],
    "densenet121": [(2, 64, 0), (4, 256, 0), (8, 512, 2), (16, 1024, 6), (32, 1024, 14)],
    # A first window of 11 px begins 2 px before the image; pools of 3 without padding shift by one unit.
    "alexnet": [(4, 64, 3), (8, 64, 7), (16, 192, 15), (32, 256, 31)],
    # Two unpadded 3x3 at stride 2 and one at stride 4; pools and the strided ends of Mixed_6a and 7a shift by one unit each.
    "inception_v3": [(2, 64, 3), (4, 192, 9), (8, 288, 13), (16, 768, 21), (32, 2048, 37)],
    "efficientnet_b0": [(2, 16, 0), (4, 24, 0), (8, 40, 0), (16, 112, 0), (32, 1280, 0)],
    "regnet_y_400mf": [(2, 32, 0), (4, 48, 0), (8, 104, 0), (16, 208, 0), (32, 440, 0)],
    "convnext_tiny": [(4, 96, 1.5), (8, 192, 3.5), (16, 384, 7.5), (32, 768, 15.5)],
}


@pytest.mark.parametrize("backbone", PYRAMIDS)
def test_stages_are_found_at_the_trunks_own_strides(backbone):
    trunk, _ = build_trunk(FcnSpec(name="fcn", backbone=backbone))
    assert [(tap.stride, tap.channels, tap.centre_px) for tap in trunk.taps] == PYRAMIDS[backbone]


def test_a_constant_image_gives_constant_logits_away_from_borders():
    model = perturb(fcn(head_width=4)).eval().double()
    middle = model(torch.full((1, 3, 96, 1024), 0.3, dtype=torch.float64))[0, :, 48, 480:544]
    torch.testing.assert_close(middle, middle[:, :1].expand_as(middle))


@pytest.mark.parametrize("side", [7, 6])
def test_a_head_starts_as_the_dense_layers_it_is_given(side):
    dense = [nn.Linear(8 * side**2, 16), nn.Linear(16, 16)]
    head = Head(8, 16, side, 0.5).eval()
    head.adopt(dense)
    features = torch.randn(2, 8, 9, 11)
    expected = F.relu(dense[1](F.relu(dense[0](features[:, :, 1 : 1 + side, 2 : 2 + side].flatten(1)))))
    torch.testing.assert_close(head(features)[:, :, 4, 5], expected)


def test_memory_formats_agree():
    model = perturb(fcn()).eval()
    images = torch.randn(2, 3, 64, 96)
    expected = model(images)
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    torch.testing.assert_close(other(images.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4)


def local(model: nn.Module) -> nn.Module:
    """The same network without what looks at the whole of an image."""
    return swapped(model, lambda part: nn.Identity() if isinstance(part, SqueezeExcitation) else None)


def swapped(model: nn.Module, other) -> nn.Module:
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if (new := other(child)) is not None:
                setattr(parent, name, new)
    return model


def positive(model: nn.Module) -> nn.Module:
    """The same graph, made linear with positive weights, so that no path cancels another and no unit is silent."""

    def linear(part: nn.Module):
        if isinstance(part, nn.MaxPool2d):
            return nn.AvgPool2d(part.kernel_size, part.stride, part.padding, part.ceil_mode)
        return nn.Identity() if isinstance(part, (SqueezeExcitation, nn.SiLU, nn.Hardswish, nn.GELU, nn.LayerNorm)) else None

    model = swapped(copy.deepcopy(model).double().eval(), linear)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1 / parameter[0].numel())
    return model

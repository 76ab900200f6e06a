"""U-Net: counts by hand and from the literature, any size, and gradients everywhere."""

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.losses import segmentation_loss
from bench.models import build_model
from bench.models.blocks import mirrored
from bench.models.tiles import overlap_tiles
from bench.models.trace import count_parameters
from bench.models.unet import Unet
from bench.profiler import describe
from bench.specs import UnetSpec
from bench.train import inner
from tests.test_models_fcn import positive


def unet(num_classes: int = 5, **options):
    torch.manual_seed(0)
    return build_model(UnetSpec(name="unet", **{"width": 4, "depth": 3, **options}), num_classes)


def test_parameters_as_published():
    # 3 channels in, 21 classes, biases everywhere, no normalisation: padding changes no weight.
    assert count_parameters(unet(21, width=64, depth=4, norm="none")) == 31_033_045


def test_the_published_net():
    spec = UnetSpec(name="unet", norm="none", padding="valid")
    with torch.device("meta"):
        model = Unet(spec, 2, channels=1)
        assert count_parameters(model) == 31_030_658
        assert count_parameters(build_model(spec, 21)) == 31_033_045
        assert model(torch.empty(1, 1, 572, 572)).shape == (1, 2, 388, 388) and model.margin == 92
    convolutions = [part for part in model.modules() if isinstance(part, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))]
    assert len(convolutions) == 23


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_valid_sizes_are_those_at_which_every_pooling_divides_evenly(depth):
    model = unet(width=1, depth=depth, padding="valid")
    even = []
    for side in range(1, 260):
        at, out = side - 4, []
        for _ in range(depth):
            out.append(at % 2 == 0)
            at = at // 2 - 4
        if all(out) and at > 0 and side > 2 * model.margin:
            even.append(side)
    assert {model.input_px(output) for output in range(1, 259 - 2 * model.margin)} - {*range(260, 300)} == set(even)
    if depth == 4:
        assert all(side % 16 == 12 for side in even) and even[0] == 188


@pytest.mark.parametrize(("depth", "stride"), [(1, 1), (2, 2), (4, 1), (4, 2), (4, 8), (4, 16)])
def test_a_valid_net_takes_any_size_that_is_not_all_margin(depth, stride):
    model = unet(width=1, depth=depth, padding="valid", stride=stride).eval()
    least = 2 * model.margin + 1
    for height, width in [(least, least), (least + 6, least + 35)]:
        shape = model(torch.randn(1, 3, height, width)).shape
        assert shape == (1, 5, height - 2 * model.margin, width - 2 * model.margin)
    with pytest.raises(BenchError, match=f"an image of {least - 1}x300 px is too small .* loses {model.margin} px a side"):
        model(torch.randn(1, 3, least - 1, 300))


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_decoder_stops_at_a_stride(stride, padding):
    model = unet(depth=4, stride=stride, padding=padding).eval()
    assert model.output_stride == stride and len(model.decoder.ups) == 4 - stride.bit_length() + 1
    # The rungs are the same net, cut off: what a coarser one has, the finer one has too, but for the score layer.
    names = {name for name in model.state_dict() if not name.startswith("score")}
    assert names <= set(unet(depth=4, padding=padding).state_dict())


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_an_output_pixel_looks_around_itself(stride, padding):
    """With every weight alike, what a cell of output pixels sees is symmetric about it: all grids are where they should be."""
    model = positive(unet(2, width=1, depth=4, norm="none", stride=stride, padding=padding))
    images = torch.ones(1, 3, 384, 400, dtype=torch.float64, requires_grad=True)
    cells = model(images)[0, 0].sum(0)
    seen = torch.autograd.grad(cells[192 - model.margin : 208 - model.margin].sum(), images)[0].sum((0, 1, 2))
    assert ((seen * torch.arange(400)).sum() / seen.sum()).item() == pytest.approx(199.5, abs=1e-6)


def test_a_rung_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="stride 16 is coarser than depth 3 goes; the coarsest is 8"):
        UnetSpec(name="unet", depth=3, stride=16)


@pytest.mark.parametrize("tile", [(16, 16), (40, 1), (500, 64)])
@pytest.mark.parametrize(("depth", "stride", "norm"), [(4, 1, "none"), (3, 1, "batch"), (4, 4, "none"), (4, 16, "none")])
def test_any_tiling_gives_the_same_logits(tile, depth, stride, norm):
    model = unet(3, depth=depth, padding="valid", stride=stride, norm=norm).eval()
    for size in [(49, 131), (1, 1)]:
        images = torch.randn(2, 3, *size)
        whole, tiled = labelled(model, images, None), labelled(model, images, tile)
        assert whole.shape == (2, 3, *size)
        torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-5 * max(1.0, whole.abs().max().item()))


def test_tiles_agree_with_the_image_seen_through_numpys_mirror():
    model = unet(3, padding="valid").eval()
    images = torch.randn(1, 3, 40, 50)
    m = model.margin
    canvas = torch.from_numpy(np.pad(images.numpy(), ((0, 0), (0, 0), (m, m + 8), (m, m + 8)), mode="reflect"))
    with torch.no_grad():
        expected = model(canvas)[..., :40, :50]
    torch.testing.assert_close(labelled(model, images, (16, 24)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frame", [(0, 0, 0, 0), (3, 1, 0, 2), (9, 40, 17, 5)])
@pytest.mark.parametrize("size", [(4, 5), (1, 3), (2, 1)])
def test_mirroring_is_numpys(frame, size):
    images = torch.randn(1, 2, *size)
    top, bottom, left, right = frame
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), mode="reflect")
    assert np.array_equal(mirrored(images, top, bottom, left, right).numpy(), expected)


def test_border_weights_and_labels_lose_the_margin_with_the_logits():
    model = unet(3, depth=2, padding="valid").train()
    labels = torch.randint(0, 3, (2, 60, 72))
    logits = model(torch.randn(2, 3, 60, 72))
    assert inner(labels, model.margin).shape == (2, *logits.shape[2:])
    segmentation_loss(logits, inner(labels, model.margin)).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def labelled(model, images, tile):
    logits = torch.full((len(images), 3, *images.shape[2:]), float("nan"))
    with torch.no_grad():
        for rows, columns, each in overlap_tiles(model, images, tile):
            logits[..., rows, columns] = each
    return logits


def test_parameters_by_hand():
    # Width 2, one pooling, no normalisation: 3x3 convolutions 3-2, 2-2, 2-4, 4-4, 4-2, 2-2, one 2x2 4-2, one 1x1 2-3.
    convolutions = [(3, 2, 9), (2, 2, 9), (2, 4, 9), (4, 4, 9), (4, 2, 9), (2, 2, 9), (4, 2, 4), (2, 3, 1)]
    expected = sum(fan * width * taps + width for fan, width, taps in convolutions)
    assert count_parameters(unet(3, width=2, depth=1, norm="none")) == expected
    # Normalisation trades each 3x3 convolution's bias for a scale and a shift.
    assert count_parameters(unet(3, width=2, depth=1)) == expected + sum((2, 2, 4, 4, 2, 2))


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("size", [(97, 131), (1, 1), (33, 64), (8, 8)])
def test_any_size(size, norm):
    model = unet(norm=norm).eval()
    assert model(torch.randn(2, 3, *size)).shape == (2, 5, *size)
    assert model.output_stride == 1 and model.margin == 0


@pytest.mark.parametrize("depth", [1, 2, 5, 7])
def test_any_depth(depth):
    assert unet(width=1, depth=depth).eval()(torch.randn(1, 3, 20, 30)).shape == (1, 5, 20, 30)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_parameter_gets_a_gradient(norm):
    model = unet(norm=norm).train()
    model(torch.randn(2, 3, 33, 64)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_the_start_keeps_the_scale_of_activations():
    images = torch.randn(2, 3, 64, 64)
    features = unet(width=16, norm="none").encoder(images)
    # He's initialisation: the mean square neither fades nor explodes, level after level.
    assert all(0.3 < level.square().mean() < 6 for level in features)


def test_dropout_acts_in_training_alone():
    model = unet(dropout=0.9)
    images = torch.randn(2, 3, 32, 32)
    model.eval()
    assert torch.equal(model(images), model(images))
    model.train()
    assert not torch.equal(model(images), model(images))


def test_a_seed_decides_the_weights():
    first, second = unet(), unet()
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def test_the_published_net_is_described_like_any_other() -> None:
    """Its field is measured on images that leave something of what its valid convolutions take: 188 px or more."""
    described = describe(build_model(UnetSpec(name="unet", padding="valid", norm="none", width=2), 2))
    assert described["output_stride"] == 1 and described["receptive_field_px"] in range(188, 205)

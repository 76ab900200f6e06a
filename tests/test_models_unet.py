"""U-Net: counts by hand and from the literature, any size, and gradients everywhere."""

import pytest
import torch

from bench.models import build_model
from bench.models.trace import count_parameters
from bench.specs import UnetSpec


def unet(num_classes: int = 5, **options):
    torch.manual_seed(0)
    return build_model(UnetSpec(name="unet", **{"width": 4, "depth": 3, **options}), num_classes)


def test_parameters_as_published():
    # 3 channels in, 21 classes, biases everywhere, no normalisation: padding changes no weight.
    assert count_parameters(unet(21, width=64, depth=4, norm="none")) == 31_033_045


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

"""Convolutional forms against the classifiers they are made of, on whole images and on crops."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.errors import BenchError
from bench.models.classifiers import build_classifier, canonical_size, class_names, preprocessing
from bench.models.convolutionalize import convolutionalize
from bench.models.walk import walk
from tests.conftest import exhaustive

QUICK = [
    "alexnet",
    "googlenet",
    "inception_v3",
    "resnet18",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "squeezenet1_1",
]
ALL = [
    *("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    *("resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("mobilenet_v3_large", "densenet121", "densenet161", "densenet169", "densenet201", "convnext_tiny", "shufflenet_v2_x1_0"),
    *(f"efficientnet_b{n}" for n in range(1, 8)),
    *("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l", "mnasnet1_0", "regnet_y_400mf"),
]


def same_at_the_canonical_size(name: str) -> None:
    torch.manual_seed(0)
    classifier = build_classifier(name)
    # Statistics that keep signals alive to the end: untrained networks of this depth would give nothing to compare.
    for part in classifier.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    image = torch.randn(2, 3, *preprocessing(name)["size"])
    with torch.no_grad():
        classifier.train()(image)
        form = convolutionalize(classifier.eval())
        expected, made = classifier(image[:1]), form(image[:1])
    assert form.size == image.shape[2:] and made.shape == (1, 1000, 1, 1)
    assert expected.std() > 1e-4
    torch.testing.assert_close(made[:, :, 0, 0] / expected.abs().max(), expected / expected.abs().max(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", QUICK)
def test_the_form_is_the_classifier_at_the_canonical_size(name):
    same_at_the_canonical_size(name)


@pytest.mark.slow
@exhaustive
@pytest.mark.parametrize("name", ALL)
def test_every_form_is_its_classifier_at_the_canonical_size(name):
    same_at_the_canonical_size(name)


@pytest.mark.parametrize("name", ["vgg19_bn", "resnext50_32x4d", "densenet121", "efficientnet_b3", "convnext_tiny"])
def test_larger_images_give_a_heat_map(name):
    form = convolutionalize(build_classifier(name, meta=True))
    walked = walk(form, form.size[0] + 64, form.size[1] + 32)
    assert walked.size == (1, 1000, 3, 2) and walked.output_stride == 32


class Unpadded(nn.Module):
    """A small classifier without padding, so that a window of a large image is what a crop of it would be."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3))
        self.pool = nn.AdaptiveAvgPool2d(side)
        self.gate = nn.Conv2d(6, 6, 1)
        self.classifier = nn.Sequential(nn.Linear(6 * side**2, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5))

    def forward(self, x):
        x = self.pool(self.features(x))
        return self.classifier(x.flatten(1) if self.pool.output_size > 1 else x.view(x.shape[0], -1))


@pytest.mark.parametrize("side", [1, 5])
def test_a_heat_map_is_the_classifier_on_every_crop(side):
    torch.manual_seed(1)
    classifier = Unpadded(side).eval()
    form = convolutionalize(classifier, (15, 15))
    image = torch.randn(2, 3, 15 + 6, 15 + 4)
    with torch.no_grad():
        made = form(image)
        for row in range(4):
            for column in range(3):
                crop = image[..., 2 * row : 2 * row + 15, 2 * column : 2 * column + 15]
                torch.testing.assert_close(made[..., row, column], classifier(crop))
    assert made.shape == (2, 5, 4, 3)


def test_weights_are_shared():
    classifier = Unpadded(1)
    form = convolutionalize(classifier, (15, 15))
    with torch.no_grad():
        classifier.classifier[0].weight.zero_()
        classifier.classifier[0].bias.zero_()
    assert not form.classifier.get_submodule("0").weight.any() and isinstance(form.classifier.get_submodule("2"), nn.Dropout)


def test_squeeze_and_excitation_stays_global():
    form = convolutionalize(build_classifier("mobilenet_v3_small"))
    assert walk(form, *form.size).rows.everything
    pools = [part for part in form.modules() if isinstance(part, nn.AdaptiveAvgPool2d)]
    assert len(pools) == 9


class Functional(nn.Module):
    """An end written with functions."""

    def __init__(self, means: bool) -> None:
        super().__init__()
        self.conv, self.fc, self.means = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), means

    def forward(self, x):
        x = self.conv(x)
        x = x.mean([2, 3]) if self.means else torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1)
        return self.fc(F.relu(x))


@pytest.mark.parametrize("means", [True, False])
def test_functions_count_like_modules(means):
    torch.manual_seed(0)
    classifier, image = Functional(means).eval(), torch.randn(1, 3, 9, 8)
    form = convolutionalize(classifier, (9, 8))
    torch.testing.assert_close(form(image)[:, :, 0, 0], classifier(image))
    assert form(torch.randn(1, 3, 11, 8)).shape == (1, 2, 3, 1)


def test_canonical_sizes_are_those_of_the_weights():
    for name, side in {"inception_v3": 299, "efficientnet_b4": 380, "efficientnet_b0": 224, "googlenet": 224}.items():
        assert canonical_size(build_classifier(name, meta=True)) == (side, side)
    with pytest.raises(BenchError, match="is not known: it is none of"):
        convolutionalize(Unpadded(1))


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t"])
def test_attention_is_refused(name):
    with pytest.raises(BenchError, match="cannot be made convolutional"):
        convolutionalize(build_classifier(name, meta=True))


def test_a_pooling_that_is_no_window_is_refused():
    with pytest.raises(BenchError, match="pooling to 5x5"):
        convolutionalize(Unpadded(5), (25, 25))


def test_unknown_names_get_the_nearest():
    with pytest.raises(BenchError, match="Did you mean 'resnet50'"):
        convolutionalize("resnet500")
    assert len(class_names("vgg16")) == 1000

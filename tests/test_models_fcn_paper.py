"""The paper's FCN against the graph written out from its published description, and against its published counts."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models import build_model
from bench.models.fcn_paper import PaperFcn
from bench.models.trace import count_parameters, receptive_field_px
from bench.specs import FcnSpec

NARROW = {"widths": (4, 5, 6, 7, 8), "head_width": 9}
SIZES = [(97, 131), (1, 1), (64, 33)]


def narrow(stride: int, **options) -> PaperFcn:
    torch.manual_seed(stride)
    return PaperFcn(3, stride, **NARROW, **options).eval()


class Described(nn.Module):
    """FCN by its description: convolutions one by one, plain transposed convolutions, literal crops; of BGR less the mean."""

    def __init__(self, num_classes: int, stride: int, widths: tuple[int, ...], head_width: int) -> None:
        super().__init__()
        self.stride = stride
        a, b, c, d, e = widths
        self.conv1_1, self.conv1_2 = nn.Conv2d(3, a, 3, padding=100), nn.Conv2d(a, a, 3, padding=1)
        self.conv2_1, self.conv2_2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.conv3_1, self.conv3_2 = nn.Conv2d(b, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
        self.conv3_3, self.conv4_1 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, d, 3, padding=1)
        self.conv4_2, self.conv4_3 = nn.Conv2d(d, d, 3, padding=1), nn.Conv2d(d, d, 3, padding=1)
        self.conv5_1, self.conv5_2 = nn.Conv2d(d, e, 3, padding=1), nn.Conv2d(e, e, 3, padding=1)
        self.conv5_3 = nn.Conv2d(e, e, 3, padding=1)
        self.fc6, self.fc7 = nn.Conv2d(e, head_width, 7), nn.Conv2d(head_width, head_width, 1)
        self.score_fr = nn.Conv2d(head_width, num_classes, 1)
        up = {
            32: ["upscore:64:32"],
            16: ["upscore2:4:2", "upscore16:32:16"],
            8: ["upscore2:4:2", "upscore_pool4:4:2", "upscore8:16:8"],
        }
        for name, size, step in (each.split(":") for each in up[stride]):
            self.add_module(name, nn.ConvTranspose2d(num_classes, num_classes, int(size), int(step), bias=False))
        if stride < 32:
            self.score_pool4 = nn.Conv2d(d, num_classes, 1)
        if stride < 16:
            self.score_pool3 = nn.Conv2d(c, num_classes, 1)

    def forward(self, images: Tensor, four: float = 1.0, three: float = 1.0) -> Tensor:
        pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        height, width = images.shape[2:]
        x = pool(self.conv1_2(self.conv1_1(images).relu()).relu())
        x = pool(self.conv2_2(self.conv2_1(x).relu()).relu())
        pool3 = x = pool(self.conv3_3(self.conv3_2(self.conv3_1(x).relu()).relu()).relu())
        pool4 = x = pool(self.conv4_3(self.conv4_2(self.conv4_1(x).relu()).relu()).relu())
        x = pool(self.conv5_3(self.conv5_2(self.conv5_1(x).relu()).relu()).relu())
        x = self.score_fr(self.fc7(self.fc6(x).relu()).relu())
        if self.stride == 32:
            return self.upscore(x)[:, :, 19 : 19 + height, 19 : 19 + width]
        x = self.upscore2(x)
        x = x + self.score_pool4(pool4 * four)[:, :, 5 : 5 + x.shape[2], 5 : 5 + x.shape[3]]
        if self.stride == 16:
            return self.upscore16(x)[:, :, 27 : 27 + height, 27 : 27 + width]
        x = self.upscore_pool4(x)
        x = x + self.score_pool3(pool3 * three)[:, :, 9 : 9 + x.shape[2], 9 : 9 + x.shape[3]]
        return self.upscore8(x)[:, :, 31 : 31 + height, 31 : 31 + width]


def caffe(images: Tensor) -> Tensor:
    """Normalised RGB as BGR in 0 … 255 less Caffe's mean, pixel by pixel as one would by hand."""
    rgb = (images * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1) + torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) * 255
    return torch.stack((rgb[:, 2] - 104.00699, rgb[:, 1] - 116.66877, rgb[:, 0] - 122.67892), 1)


@pytest.mark.parametrize(("stride", "scaled"), [(32, False), (16, False), (8, False), (8, True)])
def test_state_dicts_of_the_port_give_its_logits(stride, scaled):
    torch.manual_seed(1)
    port = Described(3, stride, *NARROW.values()).eval()
    model = narrow(stride, scaled=scaled)
    model.load_state_dict(port.state_dict())  # every name and shape, and no other
    for size in SIZES:
        images = torch.randn(2, 3, *size)
        expected = port(caffe(images), 0.01, 0.0001) if scaled else port(caffe(images))
        with torch.no_grad():
            torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("stride", "published"), [(32, 134_346_581), (16, 134_357_354), (8, 134_362_751)])
def test_parameters_as_published(stride, published):
    with torch.device("meta"):
        model = build_model(FcnSpec(name="fcn", form="paper", stride=stride), 21)
    assert count_parameters(model) == published
    assert model.output_stride == stride


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_upsampling_starts_bilinear_and_scores_at_zero(stride):
    model = narrow(stride)
    assert not model(torch.randn(1, 3, 40, 40)).any()
    nn.init.ones_(model.score_fr.bias)
    ones = model(torch.randn(1, 3, 224, 224))
    # Kernels sum to one where all units that they would reach are there; in the first pixels some are not, and the graph fades.
    torch.testing.assert_close(ones[..., 64:160, 64:160], torch.ones(1, 3, 96, 96))
    assert 0 < ones[0, 0, 0, 0] < 1


def test_learned_upsampling_leaves_the_last_one_fixed():
    model, fixed = narrow(8, learned=True), narrow(8)
    assert count_parameters(model) - count_parameters(fixed) == 2 * 3 * 3 * 4 * 4
    assert [name for name, _ in model.named_parameters() if name.startswith("up")] == ["upscore2.weight", "upscore_pool4.weight"]


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_every_parameter_gets_a_gradient(stride):
    model = narrow(stride, learned=True, dropout=0.0).train()
    for name, parameter in model.named_parameters():
        if name.startswith("score"):
            nn.init.normal_(parameter)
    model(torch.randn(2, 3, 97, 131)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_fields_are_those_of_fc6_and_the_interpolation(stride):
    # fc6 sees 404 px. Bilinear interpolation joins two neighbouring units, and in two steps up to three.
    assert receptive_field_px(narrow(stride)) == 404 + 32 * (1 if stride == 32 else 2)


def test_images_of_torchvision_weights_are_read_as_they_were_trained():
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, 3, padding=1)
    classifier = nn.Module()
    model = narrow(32)
    layers, channels = [first], 4
    for name, layer in list(model.named_children())[1:13]:
        assert name.startswith("conv")
        layers.append(nn.Conv2d(channels, layer.out_channels, 3))
        channels = layer.out_channels
    classifier.features = nn.Sequential(*layers)
    classifier.classifier = nn.Sequential(nn.Linear(8 * 49, 9), nn.Linear(9, 9), nn.Linear(9, 5))
    model.adopt(classifier)
    images = torch.randn(1, 3, 12, 12)
    given = images.flip(1) * model.factor + model.summand
    torch.testing.assert_close(given, caffe(images), rtol=1e-5, atol=1e-4)
    # Away from the padding, which is the mean colour of either; they differ by less than a grey level.
    torch.testing.assert_close(
        model.conv1_1(given)[..., 100:-100, 100:-100], F.conv2d(images, first.weight, first.bias), rtol=1e-4, atol=1e-4
    )
    assert torch.equal(model.fc6.weight.flatten(1), classifier.classifier[0].weight)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"backbone": "resnet18"}, "backbone: given resnet18, which form: paper does not have; it is vgg16 there"),
        ({"stride": 4}, "stride: given 4, which form: paper does not have; it is 32 or 16 or 8 there"),
        ({"head_width": 64}, "head_width: given 64, which form: paper does not have; leave it out there"),
        ({"width": 16}, "width: given 16, which form: paper does not have; leave it out there"),
    ],
)
def test_fields_that_do_not_apply_are_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        FcnSpec(name="fcn", form="paper", **options)


def test_upsampling_is_fixed_unless_said():
    assert FcnSpec(name="fcn", form="paper").upsampling == "fixed"
    assert FcnSpec(name="fcn", form="paper", upsampling="learned").upsampling == "learned"
    assert FcnSpec(name="fcn").upsampling == "learned"

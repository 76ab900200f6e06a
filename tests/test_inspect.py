"""`bench inspect` and `bench heatmap`: what they print, draw and refuse; effective fields against convolving by hand."""

import io
import json
import re
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models as tv
from typer.testing import CliRunner

from bench.cli.app import app
from bench.cli.inspect_text import summary_lines
from bench.errors import BenchError
from bench.models import build_model, heat
from bench.models.classifiers import build_classifier, preprocessing
from bench.models.convolutionalize import convolutionalize
from bench.models.drawing import spread
from bench.models.effective import LEVEL, effective_field
from bench.models.heat import draw, heat_map
from bench.models.inspection import inspect_model
from bench.models.walk import walk
from bench.specs import UnetSpec


def invoke(*arguments):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_inception_prints_its_figures():
    text = invoke("inspect", "inception_v3").stdout
    line = next(line for line in text.splitlines() if line.startswith("to after Mixed_7c"))
    assert "299x299 -> 8x8; stride 32; receptive field 1311, padding 618; D_in = 32 D_out + 43, smallest input 75" in line
    assert re.search(r"misaligned paths +none", text) and re.search(r"parameters +23,834,568", text)
    # One line for every convolution of the network, aux classifiers left out.
    assert len(re.findall(r"^Conv2d_\S+\.conv|^Mixed_\S+\.conv", text, re.M)) == 94


def test_json_has_every_layer():
    facts = json.loads(invoke("inspect", "vgg16", "--json", "--size", "256", "320").stdout)
    fc6 = next(line for line in facts["layers"] if line["name"] == "classifier.0")
    assert (fc6["kernel"], fc6["receptive_field_px"], fc6["compound_kernel"], fc6["size"]) == (7, 404, 224, [2, 4])
    assert facts["summary"]["parameters"] == 138_357_544


def test_a_size_may_be_written_with_an_x():
    sizes = [
        json.loads(invoke("inspect", "unet", "--set", "width=2", "--json", *given).stdout)["summary"]
        for given in (("--size", "64x48"), ("--size", "64", "48"))
    ]
    assert sizes[0] == sizes[1] and sizes[0]["output"] == [1, 21, 64, 48] and sizes[0]["receptive_field_px"] == 204


def test_several_models_make_a_list():
    found = json.loads(invoke("inspect", "alexnet", "squeezenet1_1", "--json").stdout)
    assert [facts["model"] for facts in found] == ["alexnet", "squeezenet1_1"]
    with pytest.raises(BenchError, match="one file is for one model"):
        invoke("inspect", "alexnet", "squeezenet1_1", "--picture", "x.png")


def test_a_model_whose_suite_names_a_folder_of_ones_own(tmp_path):
    suite = tmp_path / "own.yaml"
    suite.write_text(
        "datasets: {own: {name: folder, images: i, labels: l, classes: [a, b, c], splits: {train: 0.7, val: 0.15, test: 0.15}}}\n"
        "models: {u: {name: unet, width: 2, depth: 2}}\nmatrix: {dataset: [own], model: [u]}\n"
    )
    facts = json.loads(invoke("inspect", f"{suite}:u", "--json").stdout)
    assert facts["form"] == "unet, 3 classes"


def test_a_suites_model_by_its_label(tiny_suite):
    facts = json.loads(invoke("inspect", f"{tiny_suite}:fcn", "--json").stdout)
    assert facts["summary"]["output_stride"] == 8 and facts["summary"]["output"][1] == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg61",), "Did you mean 'vgg19'"),
        (("vgg16", "--size", "10", "10"), "leaves nothing of an image of 10x10"),
        (("vgg16", "--size", "0", "10"), "sides are at least 1"),
        (("vgg16", "--size", "10", "10000000"), "at most 32768 px"),
        (("alexnet", "--size", "32768", "32768", "--effective"), "GiB of activations"),
        (("fcn", "--set", "backbone=small", "--set", "width=32768"), "more than this machine's memory holds"),
        (("../nosuch.yaml:f16",), r"^\.\./nosuch\.yaml: no such file"),
        (("vgg16", "--set", "stride=8"), "has no fields"),
        (("fcn", "--set", "strid=8"), "Did you mean 'stride'"),
        (("fcn", "--set", "stride"), "expected field=value"),
        (("fcn", "--set", "stride=7"), "stride: given 7"),
        (("smp",), "arch: missing"),
        (("vit_b_16",), "cannot be made convolutional"),
        (("quickstart:unett",), "Did you mean 'unet'"),
        (("some.module:build",), "Allow it with --allow-plugins"),
        (("alexnet", "--picture", "nowhere/file.png"), "no folder nowhere"),
        (("alexnet", "--picture", "field.jpg"), "ends with .png"),
        (("alexnet", "--picture", "/proc/field.png"), "cannot be written: No such file"),
        (("alexnet", "--weights", "nowhere.pth"), "no such file"),
    ],
)
def test_mistakes_are_told(arguments, message):
    with pytest.raises(BenchError, match=message):
        invoke("inspect", *arguments)


@pytest.mark.parametrize(("depth", "stride"), [(2, 1), (3, 1), (4, 1), (5, 1), (3, 4)])
def test_the_smallest_input_is_the_smallest_that_runs(depth, stride):
    """Upward from 1 px, for real: the first side that gives scores."""
    options = [word for field in (f"depth={depth}", f"stride={stride}", "width=1", "padding=valid") for word in ("--set", field)]
    summary = json.loads(invoke("inspect", "unet", *options, "--size", "400", "410", "--json").stdout)["summary"]
    model = build_model(UnetSpec(name="unet", width=1, depth=depth, stride=stride, padding="valid"), 21).eval()

    def runs(side):
        try:
            return model(torch.zeros(1, 3, side, 400)).numel() > 0
        except BenchError:
            return False

    assert summary["smallest_input_px"] == next(side for side in range(1, 401) if runs(side))


def test_the_smallest_input_of_any_module_is_found_by_trying():
    """The last layer needs 3 units, so the up-convolution 2, the pooling 4, and the first layer 6 px."""
    model = nn.Sequential(nn.Conv2d(3, 1, 3), nn.MaxPool2d(2), nn.ConvTranspose2d(1, 1, 2, 2), nn.Conv2d(1, 1, 3))
    assert inspect_model(model, (32, 40))["summary"]["smallest_input_px"] == 6


def test_a_stretched_grid_is_named_so():
    """13 units of 8 px stand for 104 px; brought to 97 px, a pixel of the scores stands for 104/97 of the image's."""
    model = nn.Sequential(nn.Conv2d(3, 2, 3, 8, padding=1), nn.Upsample((97, 64), mode="bilinear"))
    lines = [dict(summary_lines({**inspect_model(model, size), "model": ""})) for size in ((97, 64), (776, 64))]
    assert f"stride {104 / 97:.6g}x1 (the scores are stretched: a grid does not divide this size)" in lines[0]["input -> output"]
    assert "stretched" not in lines[1]["input -> output"]


@pytest.mark.slow
def test_ten_classifiers_in_twenty_seconds():
    names = "alexnet vgg16 vgg19_bn googlenet inception_v3 resnet50 resnext50_32x4d mobilenet_v2 densenet121 efficientnet_b0"
    command = [sys.executable, "-m", "bench", "inspect", *names.split()]
    # The processor's seconds, which other work on the machine does not stretch as it does the clock's.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20
    assert len(re.findall(r"convolutional form", done.stdout)) == 10


def stack(layers: int) -> nn.Sequential:
    """Convolutions with equal weights, whose gradient is a box convolved with itself."""
    model = nn.Sequential(*(nn.Conv2d(3 if n == 0 else 1, 1, 3, padding=1, bias=False) for n in range(layers)))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1.0)
    return model


@pytest.mark.parametrize("layers", [1, 4, 9])
def test_effective_fields_by_hand(layers):
    found = effective_field(stack(layers), (41, 51), images=2)
    line = np.ones(1)
    for _ in range(layers):
        line = np.convolve(line, np.ones(3))
    expected = np.zeros((41, 51))
    expected[20 - layers : 21 + layers, 25 - layers : 26 + layers] = np.outer(line, line) / line.max() ** 2
    np.testing.assert_allclose(found.gradients.numpy(), expected, atol=1e-6)
    assert found.side_px == pytest.approx((expected > LEVEL).sum() ** 0.5)
    assert found.unit == (20, 25)


def test_measuring_leaves_a_model_as_it_was():
    model = stack(2).train()
    model[0].weight.requires_grad_(False)
    effective_field(model, (9, 9), images=1)
    assert model.training and [each.requires_grad for each in model.parameters()] == [False, True]
    assert all(each.grad is None for each in model.parameters())


def test_a_silent_unit_is_told_of():
    silent = nn.Sequential(stack(1), nn.Threshold(1e9, 0.0))
    with pytest.raises(BenchError, match="no pixel of 2 images"):
        effective_field(silent, (9, 9), images=2)


def test_a_picture_of_the_effective_field(tmp_path):
    done = invoke("inspect", "unet", "--set", "width=6", "--set", "depth=2", "--picture", tmp_path / "field.png", "--images", 2)
    assert "effective field" in done.stdout
    with Image.open(tmp_path / "field.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    # The square of the theoretical field, 44 px, and that of the effective one inside it.
    white = np.argwhere((pixels[:256, :256] == 255).all(-1))
    assert np.ptp(white, axis=0).tolist() == [44, 44]


def test_units_are_laid_where_they_lie():
    values = np.zeros((3, 4))
    values[1, 2] = 1
    laid = spread(values, (40, 50), (8, 8), (9.5, 7.0))
    assert np.unravel_index(np.nanargmax(laid), laid.shape) in [(17, 23), (18, 23)]
    assert laid[17, 23] == pytest.approx(1 - 0.5 / 8) and laid[17, 19] == pytest.approx(0.5 * (1 - 0.5 / 8))
    assert np.isnan(laid[:, 2]).all() and not np.isnan(laid[6:30, 3:36]).any() and np.isnan(laid[30:]).all()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A classifier that knows class 7 by its being red, and nothing else."""
    torch.manual_seed(0)
    model = build_classifier("squeezenet1_1")
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.zero_()
                part.bias.zero_()
                # One channel carries red through all of the network.
                centre = (part.kernel_size[0] // 2, part.kernel_size[1] // 2)
                part.weight[0, 0, centre[0], centre[1]] = 1
        model.classifier[1].weight.zero_()
        model.classifier[1].weight[7, 0] = 5
    path = tmp_path_factory.mktemp("weights") / "red.pth"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A red square in the dark, its middle at row 300, column 420."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[240:361, 360:481, 0] = 255
    path = tmp_path_factory.mktemp("photograph") / "square.png"
    Image.fromarray(pixels).save(path)
    return path


def test_a_heat_map_peaks_where_the_object_is(weights, photograph):
    with Image.open(photograph) as image:
        found = heat_map("squeezenet1_1", np.asarray(image), 7, weights)
    facts = found.facts()
    # The window is larger than the square, so many units see all of it: their middle is the square's, to half a unit.
    mass = found.values - found.values.min()
    middle = [(mass.sum(1 - axis) * np.arange(mass.shape[axis])).sum() / mass.sum() for axis in (0, 1)]
    place = [found.centre_px[axis] + middle[axis] * found.stride_px[axis] for axis in (0, 1)]
    assert place == pytest.approx([300, 420], abs=facts["stride_px"][0] / 2)


def test_the_command_draws_it(weights, photograph, tmp_path):
    out = tmp_path / "heat.png"
    done = invoke("heatmap", "squeezenet1_1", photograph, "--class", "7", "--weights", weights, "--out", out, "--json")
    facts = json.loads(done.stdout)
    assert facts["class"] == "cock" and facts["stride_px"] == [16.0, 16.0] and facts["picture"] == str(out)
    with Image.open(out) as picture:
        assert picture.width >= 640 and picture.height > 480
        bright, dark = picture.getpixel((420, 300)), picture.getpixel((200, 150))
    assert sum(bright) > sum(dark)


def test_a_large_image_is_told_before_it_is_begun_and_drawn_small(weights, tmp_path):
    pixels, told = np.zeros((300, 5000, 3), np.uint8), list[str]()
    pixels[:, 2000:2400] = 255
    found = heat_map("squeezenet1_1", pixels, 7, weights, told.append)
    assert not told, "30 times the canonical size is nothing to speak of"
    with Image.open(io.BytesIO(draw(found, pixels, "m", "c"))) as picture:
        sheet = np.asarray(picture.convert("RGB")).astype(int)
    assert sheet.shape[1] == 2048
    # 300x5000 comes to 123x2048, and the white bar with it.
    row = sheet[:123].sum((0, 2))
    assert abs(np.flatnonzero(row > (row.max() + np.median(row)) / 2).mean() - 2200 * 2048 / 5000) < 3


def test_what_a_large_image_costs_is_told_in_numbers(monkeypatch):
    told: list[str] = []
    form = convolutionalize(build_classifier("squeezenet1_1", meta=True))
    heat.tell_cost(form, walk(form, 2240, 2240), "squeezenet1_1", (2240, 2240), told.append)
    # 10 x 10 canonical images, and a little more as padding is nothing and a border is shared; 64 channels at half size, twice.
    (text,) = told
    times = int(re.search(r"([\d,]+) times those of one 224x224 px image", text)[1])
    assert 95 <= times <= 115 and f"about {4 * (3 * 2240**2 + 2 * 64 * 1119**2) / 2**30:.1f} GiB" in text
    monkeypatch.setattr(heat, "host_bytes", lambda: 2**29)
    with pytest.raises(BenchError, match=r"takes 1 GiB for an image of 2240x2240 px.*Choose a smaller --side"):
        heat.tell_cost(form, walk(form, 2240, 2240), "squeezenet1_1", (2240, 2240), told.append)


def test_inception_is_given_images_as_its_weights_want_them(tmp_path):
    """With torchvision's weights its network reads ImageNet-normalised images; without, random ones are of no range."""
    torch.manual_seed(0)
    theirs = tv.googlenet(init_weights=False, transform_input=True)
    for part in theirs.modules():  # statistics that keep the signal alive to the end
        part.momentum = 1.0
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    facts = preprocessing("googlenet")
    image = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    image = (image - torch.tensor(facts["mean"])[:, None, None]) / torch.tensor(facts["std"])[:, None, None]
    with torch.no_grad():
        theirs(torch.stack((image, torch.randn_like(image))))
        torch.save(theirs.eval().state_dict(), tmp_path / "w.pth")
        expected = theirs(image[None]).softmax(1)[0, 7].item()
        theirs.transform_input = False
        other = theirs(image[None]).softmax(1)[0, 7].item()
    found = heat_map("googlenet", pixels, 7, tmp_path / "w.pth").values
    assert found.shape == (1, 1) and found.item() == pytest.approx(expected, rel=1e-4) and abs(other / expected - 1) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--class", "tabbi"), "Did you mean 'tabby'"),
        (("--class", "1000"), "numbered 0 to 999"),
        (("--class", "dog"), "These have it in their names: Maltese dog"),
        (("--class", "7", "--side", "100000000"), "choose a smaller side"),
        (("--class", "7", "--out", "."), "that is a folder"),
        (("--class", "7", "--side", "100"), "wants at least 224x224"),
        (("--class", "7", "--weights", "nowhere.pth"), "no such file"),
        (("--class", "7", "--out", "nowhere/out.png"), "no folder nowhere"),
    ],
)
def test_mistakes_about_heat_maps_are_told(photograph, arguments, message):
    with pytest.raises(BenchError, match=message):
        invoke("heatmap", "squeezenet1_1", photograph, *arguments)


def test_without_weights_the_option_is_named(photograph, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)

    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(BenchError, match=r"no route to host.*name a state dict of your own with --weights FILE"):
        invoke("heatmap", "squeezenet1_1", photograph, "--class", "7")


def test_weights_that_give_no_numbers_draw_nothing(weights, photograph, tmp_path):
    state = torch.load(weights, weights_only=True)
    state["classifier.1.bias"][3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(BenchError, match=r"nan\.pth: with these weights squeezenet1_1 gives no numbers"):
        invoke(
            "heatmap", "squeezenet1_1", photograph, "--class", "7", "--weights", tmp_path / "nan.pth", "--out", tmp_path / "x.png"
        )
    assert not (tmp_path / "x.png").exists()


def test_what_is_no_image_and_what_are_no_weights(tmp_path, photograph):
    nonsense = tmp_path / "nonsense.txt"
    nonsense.write_text("neither", encoding="utf-8")
    with pytest.raises(BenchError, match="cannot be read as an image"):
        invoke("heatmap", "squeezenet1_1", nonsense, "--class", "7")
    with pytest.raises(BenchError, match="cannot be read as weights"):
        invoke("heatmap", "squeezenet1_1", photograph, "--class", "7", "--weights", nonsense)
    assert not list(tmp_path.glob("*.png"))

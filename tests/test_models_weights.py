"""ImageNet weights: found, missing, damaged, or another network's. No test reaches a network."""

import re
from urllib.error import URLError

import pytest
import torch
from torchvision import models as tv

from bench.errors import BenchError
from bench.models import build_model, weights
from bench.specs import FcnSpec


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "hub" / "checkpoints"


def put(backbone: str, state) -> None:
    path = weights.weights_file(backbone)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def spec(backbone: str, **options) -> FcnSpec:
    return FcnSpec(name="fcn", backbone=backbone, weights="imagenet", **options)


def test_a_resnet_trunk_has_the_files_weights():
    classifier = tv.resnet18().eval()
    with torch.no_grad():
        classifier.bn1.running_mean.fill_(0.5)
    put("resnet18", classifier.state_dict())
    model = build_model(spec("resnet18"), 3).eval()
    images = torch.randn(1, 3, 64, 96)
    features = model.trunk(images)
    x = classifier.maxpool(classifier.relu(classifier.bn1(classifier.conv1(images))))
    for stride, layer in {4: "layer1", 8: "layer2", 16: "layer3", 32: "layer4"}.items():
        x = getattr(classifier, layer)(x)
        torch.testing.assert_close(features[stride], x)
    assert all(parameter.requires_grad and parameter.dtype is torch.float32 for parameter in model.parameters())


def vgg_state(backbone: str):
    """A full-size file that takes little room: every tensor is one number, stored once."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in getattr(tv, backbone)().state_dict().items()}
    return {name: torch.tensor(float(n)).expand(shape) for n, (name, shape) in enumerate(shapes.items(), start=1)}


@pytest.mark.parametrize("backbone", ["vgg16", "vgg16_bn"])
def test_a_vgg_head_starts_as_the_classifier(backbone):
    state = vgg_state(backbone)
    put(backbone, state)
    model = build_model(spec(backbone), 3)
    assert model.head.fc6.weight.shape == (4096, 512, 7, 7)
    assert model.head.fc6.weight[5, 6, 3, 2] == state["classifier.0.weight"][0, 0]
    assert model.head.fc7.weight[8, 9, 0, 0] == state["classifier.3.weight"][0, 0]
    assert model.head.fc7.bias[3] == state["classifier.3.bias"][0]
    assert model.trunk.stages[0][0].weight[0, 0, 0, 0] == state["features.0.weight"][0, 0, 0, 0]


def test_alexnets_head_starts_as_the_classifier():
    state = vgg_state("alexnet")
    put("alexnet", state)
    model = build_model(spec("alexnet"), 3)
    assert model.head.fc6.weight.shape == (4096, 256, 6, 6)
    assert model.head.fc6.weight[5, 6, 3, 2] == state["classifier.1.weight"][0, 0]
    assert model.head.fc7.bias[3] == state["classifier.4.bias"][0]
    assert model.trunk.stages[3][0].weight[0, 0, 0, 0] == state["features.6.weight"][0, 0, 0, 0]


def test_a_densenet_is_read_by_the_names_of_its_file(monkeypatch):
    """torchvision's own file has keys that no module can have any more; its own reader is the truth."""
    classifier = tv.densenet121().eval()
    state = {name: each for name, each in classifier.state_dict().items() if "num_batches" not in name}
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): each for name, each in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    put("densenet121", old)
    monkeypatch.setattr(tv.DenseNet121_Weights, "get_state_dict", lambda *_, **__: dict(old))
    theirs = tv.densenet121(weights="DEFAULT").state_dict()
    trunk = build_model(spec("densenet121", head_width=4), 3).trunk.stages.state_dict()
    # A stage is a piece of the chain `features`, so parameters come in its order.
    assert all(
        torch.equal(*pair)
        for pair in zip(trunk.values(), [theirs[name] for name in theirs if "classifier" not in name], strict=True)
    )


def test_another_head_width_starts_afresh():
    state = vgg_state("vgg16")
    put("vgg16", state)
    model = build_model(spec("vgg16", head_width=64), 3)
    assert model.head.fc6.weight.shape == (64, 512, 7, 7) and model.head.fc6.weight.std() > 0


def test_presence_is_told_without_building(cache):
    assert not weights.has_weights("resnet34")
    assert weights.weights_file("resnet34").parent == cache
    put("resnet34", {})
    assert weights.has_weights("resnet34")


def test_absent_and_no_network_says_which_file_belongs_where(cache):
    with pytest.raises(BenchError) as error:
        build_model(spec("resnet50"), 3)
    message = str(error.value)
    assert weights.weights_url("resnet50") in message and str(weights.weights_file("resnet50")) in message
    assert "no route to host" in message
    assert not list(cache.iterdir())


def test_a_file_that_is_absent_is_fetched(monkeypatch):
    state = tv.resnet18().state_dict()

    def fetch(url, path, digits, progress):
        assert url.endswith(f"{digits}.pth") and len(digits) == 8
        torch.save(state, path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    model = build_model(spec("resnet18"), 3)
    assert torch.equal(model.trunk.stages[0][0].weight, state["conv1.weight"])


def test_a_truncated_file_is_named():
    put("resnet18", tv.resnet18().state_dict())
    path = weights.weights_file("resnet18")
    path.write_bytes(path.read_bytes()[:100_000])
    refused(path)


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"<html>404</html>", b"PK\x03\x04 half an archive"])
def test_a_file_of_something_else_is_named(content):
    put("resnet18", {})
    path = weights.weights_file("resnet18")
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("state", [[1, 2], {"conv1.weight": "text"}, {}, {"conv1.weight": torch.zeros(1)}])
def test_a_file_without_the_weights_is_named(state):
    put("resnet18", state)
    refused(weights.weights_file("resnet18"))


def test_another_networks_file_is_named():
    put("resnet18", tv.resnet34().state_dict())
    refused(weights.weights_file("resnet18"))


def test_wrong_shapes_are_named():
    state = tv.resnet18().state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(2, 2, 3, 3)
    put("resnet18", state)
    assert "layer1.0.conv1.weight" in refused(weights.weights_file("resnet18"))


def test_code_in_a_file_is_not_run(tmp_path):
    put("resnet18", {"conv1.weight": Trap(tmp_path / "sprung")})
    refused(weights.weights_file("resnet18"))
    assert not (tmp_path / "sprung").exists()


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def refused(path) -> str:
    with pytest.raises(BenchError) as error:
        build_model(spec("resnet18"), 3)
    message = str(error.value)
    assert str(path) in message and weights.weights_url("resnet18") in message
    return message

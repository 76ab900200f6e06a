"""What is told before anything is trained: found on shapes, and the same that torch says once memory and data are real."""

from pathlib import Path

import pytest
import torch

from bench.cell import Cell
from bench.errors import BenchError
from bench.expand import expand
from bench.models import build_model
from bench.preflight import memory_bytes, survey
from bench.specs import FcnSpec, SmpSpec, UnetSpec
from bench.suite import load_suite

SUITE = """\
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  net: {name: unet, width: 2, depth: 2}
  deep: {name: unet, width: 1, depth: 5}
  bare: {name: unet, width: 1, depth: 5, norm: none}
  trunk: {name: fcn, backbone: resnet18, stride: 32, head_width: 4}
  valid: {name: unet, width: 1, depth: 1, padding: valid}
  wide: {name: fcn, backbone: small, width: 32768}
  paper: {name: fcn, form: paper, stride: 32}
  learned: {name: fcn, form: paper, stride: 16, upsampling: learned}
  large: {name: fcn, backbone: resnet34, stride: 32, head_width: 4}
  coarse: {name: fcn, backbone: small, width: 2, stride: 32}
  encoder: {name: smp, arch: unet, encoder: resnet81}
matrix: {dataset: [small], model: [net]}
"""


def cells(folder: Path, *settings: str, text: str = SUITE) -> list[Cell]:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return expand(load_suite(path, list(settings)))


@pytest.mark.parametrize(
    ("model", "batch", "crop"),
    [
        ("deep", 1, "full"),
        ("deep", 2, "full"),
        ("deep", 1, "33"),
        ("deep", 1, "[32, 40]"),
        ("bare", 1, "full"),
        ("trunk", 1, "32"),
        ("trunk", 1, "64"),
        ("valid", 1, "full"),
    ],
)
def test_a_batch_that_cannot_be_normalised_is_told_when_training_would_fail(
    tmp_path: Path, model: str, batch: int, crop: str
) -> None:
    (cell,) = cells(tmp_path, f"matrix.model=[{model}]", f"train.batch={batch}", f"train.crop={crop}")
    side = (32, 32) if crop == "full" else (32, 40) if "[" in crop else (int(crop),) * 2
    real = build_model(cell.model, 3).train()
    try:
        real(torch.randn(batch, 3, *side))
        fails = False
    except BenchError as error:
        assert "train.batch must be 2 or more" in str(error)
        fails = True
    found = survey([cell])[0]
    assert [label for label, _ in found] == [model] * fails
    assert fails == (model in ("deep", "trunk") and batch == 1 and crop in ("full", "32"))
    assert all("train.batch must be 2 or more" in text for _, text in found)


def test_a_width_beyond_all_memory_is_told_and_allocates_nothing(tmp_path: Path) -> None:
    ((label, text),) = survey(cells(tmp_path, "matrix.model=[wide]"))[0]
    assert label == "wide" and "this machine has" in text and "Choose a smaller width" in text
    assert not survey(cells(tmp_path))[0] and memory_bytes() > 2**28


@pytest.mark.parametrize(
    ("start", "model", "agreeing"),
    [
        ("paper", "{name: fcn, backbone: small, width: 2, stride: 32}", "0 of the "),
        ("coarse", "{name: fcn, backbone: small, width: 3, stride: 16}", "10 of the 60 "),
        ("trunk", "{name: fcn, backbone: resnet34, stride: 32}", "120 of the 216 "),
        ("large", "{name: fcn, backbone: resnet18, stride: 32}", "120 of the 216 "),
        ("trunk", "{name: fcn, backbone: resnet50, stride: 16}", " of the "),
        ("net", "{name: unet, width: 2, depth: 3}", " of the "),
        ("coarse", "{name: fcn, backbone: small, width: 2, stride: 8, head_width: 5}", ""),
        ("net", "{name: unet, width: 2, depth: 2, stride: 2}", ""),
        ("paper", "{name: fcn, form: paper, stride: 16}", ""),
        ("learned", "{name: fcn, form: paper, stride: 8}", ""),
    ],
)
def test_a_start_is_told_unless_its_trunk_is_the_same(tmp_path: Path, start: str, model: str, agreeing: str) -> None:
    late = f"  late: {model.removesuffix('}')}, init_from: {start}}}\nmatrix:"
    found = survey(cells(tmp_path, "matrix.model=[late]", text=SUITE.replace("matrix:", late)))[0]
    assert [label for label, _ in found] == (["late"] if agreeing else [])
    for _, text in found:
        assert text.startswith("init_from: ") and agreeing in text and "Start from a model of the same trunk" in text


def test_what_a_library_does_not_have_is_told(tmp_path: Path) -> None:
    ((label, text),) = survey(cells(tmp_path, "matrix.model=[encoder]"))[0]
    assert label == "encoder" and "Did you mean 'resnet18'" in text


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (SmpSpec, {"name": "smp", "arch": "unet", "options": {"activation": "softmax"}}, "the loss takes logits"),
        (FcnSpec, {"name": "fcn", "skips": "scaled", "stride": 32}, "no skip to scale"),
    ],
)
def test_what_would_train_something_else_is_refused(kind: type, fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**fields)


def test_building_on_shapes_holds_no_memory() -> None:
    with torch.device("meta"):
        for spec in (FcnSpec(name="fcn", backbone="small", width=2), UnetSpec(name="unet", width=2)):
            assert {each.device.type for each in build_model(spec, 3).parameters()} == {"meta"}

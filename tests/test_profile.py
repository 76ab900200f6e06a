"""`bench profile`: what it measures of a suite, prints, writes, compares and refuses."""

import json
import re

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import BenchError
from bench.expand import expand
from bench.suite import load_suite
from bench.throughput.configuration import of_cells
from bench.throughput.document import read_document

QUICK = ("--rounds", "2", "--window", "0.001", "--burn-in", "0.001", "--most-batch", "2", "--threads", "1")


def invoke(*arguments):
    done = CliRunner().invoke(app, ["profile", *(str(each) for each in arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Two real models, measured once, and the table that was printed."""
    folder = tmp_path_factory.mktemp("profile")
    suite = folder / "two.yaml"
    suite.write_text(
        "name: two\nmodels:\n  fcn: {name: fcn, backbone: small, width: 2}\n  unet: {name: unet, width: 2, depth: 2}\n"
        "matrix: {dataset: [phantom], model: [fcn, unet], seed: [0, 1]}\nprofile: {size: [32, 48], batch: 2}\n"
    )
    done = invoke(suite, *QUICK, "--out", folder / "made.json")
    return folder / "made.json", done.stdout


def scaled(path, name, **factors):
    """The same document in which some models are so much quicker relative to the anchor."""
    data = json.loads(path.read_text())
    for model in data["models"]:
        for block in (model["latency"], model["fixed"], model["best"]):
            block["of_anchor"]["value"] *= factors.get(model["label"], 1)
    made = path.with_name(name)
    made.write_text(json.dumps(data))
    return made


def test_a_suite_is_measured_and_printed_with_the_ratio_first(measured):
    path, table = measured
    made = read_document(path)
    assert [(each.label, each.height_px, each.width_px) for each in made.models] == [("fcn", 32, 48), ("unet", 32, 48)]
    assert made.settings.batch == 2 and made.settings.rounds == 2 and made.conditions["threads"] == 1
    assert {each.num_classes for each in made.models} == {7} and all(each.fixed.images_per_s.value > 0 for each in made.models)
    assert re.search(r"^ +of anchor +model +size +img/s", table, re.M) and "not read: NVML knows no cpu" in table
    first = next(line for line in table.splitlines() if " fcn " in line)
    assert float(first.split()[0]) == pytest.approx(made.models[0].fixed.of_anchor.value, rel=0.01)


def test_json_is_the_document():
    made = json.loads(
        invoke("unet", "--set", "width=2", "--set", "depth=1", "--size", "16x24", "--batch", "3", *QUICK, "--json").stdout
    )
    (found,) = made["models"]
    assert (made["kind"], made["schema_version"], made["settings"]["batch"]) == ("stridebench.throughput", 1, 3)
    assert (found["label"], found["height_px"], found["width_px"], found["num_classes"]) == ("unet", 16, 24, 21)
    assert len(found["visits"]) == 2 and found["model"]["width"] == 2


def test_two_calls_agree_within_three_percent_or_it_is_a_finding(measured):
    path, _ = measured
    assert invoke("--compare", path, path).exit_code == 0
    assert invoke("--compare", path, scaled(path, "near.json", unet=1.029)).exit_code == 0
    done = invoke("--compare", path, scaled(path, "far.json", unet=0.96))
    assert done.exit_code == 1 and "3 of 6 figures are further apart." in done.stdout
    rows = json.loads(invoke("--compare", path, scaled(path, "far.json", unet=0.96), "--json").stdout)
    assert [row["agrees"] for row in rows] == [True] * 3 + [False] * 3
    assert rows[3] == {"model": "unet 32x48", "figure": "latency", "of_anchor": pytest.approx(-0.04), "raw": 0, "agrees": False}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["settings"].update(batch=4), r"batch: .*made.json has 2, and .*other.json has 4; measure both alike"),
        (lambda data: data["settings"].update(precision="bf16"), "precision: "),
        (lambda data: data["anchor"].update(version=2), "anchor: .*version 1, and .*version 2"),
        (lambda data: data["conditions"].update(threads=2), "threads: .*has 1, and .*has 2"),
        (lambda data: data["models"][0]["model"].update(width=4), "fcn 32x48 is not the same model in both files"),
        (lambda data: [each.update(label="x") for each in data["models"]], "have no model in common"),
        (lambda data: data.update(kind="a cake"), r"other.json: not a result of the throughput protocol. Give a file that"),
        (lambda data: data.update(schema_version=9), "of schema version 9, and this program reads 1"),
        (lambda data: data["models"][0].pop("latency"), r"other.json: models.0.latency: Field required"),
        (lambda data: data["models"][0]["latency"].update(p50_ms=0), r"models.0.latency.p50_ms: Input should be greater"),
        (lambda data: data["models"][1]["best"]["of_anchor"].update(value=0), r"models.1.best.of_anchor.value: Input should"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(measured, change, message):
    path, _ = measured
    data = json.loads(path.read_text())
    change(data)
    other = path.with_name("other.json")
    other.write_text(json.dumps(data))
    with pytest.raises(BenchError, match=message):
        invoke("--compare", path, other)


def test_what_is_not_compared_and_what_changed_is_said(measured):
    path, _ = measured
    data = json.loads(path.read_text())
    data["models"][1]["fixed"] = None
    del data["models"][0]
    data["conditions"]["torch"] = "9.9"
    other = path.with_name("fewer.json")
    other.write_text(json.dumps(data))
    done = invoke("--compare", path, other)
    assert done.exit_code == 0 and "Not compared, only in" in done.stdout
    assert "made.json: fcn 32x48, unet 32x48 at batch 2." in done.stdout and ", then 9.9." in done.stdout
    assert "made.json: fcn 32x48, unet" in invoke("--compare", other, path, "--json").stderr
    assert "Not " not in invoke("--compare", path, path).stdout


def test_devices_may_differ(measured):
    path, _ = measured
    data = json.loads(path.read_text())
    data["device"], data["conditions"]["threads"] = "Another", 64
    other = path.with_name("device.json")
    other.write_text(json.dumps(data))
    assert "Another" in invoke("--compare", path, other).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs a suite or a model, or --compare"),
        (("unett",), "no model 'unett'. Did you mean 'unet'"),
        (("resnet18",), "resnet18 is a classifier, which labels no pixels"),
        (("nowhere.yaml",), "nowhere.yaml"),
        (("unet", "--size", "0", "8"), "--size 0 8: sides are at least 1"),
        (("unet", "--precision", "fp16"), "--precision fp16: fp32 or bf16"),
        (("unet", "--device", "cuda:99"), "--device cuda:99: this machine has "),
        (("unet", "--device", "cpu", "--threads", "4096"), "--threads 4096: this process may use"),
        (("unet", "--out", "nowhere/x.json"), "--out nowhere/x.json: there is no folder nowhere; name a file"),
        (("unet", "--out", "/proc/x.json"), "--out /proc/x.json: cannot be written: "),
        (("unet", "--out", "."), "--out .: that is a folder; name a file"),
        (("unet", "--compare", "a", "b"), "--compare measures nothing; leave the models and --out out"),
        (("--compare", "a.json", "b.json"), "a.json: cannot be read: No such file or directory. Give a file that"),
        (("unet", "--set", "widht=2"), "widht"),
        (("my:net",), "this is code, which would run with your rights. Allow it with --allow-plugins"),
        (("unet", "--set", "padding=valid", "--set", "width=40000"), "width"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message(arguments, message):
    with pytest.raises(BenchError, match=re.escape(message)):
        invoke(*arguments)


def test_suites_of_different_conditions_need_a_choice(tiny_suite, tmp_path):
    text = tiny_suite.read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("batch: 2,", "batch: 4,"))
    with pytest.raises(BenchError, match="the suites' profiles have batch 2 and 4; choose with --batch"):
        invoke(tiny_suite, other)
    with pytest.raises(BenchError, match=r"has no model 'fnc'.* It has fcn, unet"):
        invoke(f"{tiny_suite}:fnc")
    other.write_text(text.replace("size: [32, 32], batch: 2,", "batch: 2,"))
    with pytest.raises(BenchError, match=r"fcn has no profile\.size; say the size of the images with --size H W"):
        invoke(other)


def test_configurations_are_what_changes_the_time(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(
        "name: many\nmodels:\n  unet: {name: unet, width: 2}\n  fcn: {name: fcn, backbone: resnet18, weights: imagenet}\n"
        "augmentations:\n  some: {flip: 0.5}\n"
        "matrix: {dataset: [phantom], model: [unet, fcn], augmentation: [none, some], fraction: [1, 0.5], seed: [0, 1],"
        " model.stride: [8, 2]}\nprofile: {size: [32, 48]}\n"
    )
    found = of_cells(expand(load_suite(path)), None, path)
    assert sorted(each.name for each in found) == [
        "fcn · stride=2 32x48", "fcn · stride=8 32x48", "unet · stride=2 32x48", "unet · stride=8 32x48",
    ]  # fmt: skip
    assert {each.spec.weights for each in found if each.spec.name == "fcn"} == {None}
    assert {each.size for each in of_cells(expand(load_suite(path)), (16, 16), path)} == {(16, 16)}

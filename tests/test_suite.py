"""Suite files: what they may say, and what a mistake in one looks like."""

import json
from pathlib import Path

import pytest
import yaml

from bench.errors import BenchError
from bench.expand import expand
from bench.suite import SCHEMA_LINE, Suite, load_suite, schema

GOOD = """\
models:
  a: {name: fcn, backbone: small, stride: 8}
  b: {name: unet, width: 8}
matrix:
  dataset: phantom
  model: [a, b]
"""


def read(folder: Path, text: str, *settings: str) -> Suite:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path, list(settings))


def message(folder: Path, text: str, *settings: str) -> str:
    with pytest.raises(BenchError) as caught:
        expand(read(folder, text, *settings))
    return str(caught.value).replace(str(folder), "")


MISTAKES = [
    ("train: {stesp: 3}\n" + GOOD, "/x.yaml:1: train.stesp: unknown key 'stesp'. Did you mean 'steps'?"),
    (GOOD + "nmae: x\n", "/x.yaml:7: nmae: unknown key 'nmae'. Did you mean 'name'?"),
    (GOOD.replace("stride: 8", "strid: 8"), "/x.yaml:2: models.a.strid: unknown key 'strid'. Did you mean 'stride'?"),
    (GOOD.replace("stride: 8", "stride: 7"), "/x.yaml:2: models.a.stride: given 7, expected 32, 16, 8, 4 or 2."),
    (GOOD.replace("name: fcn", "name: fnc"), "/x.yaml:2: models.a.name: unknown model 'fnc'. Did you mean 'fcn'?"),
    (GOOD.replace("width: 8", "width: wide"), "/x.yaml:3: models.b.width: given 'wide', expected a valid integer."),
    (GOOD.replace("[a, b]", "[a, c]"), "/x.yaml:6: unknown model 'c'."),
    (GOOD.replace("[a, b]", "[]"), "/x.yaml:6: matrix.model: the axis is empty"),
    (GOOD.replace("phantom", "pantom"), "/x.yaml:5: unknown dataset 'pantom'. Did you mean 'phantom'?"),
    (GOOD + "datasets: {x: {name: pantom}}\n", "/x.yaml:7: unknown dataset 'pantom'. Did you mean 'phantom'?"),
    (GOOD + "datasets: {phantom: {name: phantom, test: tets}}\n", "has no split 'tets'. Did you mean 'test'?"),
    (GOOD + "  sede: [1]\n", "/x.yaml:7: unknown axis 'sede'. Did you mean 'seed'?"),
    (GOOD + "  seed: [0, -1]\n", "/x.yaml:7: seed: given -1, expected a whole number from 0"),
    (GOOD + "  fraction: [1/2, 2]\n", "/x.yaml:7: fraction: given 2, expected a share above 0 and up to 1"),
    (GOOD + "train: {crop: ful}\n", "or 'full'. Did you mean 'full'?"),
    (GOOD + "train: {steps: 5, warmup_steps: 5}\n", "/x.yaml:7: train: warmup_steps is 5 and must be below steps, 5"),
    (GOOD + "augmentations: {x: {scale: [2, 1]}}\n", "augmentations.x: scale [2.0, 1.0] must be [smallest, largest]"),
    (GOOD + "overrides:\n  - set:\n      train.lrr: 1\n", "/x.yaml:9: train.lrr: unknown key 'lrr'. Did you mean 'lr'?"),
    (GOOD + "overrides: [{when: {modle: a}, set: {train.lr: 1}}]\n", "/x.yaml:7: unknown axis 'modle'. Did you mean 'model'?"),
    (GOOD + "overrides: [{set: {lr: 1}}]\n", "/x.yaml:7: unknown field 'lr'"),
    (GOOD + "exclude: [{model: [a, b]}]\n", "/x.yaml:7: exclude leaves no cell"),
    (GOOD + "matrix: {}\n", "/x.yaml:7: key 'matrix' stands twice, first on line 4"),
    ("models: {}\n", "/x.yaml:1: matrix: missing. Add `matrix:` here."),
    ("matrix: {model: a}\n", "matrix has no axis 'dataset'"),
    ("matrix: [1\n", "not valid YAML"),
    ("- 1\n", "a suite is a mapping"),
    ("", "a suite is a mapping"),
    ("x: &a [*a]\n", "/x.yaml:1: an alias contains itself"),
    ("x: !!python/object/apply:os.system [echo]\n", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[expected[:50] for _, expected in MISTAKES])
def test_a_mistake_names_file_line_field_value_and_the_nearest_name(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in message(tmp_path, text)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    lines = message(tmp_path, GOOD.replace("stride: 8", "strid: 8") + "train: {lr: -1, steps: no}\n").splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("train.lrr=1", "--set train.lrr: train.lrr: unknown key 'lrr'. Did you mean 'lr'?"),
        ("train.lr=fast", "--set train.lr: train.lr: given 'fast', expected a valid number."),
        ("steps=1", "--set steps=1: unknown field 'steps'"),
        ("models.unet.width=4", "of one block alone: --set 'matrix.model=[unet]' --set model.width=4, or edit the file"),
        ("train.steps", "--set train.steps: expected path=value"),
        ("train.steps=[1", "is not valid YAML"),
    ],
)
def test_a_mistaken_setting_is_named(tmp_path: Path, setting: str, expected: str) -> None:
    assert expected in message(tmp_path, GOOD, setting)


def test_settings_win_over_overrides(tmp_path: Path) -> None:
    text = GOOD + "train: {steps: 10}\noverrides: [{when: {model: a}, set: {train.steps: 20}}]\n"
    assert [cell.train.steps for cell in expand(read(tmp_path, text))] == [20, 10]
    assert [cell.train.steps for cell in expand(read(tmp_path, text, "train.steps=5"))] == [5, 5]
    assert {cell.seed for cell in expand(read(tmp_path, text, "matrix.seed=[3, 4]"))} == {3, 4}
    assert all(cell.profile is None for cell in expand(read(tmp_path, text, "profile=null")))


def test_product_minus_exclude_plus_include(tmp_path: Path) -> None:
    text = GOOD.replace("matrix:", "augmentations: {flip: {flip: 0.5}}\nmatrix:\n  seed: [0, 1]")
    text += "exclude: [{model: a, seed: 1}]\ninclude: [{model: b, augmentation: flip}, {model: b, seed: 0}]\n"
    cells = [(cell.model_label, cell.augmentation_label, cell.seed) for cell in expand(read(tmp_path, text))]
    # The second include names a cell that is already there.
    assert cells == [("a", "none", 0), ("b", "none", 0), ("b", "none", 1), ("b", "flip", 0), ("b", "flip", 1)]


def test_a_dotted_field_is_an_axis(tmp_path: Path) -> None:
    cells = expand(read(tmp_path, GOOD.replace("[a, b]", "[a]") + "  model.stride: [32, 8]\n"))
    assert [(cell.model.stride, cell.axes) for cell in cells] == [(32, (("model.stride", 32),)), (8, (("model.stride", 8),))]
    assert len({cell.group for cell in cells}) == 2


def test_names_from_the_tables_need_no_block(tmp_path: Path) -> None:
    (cell,) = expand(read(tmp_path, "matrix: {model: unet, dataset: camvid}\n"))
    assert (cell.model.width, cell.dataset.train, cell.dataset.val, cell.dataset.test) == (64, "train", "val", "test")


def test_shipped_suites_name_the_schema_and_follow_it(repository: Path) -> None:
    import jsonschema

    suites = sorted((repository / "suites").glob("*.yaml"))
    stored = (repository / "suites" / "suite.schema.json").read_text(encoding="utf-8")
    assert stored == schema(), "run `bench schema > suites/suite.schema.json`"
    assert len(suites) >= 4
    for path in suites:
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[0] == f"{SCHEMA_LINE}suite.schema.json"
        jsonschema.validate(yaml.safe_load(text), json.loads(stored))
        assert expand(load_suite(path))


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "make the file smaller" in message(tmp_path, "\n".join(layers))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "train:\n", "/x.yaml:7: train: given nothing, expected a mapping."),
        (GOOD + "train: {lr: .inf}\n", "/x.yaml:7: train.lr: given inf, expected a finite number."),
        (GOOD + "name: a/b\n", "name: given 'a/b', expected letters, digits"),
        (GOOD + "augmentations: {none: {flip: 1}}\n", "`none` is the augmentation that changes nothing"),
        (
            GOOD + "datasets: {p: {name: phantm, size: [8, 8]}}\n",
            "datasets.p.name: unknown dataset 'phantm'. Did you mean 'phantom'?",
        ),
        (GOOD + "datasets: {p: {name: phantom, train_images: 99999999999999999999}}\n", "expected less than or equal to 1000000"),
        (GOOD + "train:\n\tlr: 1\n", "never with tabs"),
        (GOOD.replace("width: 8", "width: 99999999999"), "models.b.width: given 99999999999, expected less than or equal to 32768"),
    ],
)
def test_slips_of_the_finger(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in message(tmp_path, text)

"""`init_from`: which cell starts from which, what that does to ids, and what a runner makes of it."""

from pathlib import Path

import pytest
import torch

from bench import checkpoint
from bench.cell import Cell, cell_from_json
from bench.errors import BenchError
from bench.expand import expand
from bench.lineage import ancestors
from bench.models import build_model
from bench.plan import describe
from bench.smoke import _shrunk
from bench.specs import FcnSpec
from bench.store import Store, write_json
from bench.suite import load_suite

STAGED = """\
models:
  a: {name: fcn, backbone: small, stride: 32}
  b: {name: fcn, backbone: small, stride: 16, init_from: a}
  c: {name: fcn, backbone: small, stride: 8, init_from: b}
matrix:
  dataset: phantom
  model: [c, a, b]
  seed: [0, 1]
"""
PRINTS = {"train": "x", "val": "y", "test": "z"}


def cells(folder: Path, text: str = STAGED, *settings: str) -> dict[tuple[str, int], Cell]:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return {(cell.model_label, cell.seed): cell.seen(PRINTS) for cell in expand(load_suite(path, list(settings)))}


def test_a_cell_starts_from_the_like_cell_of_the_model_it_names(tmp_path: Path) -> None:
    found = cells(tmp_path)
    assert list(found) == [("c", 0), ("c", 1), ("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    for seed in (0, 1):
        assert [each.id for each in ancestors(found["c", seed])] == [found["b", seed].id, found["a", seed].id]
    assert found["a", 0].start is None


def test_the_id_of_a_training_holds_what_it_starts_from(tmp_path: Path) -> None:
    plain, found = cells(tmp_path, STAGED.replace(", init_from: a", "").replace(", init_from: b", "")), cells(tmp_path)
    assert plain["a", 0].id == found["a", 0].id, "what starts from nothing keeps its id"
    assert plain["b", 0].train_id != found["b", 0].train_id
    longer = cells(tmp_path, STAGED + "overrides: [{when: {model: a}, set: {train.steps: 77}}]\n")
    assert all(longer[model, 0].train_id != found[model, 0].train_id for model in "abc")
    scored = cells(tmp_path, STAGED + "overrides: [{when: {model: a}, set: {eval.batch: 1}}]\n")
    assert [scored[model, 0].train_id == found[model, 0].train_id for model in "abc"] == [True] * 3
    renamed = cells(tmp_path, STAGED.replace("a: {", "z: {").replace("init_from: a", "init_from: z").replace("c, a, b", "c, z, b"))
    assert renamed["c", 0].id == found["c", 0].id, "labels are not hashed"
    assert cell_from_json(found["c", 0].to_json()) == found["c", 0]
    assert cell_from_json(found["c", 0].to_json()).id == found["c", 0].id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            STAGED.replace("init_from: a", "init_from: aa"),
            "/x.yaml:3: init_from: 'aa' is no model of this suite. Did you mean 'a'? It has a, b, c, fcn",
        ),
        (STAGED.replace("a: {name: fcn, backbone: small, stride: 32}", "a: {name: unet}"), "/x.yaml:3: init_from: 'a' is a unet"),
        (STAGED.replace("stride: 32", "stride: 32, init_from: c"), "init_from: 'c' closes a circle: "),
        (STAGED.replace("init_from: a", "init_from: b"), "/x.yaml:3: init_from: 'b' closes a circle: b from b"),
    ],
)
def test_a_start_that_cannot_be_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BenchError) as caught:
        cells(tmp_path, text)
    assert expected in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("settings", [["matrix.model=[c]"], ["exclude=[{model: [a, b]}]"]])
def test_starts_that_the_matrix_lacks_are_planned_before_what_needs_them(tmp_path: Path, settings: list[str]) -> None:
    text = STAGED + "overrides: [{when: {model: a}, set: {train.steps: 77}}]\n"
    whole, narrow = cells(tmp_path, text), cells(tmp_path, text, *settings)
    assert list(narrow) == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 0), ("c", 1)]
    assert {key: cell.id for key, cell in narrow.items()} == {key: cell.id for key, cell in whole.items()}
    assert list(cells(tmp_path, text, "matrix.model=[a]")) == [("a", 0), ("a", 1)], "what nothing starts from is not added"


def test_a_plan_says_what_a_cell_waits_for(tmp_path: Path) -> None:
    found, store = cells(tmp_path), Store(tmp_path / "runs")
    assert describe(found["b", 0], store) == ("new", "trains from the last weights of a, once that is trained")
    write_json(store.open_cell(found["a", 0]) / "trained.json", {})
    assert describe(found["b", 0], store) == ("new", "trains from the last weights of a")


def test_a_smoke_run_shrinks_what_a_cell_starts_from_alike(tmp_path: Path) -> None:
    found = cells(tmp_path)
    shrunk = _shrunk(found["b", 0])
    assert shrunk.start == _shrunk(found["a", 0])


def test_a_finer_net_takes_over_all_that_a_coarser_one_has(tmp_path: Path) -> None:
    torch.manual_seed(0)
    coarse, fine = (
        build_model(FcnSpec(name="fcn", backbone="small", width=2, stride=stride, init_from=start), 3).eval()
        for stride, start in ((32, None), (16, "coarse"))
    )
    checkpoint.save_weights(tmp_path / "final.pt", coarse)
    names = checkpoint.inherit(tmp_path / "final.pt", fine)
    assert set(names["taken"]) == set(coarse.state_dict()) and not names["left"]
    assert sorted(names["initialised"]) == ["decoder.scores.16.bias", "decoder.scores.16.weight", "decoder.steps.16.weight"]
    mine = fine.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in coarse.state_dict().items())
    other = build_model(FcnSpec(name="fcn", backbone="small", width=4, stride=32), 3)
    assert "trunk.stages.0.0.weight" in checkpoint.inherit(tmp_path / "final.pt", other)["left"], "another shape is left"

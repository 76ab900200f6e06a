"""Recipes as data: what they set, what wins over them, and the parts of training that they brought."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.checkpoint import TrainState
from bench.data.batches import Batches
from bench.data.crops import check_margin, crop_size
from bench.errors import BenchError
from bench.expand import expand
from bench.losses import segmentation_loss
from bench.recipes import RECIPES
from bench.specs import AugmentationSpec, TrainSpec
from bench.suite import load_suite
from bench.train import build_optimizer, train
from tests.test_data_augment import packed

GOOD = "models: {a: {name: unet, width: 8}}\nmatrix: {dataset: phantom, model: a}\n"


def recipe(folder: Path, text: str, *settings: str) -> TrainSpec:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    (cell,) = expand(load_suite(path, list(settings)))
    return cell.recipe


def test_every_recipe_is_whole_and_named_in_the_schema() -> None:
    fields = [set(each) for each in RECIPES.values()]
    assert all(each == fields[0] for each in fields), "else an override would leave a part of an earlier recipe standing"
    assert {*TrainSpec.model_json_schema()["properties"]["recipe"]["anyOf"][0]["enum"]} == set(RECIPES)
    assert [RECIPES[name]["lr"] for name in ("paper_32s", "paper_16s", "paper_8s", "paper_at_once")] == [1e-10, 1e-12, 1e-14, 1e-10]


def test_what_is_said_later_or_beside_wins(tmp_path: Path) -> None:
    beside = recipe(tmp_path, GOOD + "train: {recipe: paper_16s, steps: 7, warmup_steps: 2}\n")
    assert (beside.lr, beside.momentum, beside.loss, beside.steps, beside.warmup_steps) == (1e-12, 0.99, "sum", 7, 2)
    over = recipe(
        tmp_path, GOOD + "train: {recipe: paper_16s, steps: 7}\noverrides: [{set: {train.recipe: modern, train.batch: 3}}]\n"
    )
    assert (over.lr, over.loss, over.steps, over.batch, over.bias_lr_factor) == (0.005, "mean", 20_000, 3, 1.0)
    assert recipe(tmp_path, GOOD, "train.recipe=paper_8s").sampling == "replacement"
    with pytest.raises(BenchError, match=r"/x.yaml:3: train\.recipe: given 'paper_4s', expected .* Did you mean 'paper_8s'"):
        recipe(tmp_path, GOOD + "train: {recipe: paper_4s}\n")


def test_a_recipe_is_a_name_and_not_hashed(tmp_path: Path) -> None:
    prints = {"train": "x", "val": "y", "test": "z"}
    ids = []
    for text in ("train: {recipe: modern}\n", "train: " + str({**RECIPES["modern"]}).replace("'", '"') + "\n"):
        (tmp_path / "x.yaml").write_text(GOOD + text)
        ids += [cell.seen(prints).id for cell in expand(load_suite(tmp_path / "x.yaml"))]
    assert ids[0] == ids[1]


def test_a_summed_loss_is_torchs() -> None:
    logits, labels = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6))
    labels[0, :2] = 255
    expected = F.cross_entropy(logits, labels, ignore_index=255, reduction="sum")
    torch.testing.assert_close(segmentation_loss(logits, labels, reduction="sum"), expected)
    assert segmentation_loss(logits, torch.full_like(labels, 255), reduction="sum") == 0


def test_biases_learn_at_a_rate_of_their_own_and_do_not_decay() -> None:
    """One step of the loop against the update of the reference solver, by hand: v = m v + r (g + d w), w = w - v."""
    spec = TrainSpec(recipe="paper_32s", lr=1e-3, steps=2)
    torch.manual_seed(0)
    model, mirror = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)
    mirror.load_state_dict(model.state_dict())
    batch = torch.randn(1, 3, 4, 4), torch.randint(0, 2, (1, 4, 4), dtype=torch.uint8)
    train(
        TrainState(model, build_optimizer(model, spec)), lambda step: batch, spec, seed=0, log=lambda line: None, validate=None,
        save=lambda state: None, should_save=lambda: False, should_stop=lambda: False,
    )  # fmt: skip
    velocity = {name: torch.zeros_like(each) for name, each in mirror.named_parameters()}
    for _ in range(2):
        mirror.zero_grad()
        F.cross_entropy(mirror(batch[0]), batch[1].long(), reduction="sum").backward()
        with torch.no_grad():
            for name, each in mirror.named_parameters():
                rate, decay = (2e-3, 0.0) if name == "bias" else (1e-3, 5e-4)
                velocity[name] = 0.99 * velocity[name] + rate * (each.grad + decay * each)
                each -= velocity[name]
    for mine, theirs in zip(model.parameters(), mirror.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def batches(spec: TrainSpec, sizes: list[tuple[int, int]]) -> Batches:
    images = [np.full((*size, 3), index, np.uint8) for index, size in enumerate(sizes)]
    cache = packed(images, [np.full(size, index, np.uint8) for index, size in enumerate(sizes)])
    return Batches(cache, np.arange(len(sizes)), spec, AugmentationSpec(), seed=3)


def test_images_drawn_with_replacement() -> None:
    drawn = batches(TrainSpec(sampling="replacement", batch=4), [(8, 8)] * 10)
    seen = np.concatenate([drawn.indices(step) for step in range(500)])
    assert (np.bincount(seen, minlength=10) > 130).all() and seen.max() == 9
    firsts = {tuple(drawn.indices(step)) for step in range(10)}
    assert len(firsts) == 10 and (drawn.indices(7) == drawn.indices(7)).all()
    assert any(len(set(drawn.indices(step))) < 4 for step in range(50)), "an image may come twice in a batch"


def test_whole_images_one_at_a_time_keep_their_sizes() -> None:
    sizes = [(8, 9), (7, 12), (10, 5)]
    each = batches(TrainSpec(recipe="paper_32s"), sizes)
    for step in range(6):
        images, labels = each(step)
        index = int(each.indices(step)[0])
        assert images.shape == (1, 3, *sizes[index]) and (labels == index).all() and labels.shape[1:] == sizes[index]
    with pytest.raises(BenchError, match=r"the images differ in size \(8x9 and 7x12\). .* train.batch to 1"):
        crop_size(np.array(sizes), TrainSpec(batch=2))


def test_a_crop_that_is_all_margin_is_refused() -> None:
    sizes = np.array([(200, 300), (190, 400)])
    check_margin(sizes, TrainSpec(batch=1), 92)
    check_margin(sizes, TrainSpec(crop=185), 92)
    for spec, least in ((TrainSpec(crop=184), 184), (TrainSpec(crop=(500, 100)), 100)):
        with pytest.raises(BenchError, match=f"a training image of {least} px is all margin.* more than 184"):
            check_margin(sizes, spec, 92)

"""Schedules, parameter groups, and the ways out of the training loop."""

import math

import pytest
import torch
from torch import nn

from bench.checkpoint import TrainState
from bench.specs import TrainSpec
from bench.train import Diverged, Interrupted, build_optimizer, inner, learning_rate, train


def spec(**fields: object) -> TrainSpec:
    return TrainSpec(**{"steps": 10, "lr": 1.0, **fields})  # type: ignore[arg-type]


def test_rates_by_hand() -> None:
    assert [learning_rate(step, spec(schedule="constant", warmup_steps=4)) for step in (0, 1, 3, 4, 9)] == [0.25, 0.5, 1, 1, 1]
    assert learning_rate(5, spec(schedule="poly")) == pytest.approx(0.5**0.9)
    assert learning_rate(0, spec(schedule="cosine")) == 1 and learning_rate(5, spec(schedule="cosine")) == pytest.approx(0.5)
    assert learning_rate(7, spec(schedule="cosine", warmup_steps=4)) == pytest.approx(0.5)
    assert 0 < learning_rate(9, spec(schedule="poly")) < 0.2


def test_biases_and_normalisation_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for kind in ("sgd", "adamw"):
        decayed, plain = build_optimizer(model, spec(optimizer=kind, weight_decay=0.1)).param_groups
        assert [each.ndim for each in decayed["params"]] == [4] and [each.ndim for each in plain["params"]] == [1, 1, 1]
        assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)


def test_a_margin_takes_a_frame_off_the_labels() -> None:
    labels = torch.arange(30).view(1, 5, 6)
    assert inner(labels, 2).tolist() == [[[14, 15]]] and inner(labels, 0) is labels


def run(model: nn.Module, train_spec: TrainSpec, stop_at: int = 0) -> tuple[TrainState, list[dict], list[int]]:
    state = TrainState(model, build_optimizer(model, train_spec))
    lines: list[dict] = []
    saved: list[int] = []
    train(
        state,
        lambda step: (torch.ones(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)),
        train_spec,
        seed=0,
        log=lines.append,
        validate=lambda step: step / 100,
        save=lambda state: saved.append(state.step),
        should_save=lambda: False,
        should_stop=lambda: state.step == stop_at,
    )
    return state, lines, saved


def test_the_loop_logs_validates_and_saves() -> None:
    state, lines, saved = run(nn.Conv2d(3, 2, 1), spec(val_every=4, lr=0.1))
    assert state.step == 10 and saved == [10]
    assert [line["step"] for line in lines if "val_miou" in line] == [4, 8, 10]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 10 and losses[-1] < losses[0] and all(map(math.isfinite, losses))


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(Diverged, match="the loss is nan at step 2"):
        run(nn.Conv2d(3, 2, 1), spec(lr=3e38, steps=10, momentum=0.0))


def test_a_training_that_is_stopped_has_saved_where_it_is() -> None:
    model = nn.Conv2d(3, 2, 1)
    with pytest.raises(Interrupted, match="stopped after step 3"):
        run(model, spec(lr=0.1), stop_at=3)

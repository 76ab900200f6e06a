"""Schedules, parameter groups, and the ways out of the training loop."""

import math

import pytest
import torch
from torch import nn

from bench.checkpoint import TrainState
from bench.errors import BenchError
from bench.specs import TrainSpec
from bench.train import Diverged, Interrupted, Stop, build_optimizer, inner, learning_rate, refuse_batch_statistics, train


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


class Hungry(nn.Conv2d):
    """A model for which memory runs out above so many images."""

    most = 64

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much")
        return super().forward(images)


def stepped(most: int, **fields: object) -> tuple[TrainState, list[dict]]:
    torch.manual_seed(0)
    model = Hungry(3, 4, 3, padding=1)
    model.most = most
    train_spec = spec(lr=0.1, batch=5, **fields)
    state, lines = TrainState(model, build_optimizer(model, train_spec)), []

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        chance = torch.Generator().manual_seed(step)
        labels = torch.randint(0, 4, (5, 6, 6), generator=chance)
        labels[0] = 255
        return torch.randn(5, 3, 6, 6, generator=chance), labels

    silent = {"save": lambda state: None, "should_save": lambda: False, "should_stop": lambda: False}
    train(state, batch, train_spec, seed=0, log=lines.append, validate=None, **silent)  # type: ignore[arg-type]
    return state, lines


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_an_accumulated_training_is_that_of_the_whole_batch_to_rounding(loss: str) -> None:
    whole, expected = stepped(64, loss=loss)
    parted, lines = stepped(2, loss=loss, on_oom="accumulate")
    assert (parted.parts, parted.parts_since) == (4, 1) and whole.parts == 1
    assert [line["note"] for line in lines if "note" in line][-1] == (
        "step 1: out of memory; goes on with batches of 5 in 4 parts, accumulated"
    )
    losses = [[line["loss"] for line in each if "loss" in line] for each in (lines, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and len(losses[0]) == 10
    for one, other in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_without_accumulation_a_batch_is_never_changed() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        stepped(2)
    with pytest.raises(torch.OutOfMemoryError):
        stepped(0, on_oom="accumulate")  # not even one image fits


def test_accumulation_is_refused_where_batch_statistics_would_change() -> None:
    refuse_batch_statistics(nn.Sequential(nn.GroupNorm(1, 4), nn.InstanceNorm2d(4), nn.LayerNorm(4)))
    for layer in (nn.BatchNorm2d(4), nn.SyncBatchNorm(4), nn.InstanceNorm2d(4, track_running_stats=True)):
        with pytest.raises(BenchError, match=r"batch statistics of 1 layers, 0 first"):
            refuse_batch_statistics(nn.Sequential(layer))


def test_a_validation_that_was_cut_short_is_made_up_for() -> None:
    model, train_spec = nn.Conv2d(3, 2, 1), spec(val_every=4, lr=0.1)
    state = TrainState(model, build_optimizer(model, train_spec))
    lines: list[dict] = []
    stop = {4}

    def validate(step: int) -> float:
        if step in stop:
            stop.remove(step)
            raise Stop
        return step / 100

    def go_on() -> None:
        train(
            state,
            lambda step: (torch.ones(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)),
            train_spec,
            seed=0,
            log=lines.append,
            validate=validate,
            save=lambda state: None,
            should_save=lambda: False,
            should_stop=lambda: False,
        )

    with pytest.raises(Interrupted, match="stopped after step 4"):
        go_on()
    assert [line["step"] for line in lines if "val_miou" in line] == []
    go_on()
    assert [line["step"] for line in lines if "val_miou" in line] == [4, 8, 10]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 11))

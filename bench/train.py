"""The training loop, and the three small things it needs: parameter groups, a learning rate, a way to stop."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench.checkpoint import TrainState
from bench.data.chance import torch_seed
from bench.losses import segmentation_loss
from bench.specs import TrainSpec

Batch = tuple[Tensor, ...]
"""Images (B, 3, H, W), labels (B, H, W) and, where ``border_weights`` ask for them, border terms (B, H, W)."""
LOG_LINES = 50
"""Log lines, and so host syncs, of a training."""


class Diverged(Exception):
    """The loss is no longer a number."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss is {loss} at step {step}. Lower train.lr or lengthen train.warmup_steps.")
        self.step = step


class Interrupted(Exception):
    """The training was asked to stop, and has saved where it is."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


def train(
    state: TrainState,
    batches: Callable[[int], Batch],
    spec: TrainSpec,
    *,
    seed: int,
    class_weights: Tensor | None = None,
    log: Callable[[dict[str, float]], None],
    validate: Callable[[int], float] | None,
    save: Callable[[TrainState], None],
    should_save: Callable[[], bool],
    should_stop: Callable[[], bool],
) -> None:
    """Train ``state`` from the step it is at to ``spec.steps``, which must be known by now.

    ``validate(step)`` scores the current weights and keeps them when they are the best so far. Raises Diverged, and
    Interrupted after saving when ``should_stop`` says so.
    """
    assert spec.steps is not None, "epochs are turned into steps where the number of images is known"
    model, optimizer = state.model, state.optimizer
    device = next(model.parameters()).device
    margin = int(getattr(model, "margin", 0))
    log_every = max(1, spec.steps // LOG_LINES)
    val_every = spec.val_every or max(1, spec.steps // 10)
    since = state.step
    state.loss_sum = state.loss_sum.to(device)
    model.train()
    for step in range(state.step, spec.steps):
        torch.manual_seed(torch_seed(seed, "dropout", step))
        images, labels, *border = batches(step)
        rate = learning_rate(step, spec)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_factor"]
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
            logits = model(images)
        loss = segmentation_loss(
            logits,
            inner(labels, margin),
            class_weights=class_weights,
            pixel_weights=spec.border_weights.w0 * inner(border[0], margin).float() if spec.border_weights else None,
            label_smoothing=spec.label_smoothing,
            reduction=spec.loss,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        state.step = step + 1
        state.loss_sum += loss.detach()
        last = state.step == spec.steps
        if state.step % log_every == 0 or last:
            mean = state.loss_sum.item() / (state.step % log_every or log_every)  # the loop's only host sync
            state.loss_sum.zero_()
            if not math.isfinite(mean):
                raise Diverged(state.step, mean)
            log({"step": state.step, "loss": mean, "lr": rate, "steps_done": state.step - since})
        if validate and (state.step % val_every == 0 or last):
            score = validate(state.step)
            log({"step": state.step, "val_miou": score})
            model.train()
        if should_stop() and not last:
            save(state)
            raise Interrupted(state.step)
        if should_save():
            save(state)
    save(state)


def inner(labels: Tensor, margin: int) -> Tensor:
    """The labels a model without padding predicts: (B, H - 2 margin, W - 2 margin)."""
    return labels[:, margin : labels.shape[1] - margin, margin : labels.shape[2] - margin] if margin else labels


def learning_rate(step: int, spec: TrainSpec) -> float:
    """The rate of a step: a linear warm-up from near 0, then the schedule over the steps that are left."""
    assert spec.steps is not None
    if step < spec.warmup_steps:
        return spec.lr * (step + 1) / spec.warmup_steps
    done = (step - spec.warmup_steps) / (spec.steps - spec.warmup_steps)
    match spec.schedule:
        case "poly":
            return spec.lr * (1 - done) ** 0.9
        case "cosine":
            return spec.lr * 0.5 * (1 + math.cos(math.pi * done))
        case "constant":
            return spec.lr


def build_optimizer(model: nn.Module, spec: TrainSpec) -> torch.optim.Optimizer:
    """SGD or AdamW; biases and normalisation (all one-dimensional parameters) do not decay, and have a rate of their own."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": spec.weight_decay, "lr_factor": 1.0},
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0, "lr_factor": spec.bias_lr_factor},
    ]
    if spec.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum)
    return torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.momentum, 0.999))

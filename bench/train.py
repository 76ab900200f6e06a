"""The training loop, and the three small things it needs: parameter groups, a learning rate, a way to stop."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.checkpoint import TrainState
from bench.data.chance import torch_seed
from bench.errors import BenchError
from bench.losses import mean_divisor, segmentation_loss
from bench.memory import out_of_memory
from bench.ranks import ALONE, Ranks
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


class Stop(Exception):
    """Raised by a validation that was asked to stop; the training saves, and makes up for it when it goes on."""


class Interrupted(Exception):
    """The training was asked to stop, and has saved where it is."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


def refuse_batch_statistics(model: nn.Module) -> None:
    """Raise BenchError for a model whose layers look at the batch as a whole: parts of it would train to something else."""
    names = [
        name for name, part in model.named_modules() if isinstance(part, _BatchNorm) or getattr(part, "track_running_stats", False)
    ]
    if names:
        raise BenchError(
            f"train.on_oom: accumulate would change the batch statistics of {len(names)} layers, {names[0]} first. Set on_oom: "
            "fail and a smaller train.batch or train.crop, or a model without batch normalisation."
        )


def train(
    state: TrainState,
    batches: Callable[[int], Batch],
    spec: TrainSpec,
    *,
    seed: int,
    class_weights: Tensor | None = None,
    log: Callable[[dict[str, Any]], None],
    validate: Callable[[int], float] | None,
    save: Callable[[TrainState], None],
    should_save: Callable[[], bool],
    should_stop: Callable[[], bool],
    ranks: Ranks = ALONE,
) -> None:
    """Train ``state`` from the step it is at to ``spec.steps``, which must be known by now.

    ``validate(step)`` scores the current weights and keeps them when they are the best so far; it may raise Stop. ``log`` is
    handed lines of the curve, and a ``note`` for people. Raises Diverged, and Interrupted after saving when asked to stop.

    Several ``ranks`` each bring their slice of a batch, and end with the same weights; their ``should_stop`` must agree.
    """
    assert spec.steps is not None, "epochs are turned into steps where the number of images is known"
    model, optimizer, network = state.model, state.optimizer, ranks.network(state.model)
    device = next(model.parameters()).device
    log_every = max(1, spec.steps // LOG_LINES)
    val_every = spec.val_every or max(1, spec.steps // 10)
    since = state.step
    state.loss_sum = state.loss_sum.to(device)
    model.train()

    def validated() -> None:
        due = state.step and (state.step % val_every == 0 or state.step == spec.steps)
        if validate and due and state.validated != state.step:
            log({"step": state.step, "val_miou": validate(state.step)})
            state.validated = state.step
            model.train()

    def interrupted() -> Interrupted:
        save(state)
        return Interrupted(state.step)

    try:
        validated()  # one that an interruption cut short
        for step in range(state.step, spec.steps):
            torch.manual_seed(torch_seed(seed, ranks.purpose("dropout"), step))
            batch = batches(step)
            rate = learning_rate(step, spec)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_factor"]
            loss = _gradients(state, network, batch, spec, class_weights, log, ranks)
            optimizer.step()
            state.step = step + 1
            state.loss_sum += loss
            last = state.step == spec.steps
            if state.step % log_every == 0 or last:
                mean = state.loss_sum.item() / (state.step % log_every or log_every)  # the loop's only host sync
                state.loss_sum.zero_()
                if not math.isfinite(mean):
                    raise Diverged(state.step, mean)
                log({"step": state.step, "loss": mean, "lr": rate, "steps_done": state.step - since})
            validated()
            if should_stop() and not last:
                raise interrupted()
            if should_save():
                save(state)
    except Stop:
        raise interrupted() from None
    save(state)


def _gradients(
    state: TrainState,
    network: nn.Module,
    batch: Batch,
    spec: TrainSpec,
    class_weights: Tensor | None,
    log: Callable[[dict[str, Any]], None],
    ranks: Ranks,
) -> Tensor:
    """Leave the gradients of a batch's loss in the model and return the loss, in as many parts as memory asks for."""
    while True:
        state.optimizer.zero_grad(set_to_none=True)
        try:
            return _accumulated(network, batch, spec, class_weights, state.parts, ranks)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            size = len(batch[0])
            if spec.on_oom == "fail" or not out_of_memory(error) or state.parts >= size:
                raise
            state.parts, state.parts_since = min(size, 2 * state.parts), state.step + 1
        # Out of the handler, whose traceback holds the failed step's tensors.
        state.optimizer.zero_grad(set_to_none=True)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        log({"note": f"step {state.step + 1}: out of memory; goes on with batches of {size} in {state.parts} parts, accumulated"})


def _accumulated(
    network: nn.Module, batch: Batch, spec: TrainSpec, class_weights: Tensor | None, parts: int, ranks: Ranks
) -> Tensor:
    margin = int(getattr(network.module if ranks.size > 1 else network, "margin", 0))
    images, labels, *border = batch
    labels = inner(labels, margin)
    extra = spec.border_weights.w0 * inner(border[0], margin).float() if spec.border_weights else None
    divisor = None
    if parts > 1 or ranks.size > 1:
        divisor = mean_divisor(labels, class_weights=class_weights, pixel_weights=extra, total=ranks.sum)
    total = torch.zeros((), device=images.device)
    for rows in torch.arange(len(images)).tensor_split(parts):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
            logits = network(images[part])
        loss = segmentation_loss(
            logits,
            labels[part],
            class_weights=class_weights,
            pixel_weights=None if extra is None else extra[part],
            label_smoothing=spec.label_smoothing,
            reduction=spec.loss,
            divisor=divisor,
        )
        (loss * ranks.size).backward()  # gradients are averaged over the ranks, and their sum is wanted
        total += loss.detach()
    return ranks.sum(total)


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
    """SGD or AdamW; biases and normalisation (all one-dimensional parameters) do not decay, and have a rate of their own.

    On CUDA a step is one fused kernel; on a CPU, where that would round otherwise, it goes over lists of tensors.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": spec.weight_decay, "lr_factor": 1.0},
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0, "lr_factor": spec.bias_lr_factor},
    ]
    fast = {"fused" if parameters[0].is_cuda else "foreach": True}
    if spec.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, **fast)
    return torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.momentum, 0.999), **fast)

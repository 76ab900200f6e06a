"""Running a model on shapes alone: on the meta device, where nothing is computed and nothing is stored."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import BenchError

REFUSALS = (RuntimeError, ValueError, AssertionError, TypeError, LookupError, NotImplementedError, BenchError)
"""What networks raise for a size they do not take."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model as for inference; every part is left in the mode it was in."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield model.eval()
    finally:
        for part, training in modes:
            part.training = training


def shapes_of(model: nn.Module) -> dict[str, Tensor]:
    """A meta tensor for every parameter and buffer, under its name; parameters ask for gradients."""
    parameters = {
        name: torch.empty_like(value, device="meta").requires_grad_(value.requires_grad) for name, value in model.named_parameters()
    }
    return parameters | {name: torch.empty_like(value, device="meta") for name, value in model.named_buffers()}


def run_on_shapes(model: nn.Module, size: Sequence[int], *, image: Callable[[Tensor], Tensor] = lambda image: image) -> Any:
    """What the model makes of one (height, width) image, as for inference and without memory; ``image`` may wrap the input."""
    with evaluating(model), torch.no_grad():
        return torch.func.functional_call(model, shapes_of(model), image(torch.empty(1, 3, *size, device="meta")))


def takes(model: nn.Module, size: Sequence[int]) -> bool:
    """Whether the model makes anything of a (height, width) image."""
    try:
        made = run_on_shapes(model, size)
    except REFUSALS:
        return False
    return not isinstance(made, Tensor) or made.numel() > 0


def idle_parameters(model: nn.Module, size: Sequence[int]) -> set[str]:
    """Names of the parameters that have no part in what the model makes of a (height, width) image."""
    state = shapes_of(model)
    names = [name for name, value in state.items() if value.requires_grad]
    with evaluating(model), torch.enable_grad():
        made = torch.func.functional_call(model, state, torch.empty(1, 3, *size, device="meta"))
        gradients = torch.autograd.grad(made.sum(), [state[name] for name in names], allow_unused=True)
    return {name for name, gradient in zip(names, gradients, strict=True) if gradient is None}


def activation_bytes(model: nn.Module, size: Sequence[int]) -> int:
    """Bytes that a training step must keep of one (height, width) image between its forward and its backward pass.

    The storages autograd saves, each once, weights left out; batch statistics, masks of dropout and checkpointing play no part.
    """
    state = shapes_of(model)
    weights = {value.untyped_storage()._cdata for value in state.values()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with evaluating(model), torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        image = torch.empty(1, 3, *size, device="meta")
        made = torch.func.functional_call(model, state, image)
        total = sum(tensor.untyped_storage().nbytes() for storage, tensor in kept.items() if storage not in weights)
        del made
    return total

"""Which input pixels can move which units, followed through whatever operations a model runs.

A `Reach` stands in for an image or a feature map and holds, for every unit, the largest coordinate of the pixels that it
depends on. A convolution then is the maximum over its window, a sum the maximum of its terms, and a slice is a slice: the same
rules serve any graph, with any number of paths. Coordinates enter once as they are and once negated, as two images of one
batch, so that one pass gives the last and the first pixel of every unit's field, exactly.

An operation without a rule is taken to mix everything, which can only widen the answer.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.reach_rules import CONSTANTS, JOINS, MOVES, NONE, PRODUCTS, RULES, UNMARKED, aten
from bench.models.shapes import evaluating


class Reach(Tensor):
    """A tensor of coordinates that goes through a model in place of an image."""

    coordinates: Tensor

    @staticmethod
    def __new__(cls, coordinates: Tensor) -> "Reach":
        made: Reach = Tensor._make_wrapper_subclass(
            cls, coordinates.shape, coordinates.stride(), dtype=coordinates.dtype, device=coordinates.device
        )
        made.coordinates = coordinates
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Replace an operation on units by its effect on what they depend on."""
        kwargs, packet = kwargs or {}, func.overloadpacket
        if packet in CONSTANTS:
            return func(*_convert(args, _bare), **_convert(kwargs, _bare))
        if packet in JOINS:
            return _wrap(func(*_convert(args, _or_none), **kwargs))
        if packet is aten.constant_pad_nd:
            return Reach(F.pad(args[0].coordinates, args[1], value=NONE))
        if packet in PRODUCTS:
            return _wrap(_own(PRODUCTS[packet](*_convert(args, _or_mask), **kwargs)))
        if packet in RULES and isinstance(args[0], Reach):
            return _wrap(_own(RULES[packet](*_convert(args, _bare), **_convert(kwargs, _bare))))
        if packet in MOVES or func.is_view:
            return _wrap(func(*_convert(args, _bare), **_convert(kwargs, _bare)))
        if torch.Tag.pointwise in func.tags or packet in UNMARKED:
            return _pointwise(func, args)
        return _mix(func, args, kwargs)


def _pointwise(func: Any, args: Any) -> Any:
    """Every unit depends on what its arguments' units in its place depend on."""
    tensors = [_or_none(arg) for arg in args if isinstance(arg, Tensor)]
    most = torch.broadcast_tensors(*tensors)[0].clone()
    for tensor in tensors[1:]:
        most = torch.maximum(most, tensor)
    if not func._schema.is_mutable:
        return Reach(most)
    args[0].coordinates.copy_(most)
    return args[0]


def _mix(func: Any, args: Any, kwargs: Any) -> Any:
    """Everything the operation makes depends on everything it was given."""
    tensors: list[Tensor] = []
    _convert((args, tuple(kwargs.values())), lambda tensor: tensors.append(_or_none(tensor)))
    most = max(tensor.max().item() for tensor in tensors if tensor.numel())
    made = func(*_convert(args, _bare), **_convert(kwargs, _bare))
    return _wrap(_convert(made, lambda tensor: torch.full_like(tensor, most) if tensor.is_floating_point() else tensor))


def _convert(args: Any, change: Any) -> Any:
    """Arguments with every tensor among them changed."""
    if isinstance(args, Tensor):
        return change(args)
    if isinstance(args, dict):
        return {name: _convert(value, change) for name, value in args.items()}
    return type(args)(_convert(arg, change) for arg in args) if isinstance(args, (list, tuple)) else args


def _bare(tensor: Tensor) -> Tensor:
    return tensor.coordinates if isinstance(tensor, Reach) else tensor


def _or_none(tensor: Tensor) -> Tensor:
    if isinstance(tensor, Reach):
        return tensor.coordinates
    return torch.full_like(tensor, NONE) if tensor.is_floating_point() else tensor


def _or_mask(tensor: Tensor) -> Tensor:
    return tensor.coordinates if isinstance(tensor, Reach) else tensor != 0


def _wrap(made: Any) -> Any:
    """Coordinates as a `Reach` again; indices and the like stay what they are."""
    return _convert(made, lambda tensor: Reach(tensor) if tensor.is_floating_point() else tensor)


def _own(made: Any) -> Any:
    """Give every unit a place of its own in memory, so that what is written into one is written into no other."""
    return _convert(made, Tensor.contiguous)


def reach(model: nn.Module, height: int, width: int, axis: int) -> tuple[Tensor, Tensor]:
    """First and last pixel along an axis (0: rows, 1: columns) that can move each unit of the output, (units,) each.

    Pixels are counted within the image: where a field stands out over the edge, or where a unit depends on everything, it is
    the edge that is returned. The model is run as for inference, with no gradients, and left as it was.
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    line = torch.arange((height, width)[axis], dtype=torch.float32, device=device)
    grid = (line[:, None] if axis == 0 else line[None]).expand(3, height, width)
    with evaluating(model), torch.no_grad():
        out = model(Reach(torch.stack((-grid, grid))))
    # All channels and all units across the axis together.
    most = out.coordinates.amax((1, 3 - axis))
    # Where everything mixed, coordinates of the two images of the batch did as well.
    return (-most[0]).clamp(min=0), most[1]

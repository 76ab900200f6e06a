"""What single operations do to the windows of units: one small function a group of operations.

An operation without a rule is taken to mix all positions, and is noted under its own name.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch

from bench.geometry import Layer
from bench.models import walk_moves as moves
from bench.models.reach_rules import UNMARKED, aten
from bench.models.walk_grid import Call, Followed, Layers, Noted, meet, mix


def follow(call: Call) -> Followed:
    """The grid of an operation's result, and what to note of it."""
    packet = call.func.overloadpacket
    if packet in RULES and all(grid.placed(value) for grid, value in call.given):
        return RULES[packet](call)
    if packet in SAME:
        return call.grid, None
    if torch.Tag.pointwise in call.func.tags or packet in UNMARKED:
        return meet(call, "add")
    if packet in VIEWS or call.func.is_view:
        return moves.view(call)
    return mix(call)


def convolve(call: Call) -> Followed:
    """A convolution or a transposed one."""
    _, weight, _, stride, padding, dilation, transposed, _, _ = call.args
    both = tuple(Layer(int(weight.shape[2 + n]), int(stride[n]), int(padding[n]), int(dilation[n])) for n in (0, 1))
    layers: Layers = (both[0], both[1])
    if not transposed:
        return call.grid.each(lambda trail, n: trail.then(layers[n])), Noted("conv", layers)
    # A kernel that nothing trains interpolates.
    fixed = not weight.requires_grad
    return call.grid.each(lambda trail, n: trail.spread(layers[n], fixed=fixed)), Noted("transposed conv", layers)


def pool(call: Call) -> Followed:
    """Maximum or average pooling."""
    most = call.func.overloadpacket is aten.max_pool2d_with_indices
    kernel, stride, padding = call.arg(1), call.arg(2) or call.arg(1), call.arg(3, 0)
    dilation, up = (call.arg(4, 1), call.arg(5, False)) if most else (1, call.arg(4, False))
    both = tuple(Layer(_side(kernel, n), _side(stride, n), _side(padding, n), _side(dilation, n), bool(up)) for n in (0, 1))
    layers: Layers = (both[0], both[1])
    return call.grid.each(lambda trail, n: trail.then(layers[n])), Noted("max pool" if most else "average pool", layers)


def adapt(call: Call) -> Followed:
    """Pooling to a fixed size: nothing where the size is that already, else a look at the whole image."""
    if call.out.shape == call.image.shape:
        return call.grid, None
    units = [Fraction(int(call.image.shape[dim]), int(call.out.shape[dim])) for dim in call.grid.dims]
    return call.grid.each(lambda trail, n: trail.mixed(units[n])), Noted("global pool")


def reduce(call: Call) -> Followed:
    """A mean, sum or maximum along dimensions."""
    given = call.arg(1)
    count = call.image.dim()
    dims = {dim % count for dim in ([given] if isinstance(given, int) else given or range(count))}
    if not dims & set(call.grid.dims):
        kept = call.out.dim() == count
        rows, columns = (dim if kept else dim - sum(each < dim for each in dims) for dim in call.grid.dims)
        return replace(call.grid, dims=(rows, columns)), None
    if call.out.dim() == count:
        return adapt(call)
    return call.grid.mixed(call.out), Noted("global pool")


NEIGHBOURS = {
    aten.upsample_nearest2d: 1,
    aten._upsample_nearest_exact2d: 1,
    aten.upsample_bilinear2d: 2,
    aten.upsample_bicubic2d: 4,
}


def interpolate(call: Call) -> Followed:
    """An interpolation to another size."""
    neighbours = NEIGHBOURS[call.func.overloadpacket]
    factors = [Fraction(int(call.out.shape[dim]), int(call.image.shape[dim])) for dim in (2, 3)]
    if factors == [1, 1]:
        return call.grid, None
    return call.grid.each(lambda trail, n: trail.interpolated(neighbours, factors[n])), Noted("upsample")


def normalise(call: Call) -> Followed:
    """Layer normalisation, over the last dimensions."""
    first = call.image.dim() - len(call.args[1])
    return (call.grid, None) if max(call.grid.dims) < first else mix(call)


def standardise(call: Call) -> Followed:
    """Batch normalisation; with an image's own statistics, as instance normalisation runs it, all its positions mix."""
    return mix(call) if call.arg(3) is None or call.arg(5) is True else (call.grid, None)


def soften(call: Call) -> Followed:
    """A softmax along one dimension."""
    return (call.grid, None) if call.args[1] % call.image.dim() not in call.grid.dims else mix(call)


def _side(value: Any, axis: int) -> int:
    return int(value[axis if len(value) > 1 else 0]) if isinstance(value, (list, tuple)) else int(value)


RULES: dict[Any, Callable[[Call], Followed]] = {
    aten.convolution: convolve,
    aten.max_pool2d_with_indices: pool,
    aten.avg_pool2d: pool,
    aten._adaptive_avg_pool2d: adapt,
    aten.adaptive_max_pool2d: adapt,
    **dict.fromkeys((aten.mean, aten.sum, aten.amax, aten.amin), reduce),
    **dict.fromkeys(NEIGHBOURS, interpolate),
    aten.pixel_shuffle: moves.shuffle,
    **dict.fromkeys((aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d), moves.pad),
    aten.slice: moves.cut,
    aten.cat: moves.concatenate,
    aten.native_layer_norm: normalise,
    aten.native_batch_norm: standardise,
    **dict.fromkeys((aten._softmax, aten._log_softmax), soften),
    **dict.fromkeys((aten.permute, aten.transpose), moves.permute),
    aten.select: moves.select,
    aten.flip: moves.flip,
    aten.repeat: moves.repeat,
    **dict.fromkeys((aten.split, aten.split_with_sizes), moves.divide),
}

SAME = {
    aten._native_batch_norm_legit_no_training, aten.native_dropout, aten.clone, aten._to_copy,
    aten.detach, aten.alias, aten.lift_fresh,
}  # fmt: skip
"""Operations after which every unit sees what it saw."""

VIEWS = {aten.view, aten._unsafe_view, aten.reshape, aten._reshape_alias, aten.unsqueeze, aten.squeeze, aten.expand}

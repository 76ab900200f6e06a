"""How single operations pass on the largest coordinate that each of their inputs depends on: one small function an operation.

They take and return plain tensors of coordinates, shaped as the operation's own arguments and results are.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

NONE = float("-inf")
"""The largest coordinate of no pixels at all: padding, constants and parameters."""

aten = torch.ops.aten


def convolution(
    value: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, after: Any, groups: int
) -> Tensor:
    """A maximum over every window, whichever way round; weights that happen to be 0 can be trained to be something else."""
    # All channels of a group reach all of its outputs, so one channel a group is enough.
    value = value.unflatten(1, (groups, -1)).amax(2)
    kernel = tuple(weight.shape[2:])
    if transposed:
        value = _spread(value, stride)
        # The windows that end at each output: the transposed convolution seen from where it writes.
        top, left = (d * (k - 1) - p for k, p, d in zip(kernel, padding, dilation, strict=True))
        value = F.pad(value, (left, left + after[1], top, top + after[0]), value=NONE)
        return _windows(value, kernel, (1, 1), dilation).repeat_interleave(weight.shape[1], 1)
    value = F.pad(value, (padding[1], padding[1], padding[0], padding[0]), value=NONE)
    return _windows(value, kernel, stride, dilation).repeat_interleave(weight.shape[0] // groups, 1)


def _windows(value: Tensor, kernel: Any, stride: Any, dilation: Any) -> Tensor:
    """The maximum over windows, one axis after the other: the kernels of upsampling are up to 64 units a side."""
    value = F.max_pool2d(value, (kernel[0], 1), (stride[0], 1), 0, (dilation[0], 1))
    return F.max_pool2d(value, (1, kernel[1]), (1, stride[1]), 0, (1, dilation[1]))


def _spread(value: Tensor, stride: Any) -> Tensor:
    """Move the units of (B, C, H, W) apart, with nothing between them."""
    height, width = ((side - 1) * step + 1 for side, step in zip(value.shape[2:], stride, strict=True))
    spread = value.new_full((*value.shape[:2], height, width), NONE)
    spread[..., :: stride[0], :: stride[1]] = value
    return spread


def product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product. A constant factor comes as a mask of what it does not set to 0; one that is all 0 may yet be trained."""
    if left.dtype is torch.bool:
        return product(right.mT, left.mT).mT
    if right.dtype is not torch.bool:
        return torch.maximum(left.amax(-1, keepdim=True), right.amax(-2, keepdim=True))
    if right.all() or not right.any():
        return left.amax(-1, keepdim=True).expand(*left.shape[:-1], right.shape[-1])
    # The units that a column weighs come first, so a few steps see them all where the matrix is sparse.
    passes, units = right.to(torch.uint8).sort(dim=-2, descending=True, stable=True)
    columns = left.new_full((), NONE)
    for tap in range(int(passes.sum(-2).max())):
        taken = torch.take_along_dim(left, units[..., tap : tap + 1, :].expand(*left.shape[:-1], -1), -1)
        columns = columns.maximum(taken.where(passes[..., tap : tap + 1, :].bool(), NONE))
    return columns


def resample(func: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The rule of a separable interpolation: the operation itself, on an identity matrix, says which units an output weighs."""

    def rule(value: Tensor, size: Any, align: bool, scale_h: Any = None, scale_w: Any = None) -> Tensor:
        for dim, scale in ((2, scale_h), (3, scale_w)):
            units = torch.eye(value.shape[dim], device=value.device)[None, :, :, None]
            weights = func(units, [size[dim - 2], 1], align, scale, None)[0, :, :, 0]
            value = product(value.transpose(dim, -1), weights != 0).transpose(dim, -1)
        return value

    return rule


def pool(value: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, *_: Any) -> Tensor:
    """Average pooling."""
    return F.max_pool2d(value, kernel, stride or kernel, padding, ceil_mode=ceil_mode)


def max_pool(value: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> Any:
    """Maximum pooling, with the indices that it returns."""
    return aten.max_pool2d_with_indices(value, kernel, stride or kernel, padding, dilation, ceil_mode)


def reduce(value: Tensor, dims: Any = None, *args: Any, keepdim: bool = False, **_: Any) -> Tensor:
    """A mean, sum, maximum or norm along dimensions, all of them if none is named."""
    dims = list(range(value.dim())) if dims in (None, []) else dims
    return value.amax(dims, keepdim=keepdim or any(arg is True for arg in args))


def softmax(value: Tensor, dim: int, *_: Any) -> Tensor:
    """Every unit along a dimension moves all of them."""
    return value.amax(dim, keepdim=True).expand(value.shape)


def layer_norm(value: Tensor, shape: Any, *_: Any) -> Any:
    """The same along the last dimensions; the statistics that come with it are of no use to anyone."""
    dims = list(range(-len(shape), 0))
    most = value.amax(dims, keepdim=True)
    return most.expand(value.shape), most, most


def batch_norm(value: Tensor, weight: Any, bias: Any, mean: Any, var: Any, *args: Any) -> Any:
    """Nothing mixes, unless the statistics are the batch's own."""
    if mean is None or (len(args) == 3 and args[0]):
        value = value.amax().expand(value.shape)
    empty = value.new_empty(0)
    return value, empty, empty


def attend(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
    """Scaled dot-product attention, (B, heads, L, E) each: every query sees all keys and values."""
    most = torch.maximum(key.amax((-2, -1), keepdim=True), value.amax((-2, -1), keepdim=True))
    most = torch.maximum(query.amax(-1, keepdim=True), most)
    return most.expand(*most.shape[:-1], value.shape[-1]), most.squeeze(-1)


RULES: dict[Any, Callable[..., Any]] = {
    aten.convolution: convolution,
    aten.upsample_bilinear2d: resample(aten.upsample_bilinear2d.default),
    aten.upsample_bicubic2d: resample(aten.upsample_bicubic2d.default),
    aten.avg_pool2d: pool,
    aten.max_pool2d_with_indices: max_pool,
    aten._adaptive_avg_pool2d: F.adaptive_max_pool2d,
    aten._softmax: softmax,
    aten._log_softmax: softmax,
    aten.native_layer_norm: layer_norm,
    aten.native_batch_norm: batch_norm,
    aten._native_batch_norm_legit: batch_norm,
    aten._native_batch_norm_legit_no_training: batch_norm,
    aten.cudnn_batch_norm: batch_norm,
    aten._scaled_dot_product_flash_attention_for_cpu: attend,
    aten._scaled_dot_product_flash_attention: attend,
    aten._scaled_dot_product_efficient_attention: attend,
    **dict.fromkeys(
        (aten.mean, aten.sum, aten.amax, aten.amin, aten.var, aten.std, aten.logsumexp, aten.linalg_vector_norm), reduce
    ),
}

PRODUCTS: dict[Any, Callable[..., Tensor]] = {
    aten.mm: product,
    aten.bmm: product,
    aten.addmm: lambda _, left, right, **__: product(left, right),
    aten.baddbmm: lambda _, left, right, **__: product(left, right),
}

MOVES = {
    aten.clone, aten._unsafe_view, aten._reshape_alias, aten.index, aten.index_select, aten.flip, aten.roll, aten.repeat,
    aten.reflection_pad2d, aten.replication_pad2d, aten.upsample_nearest2d, aten._upsample_nearest_exact2d, aten.pixel_shuffle,
    aten.pixel_unshuffle, aten.channel_shuffle, aten.im2col, aten.lift_fresh, aten._to_copy, aten.native_dropout,
}  # fmt: skip
"""Operations that only move units about."""

JOINS = {aten.cat, aten.stack, aten.where, aten.copy_}
"""Operations that place units beside each other, and constants among them."""

CONSTANTS = {
    aten.zeros_like, aten.ones_like, aten.full_like, aten.empty_like, aten.new_zeros, aten.new_ones, aten.new_full,
    aten.new_empty, aten.rand_like, aten.randn_like,
}  # fmt: skip
"""Operations that take no more from a tensor than its shape."""

UNMARKED = {aten.hardswish, aten.hardswish_, aten._prelu_kernel}
"""Operations on single units that torch does not mark as such."""

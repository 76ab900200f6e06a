"""A model layer by layer, found out by running it on shapes alone: kernel, stride, size, and what a unit of each layer sees.

What is traced is what runs, not a table of names, so any module can be looked at, with any number of paths. The arithmetic is
`bench.models.trail`'s, the effect of single operations `bench.models.walk_rules`'; `bench.models.reach` finds the same fields by
another way, and exactly where units differ.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.geometry import Layer
from bench.models.shapes import run_on_shapes
from bench.models.trail import Trail
from bench.models.walk_grid import Call, Grid, Noted
from bench.models.walk_rules import follow


@dataclass(frozen=True)
class Step:
    """One operation that looks at more than one unit, changes the grid, or joins paths."""

    name: str
    """The module it ran in, or "after" the last one that ran."""
    kind: str
    """conv, max pool, average pool, global pool, transposed conv, upsample, add or concat; else the operation's own name."""
    layers: tuple[Layer, Layer] | None
    """The layer along rows and along columns; None for what is no window."""
    channels: int
    size: tuple[int, int]
    """(height, width) of what comes out."""
    rows: Trail
    columns: Trail
    apart_px: tuple[Fraction, Fraction]
    """How far the centres of the paths that meet here lie apart, along rows and along columns."""


@dataclass(frozen=True)
class Walk:
    """All steps of a forward pass in the order they ran, and what the units of its result see."""

    steps: tuple[Step, ...]
    rows: Trail
    columns: Trail
    size: tuple[int, ...]
    """Shape of the result."""

    @property
    def output_stride(self) -> int:
        """Stride of the finest grid on which the result is computed before pure interpolation, the finer of both axes."""
        grids = [trail.scored for trail in (self.rows, self.columns) if trail.scored is not None]
        return max(1, round(min(grids, default=Fraction(1))))


class Walked(Tensor):
    """A tensor without data that remembers what its units see."""

    bare: Tensor
    grid: Grid

    @staticmethod
    def __new__(cls, bare: Tensor, grid: Grid) -> "Walked":
        made: Walked = Tensor._make_wrapper_subclass(cls, bare.shape, bare.stride(), dtype=bare.dtype, device=bare.device)
        made.bare, made.grid = bare, grid
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """A dense layer over channels moves no position; below here it is a product of matrices, which might."""
        kwargs = kwargs or {}
        if func is F.linear and isinstance(args[0], Walked) and args[0].dim() - 1 not in args[0].grid.dims:
            made = Walked(F.linear(args[0].bare, *args[1:], **kwargs), args[0].grid)
            _WALK.get().note(Noted("dense"), made, made.grid)
            return made
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Run an operation on shapes, and work out what the units of its result see."""
        kwargs = kwargs or {}
        made = func(*_bare(args), **_bare(kwargs))
        inputs = [each for each in _tensors((args, tuple(kwargs.values()))) if isinstance(each, Walked)]
        out = next(_tensors(made), None)
        if out is None:  # a question about the shape
            return made
        grid, noted = follow(Call(func, args, kwargs, tuple((each.grid, each.bare) for each in inputs), out))
        if noted is not None:
            _WALK.get().note(noted, out, grid)
        if func._schema.is_mutable and isinstance(args[0], Walked):
            args[0].grid = grid
            return args[0]
        return _wrapped(made, grid)


class _Recorder:
    """The steps of the walk that is going on."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.steps = model, list[Step]()
        self.running: list[str] = []
        self.last = ""

    def note(self, noted: Noted, out: Tensor, grid: Grid) -> None:
        rows, columns = grid.dims
        name = (self.running[-1] if self.running else "") or (f"after {self.last}" if self.last else "input")
        size = (int(out.shape[rows]), int(out.shape[columns])) if grid.placed(out) else (1, 1)
        channels = int(out.numel() // max(1, out.shape[0] * size[0] * size[1]))
        self.steps.append(Step(name, noted.kind, noted.layers, channels, size, grid.rows, grid.columns, noted.apart_px))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Keep account of the module that runs."""
        hooks = []
        for name, module in self.model.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: self.running.append(name)))
            hooks.append(module.register_forward_hook(lambda *_: self._left(), always_call=True))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _left(self) -> None:
        self.last = self.running.pop() or self.last


_WALK: ContextVar[_Recorder] = ContextVar("walk")


def walk(model: nn.Module, height: int, width: int) -> Walk:
    """Follow one (height, width) image through a model, as for inference; the model is left as it was."""
    recorder = _Recorder(model)
    token = _WALK.set(recorder)
    try:
        with recorder.named():
            made = run_on_shapes(model, (height, width), image=lambda image: Walked(image, Grid(Trail(), Trail())))
    finally:
        _WALK.reset(token)
    out = next(each for each in _tensors(made) if isinstance(each, Walked))
    return Walk(tuple(recorder.steps), out.grid.rows, out.grid.columns, tuple(out.shape))


def _tensors(args: Any) -> Iterator[Tensor]:
    if isinstance(args, Tensor):
        yield args
    elif isinstance(args, (list, tuple)):
        for arg in args:
            yield from _tensors(arg)
    elif isinstance(args, dict):
        yield from _tensors(tuple(args.values()))


def _bare(args: Any) -> Any:
    if isinstance(args, Walked):
        return args.bare
    if isinstance(args, dict):
        return {name: _bare(value) for name, value in args.items()}
    return type(args)(_bare(arg) for arg in args) if isinstance(args, (list, tuple)) else args


def _wrapped(made: Any, grid: Grid) -> Any:
    if isinstance(made, Tensor):
        return Walked(made, grid)
    return type(made)(_wrapped(each, grid) for each in made) if isinstance(made, (list, tuple)) else made

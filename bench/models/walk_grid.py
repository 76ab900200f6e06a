"""What a walk knows of a tensor, and one operation on such tensors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from bench.geometry import Layer
from bench.models.trail import Trail, apart_px, join

Layers = tuple[Layer, Layer]


@dataclass(frozen=True)
class Grid:
    """What the units of a tensor see along both axes, and which of its dimensions these are."""

    rows: Trail
    columns: Trail
    dims: tuple[int, int] = (2, 3)

    def each(self, change: Callable[[Trail, int], Trail]) -> "Grid":
        """The grid with a change to both trails, told the number of the axis."""
        return replace(self, rows=change(self.rows, 0), columns=change(self.columns, 1))

    def mixed(self, out: Tensor) -> "Grid":
        """The grid after everything may have mixed; a result of four dimensions is an image again."""
        return Grid(self.rows.mixed(), self.columns.mixed(), (2, 3) if out.dim() == 4 else (-1, -1))

    def placed(self, out: Tensor) -> bool:
        """Whether the tensor still has both axes."""
        return all(0 <= dim < out.dim() for dim in self.dims)


@dataclass(frozen=True)
class Noted:
    """An operation that is worth a line."""

    kind: str
    layers: Layers | None = None
    apart_px: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Call:
    """One operation: its arguments as they were given, the traced tensors among them, and the first tensor that came out."""

    func: Any
    args: Any
    kwargs: Any
    given: tuple[tuple[Grid, Tensor], ...]
    out: Tensor

    @property
    def grid(self) -> Grid:
        """The grid of the first traced tensor."""
        return self.given[0][0]

    @property
    def image(self) -> Tensor:
        """The first traced tensor."""
        return self.given[0][1]

    def arg(self, place: int, default: Any = None) -> Any:
        """A positional argument, or what stands for it."""
        return self.args[place] if len(self.args) > place else default


Followed = tuple[Grid, Noted | None]


def mix(call: Call) -> Followed:
    """Everything may depend on everything; only the first time is worth a line."""
    known = all(grid.rows.everything for grid, _ in call.given)
    return call.grid.mixed(call.out), None if known else Noted(call.func.overloadpacket.__name__.lstrip("_"))


def meet(call: Call, kind: str) -> Followed:
    """Paths that meet unit by unit; one that was pooled to a single unit is spread over all of them."""
    grids = [grid for grid, _ in call.given]
    if len(set(grids)) == 1:
        return grids[0], None
    whole = [
        grid
        for grid, value in call.given
        if value.dim() == call.out.dim() and grid.placed(value) and all(value.shape[n] == call.out.shape[n] for n in grid.dims)
    ]
    if not whole or len({grid.dims for grid in whole}) > 1:
        return mix(call)
    rows, columns = (join(trails) for trails in ([grid.rows for grid in whole], [grid.columns for grid in whole]))
    if any(grid.rows.everything for grid in grids):
        # The size map is that of the paths that keep their positions.
        rows, columns = (replace(trail, everything=True) for trail in (rows, columns))
    apart = apart_px(grid.rows for grid in whole), apart_px(grid.columns for grid in whole)
    return Grid(rows, columns, whole[0].dims), Noted(kind, None, apart) if len(set(whole)) > 1 else None

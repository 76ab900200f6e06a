"""Which cell starts from which: `init_from` of a model, resolved to cells of the same suite."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.cell import Cell
from bench.errors import BenchError, nearest


def link(cells: list[Cell], place: Callable[[str], str]) -> list[Cell]:
    """The same cells, each with the cell it starts from: that model's, on the same data, augmentation, share, axes and seed.

    ``place`` is ``file:line`` of a model's `init_from`. Raises BenchError for a model that the suite does not have or does not
    train on that data, and for models that start from each other.
    """
    models = dict.fromkeys(cell.model_label for cell in cells)
    known = {_key(cell, cell.model_label): cell for cell in cells}
    linked: dict[tuple[Any, ...], Cell] = {}

    def resolve(cell: Cell, trail: tuple[str, ...]) -> Cell:
        wanted, key = cell.model.init_from if not cell.external else None, _key(cell, cell.model_label)
        if wanted is None or key in linked:
            return linked.setdefault(key, cell)
        where = f"{place(cell.model_label)}: init_from: {wanted!r}"
        if wanted in (*trail, cell.model_label):
            circle = " from ".join([*trail[trail.index(wanted) if wanted in trail else len(trail) :], cell.model_label, wanted])
            raise BenchError(f"{where} closes a circle: {circle}. One of them must start from nothing.")
        if wanted not in models:
            others = [model for model in models if model != cell.model_label]
            hint = f"{nearest(wanted, others)} It has {', '.join(models)}; a start is trained as well and must be among them."
            raise BenchError(f"{where} is no model of this matrix.{hint}")
        if _key(cell, wanted) not in known:
            raise BenchError(f"{where} has no cell like {cell.label}, which would start from it. Add it below `include:`.")
        start = resolve(known[_key(cell, wanted)], (*trail, cell.model_label))
        return linked.setdefault(key, replace(cell, start=start))

    return [resolve(cell, ()) for cell in cells]


def ancestors(cell: Cell) -> list[Cell]:
    """The cells that have to be trained before this one, nearest first."""
    found = []
    while cell.start is not None:
        cell = cell.start
        found.append(cell)
    return found


def _key(cell: Cell, model: str) -> tuple[Any, ...]:
    return (model, cell.dataset_label, cell.augmentation_label, cell.fraction, repr(cell.axes), cell.seed)

"""Which cell starts from which: `init_from` of a model, resolved to cells of the suite, planned where its matrix lacks them."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from bench.cell import Cell
from bench.errors import BenchError, nearest


def link(cells: list[Cell], models: Collection[str], like: Callable[[Cell, str], Cell], place: Callable[[str], str]) -> list[Cell]:
    """These cells, each with the cell it starts from: that model's, on the same data, augmentation, share, axes and seed.

    A start that is not among them comes before them: ``like(cell, model)`` makes it, of one of the suite's ``models``. ``place``
    is ``file:line`` of a model's `init_from`. Raises BenchError for a model that the suite does not have or that can share
    nothing, and for models that start from each other.
    """
    if not any(cell.model.init_from for cell in cells if not cell.external):
        return cells
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
            raise BenchError(f"{where} is no model of this suite.{nearest(wanted, others)} It has {', '.join(models)}.")
        first = known.get(_key(cell, wanted)) or like(cell, wanted)
        families = {first.model.name, cell.model.name}
        if len(families) > 1 and not any(":" in family for family in families):
            raise BenchError(f"{where} is a {first.model.name}, of which a {cell.model.name} can take over nothing; leave it out.")
        start = resolve(first, (*trail, cell.model_label))
        return linked.setdefault(key, replace(cell, start=start))

    found = [resolve(cell, ()) for cell in cells]
    return [*(cell for key, cell in linked.items() if key not in known), *found]


def ancestors(cell: Cell) -> list[Cell]:
    """The cells that have to be trained before this one, nearest first."""
    found = []
    while cell.start is not None:
        cell = cell.start
        found.append(cell)
    return found


def _key(cell: Cell, model: str) -> tuple[Any, ...]:
    return (model, cell.dataset_label, cell.augmentation_label, cell.fraction, repr(cell.axes), cell.seed)

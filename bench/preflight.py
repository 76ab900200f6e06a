"""What can be told of cells before anything is trained: their models are built and run on shapes alone, on the meta device."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import torch
from torch import nn

from bench.cell import Cell
from bench.checkpoint import astray, shared
from bench.data import entry_of
from bench.errors import BenchError
from bench.memory import host_bytes
from bench.models import build_model
from bench.models.trace import count_flops
from bench.ranks import refuse_norm_on_cpu
from bench.specs import TrainSpec
from bench.train import refuse_batch_statistics

SIDE_PX = 128
"""Side of the image whose operations are counted to guess which cells are long."""
BYTES = 4
"""Weights, gradients and what the optimiser remembers are kept in fp32."""


def survey(cells: Iterable[Cell], *, on_cpu: bool = False) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """The model's label and what is wrong with it, each once; and the operations a pixel of each model, by its spec as JSON.

    Weights are read, so that they are known to be there. ``on_cpu`` is where the cells will run.
    """
    found: dict[tuple[str, str], None] = {}
    built: dict[tuple[str, int], nn.Module] = {}
    flops: dict[str, float] = {}
    for cell in cells:
        try:
            for text in _problems(cell, built):
                found[cell.model_label, text] = None
            if on_cpu and cell.recipe.devices > 1:
                refuse_norm_on_cpu(_on_shapes(cell, built), cell.recipe.devices)
            with suppress(RuntimeError, ValueError, NotImplementedError):  # one that shapes alone do not carry has no estimate
                flops[cell.model.model_dump_json()] = _flops_a_pixel(_on_shapes(cell, built))
        except BenchError as error:
            found[cell.model_label, str(error)] = None
    return list(found), flops


def _flops_a_pixel(model: nn.Module) -> float:
    side = SIDE_PX + 2 * int(getattr(model, "margin", 0))
    return count_flops(model, (side, side)) / SIDE_PX**2


def _problems(cell: Cell, built: dict[tuple[str, int], nn.Module]) -> Iterator[str]:
    model = _on_shapes(cell, built)
    yield from _too_large(model, cell.recipe)
    if cell.recipe.on_oom == "accumulate":
        refuse_batch_statistics(model)
    if cell.start is not None:
        yield from _of_another_trunk(cell, cell.start, _on_shapes(cell.start, built), model)
    if cell.recipe.batch == 1:  # where batch normalisation may find a single value
        margin = int(getattr(model, "margin", 0))
        model.train()(torch.empty(1, 3, *(_crop(cell) or (256 + 2 * margin,) * 2), device="meta"))


def _of_another_trunk(cell: Cell, start: Cell, first: nn.Module, model: nn.Module) -> Iterator[str]:
    """A start whose trunk is not, by every tensor's name and shape, that of the model which is to take it over."""
    theirs, mine = first.state_dict(), model.state_dict()
    lost, count = astray(theirs, mine, shared(theirs, mine))
    if lost:
        yield (
            f"init_from: {count - len(lost)} of the {count} tensors in its trunk ({_told(cell)}) and that of {start.model_label} "
            f"({_told(start)}) agree in name and shape, and all must; {lost[0]} does not. Start from a model of the same trunk, or "
            "leave init_from out"
        )


def _told(cell: Cell) -> str:
    """A model in words: its family and what its suite says of it."""
    said = cell.model.model_dump(mode="json", exclude_defaults=True, exclude={"name", "init_from"})
    return ", ".join([cell.model.name, *(f"{field} {value}" for field, value in said.items())])


def _on_shapes(cell: Cell, built: dict[tuple[str, int], nn.Module]) -> nn.Module:
    """The cell's model; cells that differ in seeds, data or training alone share one."""
    num_classes = entry_of(cell.dataset).num_classes
    key = cell.model.model_dump_json(), num_classes
    if key not in built:
        with torch.device("meta"):
            built[key] = build_model(cell.model, num_classes).to("meta")
    return built[key]


def _crop(cell: Cell) -> tuple[int, int] | None:
    """(height, width) of a training image, where the suite says it."""
    crop = cell.recipe.crop
    if crop == "full":
        size: tuple[int, int] | None = cell.dataset.resize or getattr(cell.dataset, "size", None)
        return size
    return (crop, crop) if isinstance(crop, int) else crop


def _too_large(model: nn.Module, train: TrainSpec) -> Iterator[str]:
    """A model whose weights alone, as they are trained, are more than any memory of this machine."""
    momenta = 2 if train.optimizer == "adamw" else int(train.momentum > 0)
    count = sum(each.numel() for each in model.parameters())
    needed, there = count * BYTES * (2 + momenta), memory_bytes()
    if needed > there:
        yield (
            f"its {count:,} parameters take {needed / 2**30:,.0f} GiB with their gradients and what {train.optimizer} keeps of "
            f"them, and this machine has {there / 2**30:,.0f} GiB. Choose a smaller width, depth or trunk."
        )


def memory_bytes() -> int:
    """The largest memory that a model could lie in: the machine's own, or a GPU's."""
    gpus = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    return max(host_bytes(), *gpus, 0)

"""Every cell of a suite for a few steps on generated data, before anybody pays for GPU hours.

The data is written in the real set's on-disk layout and read by the real reader; models, losses, optimisers, evaluation and
profile are the suite's own. Only the amounts shrink.
"""

from dataclasses import replace
from pathlib import Path

from bench.cell import Cell, digest
from bench.data import entry_of
from bench.errors import BenchError
from bench.registry import load
from bench.specs import DatasetSpec, FolderSpec, PhantomSpec, TrainSpec
from bench.store import Store

STEPS, BATCH, SIDE = 3, 2, 64
SIZE = (96, 128)
"""(height, width) in pixels of the generated images."""


def smoke_store(store: Store) -> Store:
    """The store of smoke runs, apart from real results."""
    return Store(store.root / "smoke")


def smoke(cells: list[Cell], store: Store) -> tuple[list[Cell], Path]:
    """The shrunken cells, and the data root with generated data for all of them."""
    root = store.root / "data"
    for spec in {cell.dataset.model_dump_json(): cell.dataset for cell in cells}.values():
        _generate(root, spec)
    return [_shrunk(cell) for cell in cells], root


def _generate(root: Path, spec: DatasetSpec) -> None:
    """Write a tree in a data set's layout once; the mark comes last, so a tree cut short is written again."""
    layout, described = entry_of(spec).layout, isinstance(spec, FolderSpec)
    mark = root / f".{digest([layout, spec.model_dump(mode='json') if described else None])[:16]}.generated"
    if mark.exists() or isinstance(spec, PhantomSpec):
        return
    if layout is None:
        raise BenchError(
            f"dataset {spec.name!r}: its entry names no layout, so --smoke has nothing to read. Write one, or try the suite on its "
            "own data with --set train.steps=3."
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        load(layout)(root, 4, SIZE, 0, *([spec] if described else []))
        mark.touch()
    except OSError as error:
        raise BenchError(
            f"{root}: cannot write the generated data: {error.strerror or error}. Choose a store with --store."
        ) from None


def _shrunk(cell: Cell) -> Cell:
    margin_px = int(getattr(cell.model, "margin_px", 0))
    train: TrainSpec = cell.recipe.model_copy(
        update={
            "steps": STEPS,
            "epochs": None,
            "batch": min(BATCH, cell.recipe.batch),
            "devices": 1,
            "crop": "full" if cell.recipe.crop == "full" and not margin_px else SIDE + 2 * margin_px,
            "warmup_steps": min(1, cell.recipe.warmup_steps),
            "val_every": None,
        }
    )
    dataset = cell.dataset.model_copy(update={"resize": None})
    if isinstance(dataset, PhantomSpec):
        dataset = dataset.model_copy(update={"size": (64, 96), "train_images": 4, "val_images": 4, "test_images": 4})
    model = cell.model.model_copy(update={"weights": None}) if getattr(cell.model, "weights", None) else cell.model
    profile = cell.profile and cell.profile.model_copy(update={"size": SIZE, "batch": BATCH, "warmup": 1, "rounds": 2})
    start = cell.start and _shrunk(cell.start)
    return replace(cell, train=train, dataset=dataset, model=model, profile=profile, start=start)

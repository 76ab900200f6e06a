"""What a cell takes over from others that were trained alike: weights, label maps, a profile."""

import shutil
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.predictions import NAME as PREDICTIONS
from bench.store import Result, Store, read_json, write_json


def _siblings(store: Store, cell: Cell) -> list[Path]:
    """Folders of the other cells that were trained alike, and are scored or profiled otherwise."""
    mine = store.folder(cell.id)
    return [folder for folder in sorted(mine.parent.glob(f"{cell.train_id}-*")) if folder != mine]


def adopt(store: Store, cell: Cell, folder: Path) -> bool:
    """Take over the weights of a cell that was trained alike."""
    for sibling in _siblings(store, cell):
        if not (sibling / "trained.json").exists():
            continue
        for file in [*sibling.glob("*.pt"), sibling / "curve.jsonl", sibling / "train_ids.json"]:
            link(file, folder / file.name)
        write_json(folder / "trained.json", read_json(sibling / "trained.json"))
        return True
    return False


def link(file: Path, place: Path) -> None:
    """The same file under a second name, or a copy on a file system without links."""
    place.unlink(missing_ok=True)
    try:
        place.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, place)


def predicted_alike(store: Store, cell: Cell) -> Path | None:
    """The label maps kept by a cell with the same weights on the same images, whatever was scored of them."""
    for sibling in _siblings(store, cell):
        kept = sibling / PREDICTIONS
        if kept.exists() and _predicts(store.cell(sibling.name)) == _predicts(cell):
            return kept
    return None


def _predicts(cell: Cell) -> tuple[Any, ...]:
    """What decides the label maps of a trained cell."""
    scored = cell.parts["eval"]
    return scored["test"], scored["data"], cell.eval.choose, cell.eval.batch, cell.eval.precision, cell.eval.tile


def profiled_alike(store: Store, cell: Cell, here: dict[str, Any]) -> Result | None:
    """The result of a cell with the same weights that was profiled in the same way on a device such as ``here``."""
    for sibling in _siblings(store, cell):
        result = store.result(sibling.name) if sibling.name.endswith(cell.id[cell.id.rindex("-") :]) else None
        alone = result is not None and result.profile is not None and result.profile["device"] == here["device"]
        if result and alone and all(result.environment.get(key) == here[key] for key in ("device", "threads", "torch")):
            return result
    return None

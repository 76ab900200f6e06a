"""What of a store could go: read from the store alone, nothing is removed here.

Checkpoints of finished cells, what dead processes left half written, prepared data that no cell names; when asked for, weights and
the cells of older versions. What an unfinished cell may still need is never among it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.cell import Cell
from bench.errors import BenchError
from bench.lineage import ancestors
from bench.litter import Waste, caches, idle, temporary
from bench.per_image import readable
from bench.running import running
from bench.store import Store, read_json
from bench.stored import note_of, suites

_UNFINISHED = ("last.pt", "previous.pt")


@dataclass(frozen=True)
class Found:
    """What could go, and a sentence for each thing that was passed over though it may look alike."""

    items: list[Waste] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(store: Store, *, weights: bool = False, old_cells: bool = False) -> Found:
    """All that could go; raises BenchError for a folder that is no store and for a suite's note that cannot be read."""
    if not (store.root / "cells").is_dir():
        raise BenchError(f"{store.root} holds no cells. Name the store with --store DIR or BENCH_STORE.")
    store.writable()
    items, notes, held = list[Waste](), list[str](), running(store)
    names = os.listdir(store.root / "cells")  # noqa: PTH208  names alone
    ids = sorted(name for name in names if re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", name))
    leaving: set[str] = set()
    if weights or old_cells:
        cells, old = _cells(store, ids)
        needed = _needed(store, cells, old, notes)
        if old_cells:
            items += _old(store, cells, old - held.keys(), needed, weights, notes)
            leaving = {str(item.cell_id) for item in items}
        if weights:
            finished = [each for each in ids if each not in held and each not in leaving]
            items += _weights(store, finished, needed)
    for cell_id in ids:
        if cell_id not in held and cell_id not in leaving:
            items += _of_cell(store, cell_id)
    items += temporary(store)
    items += caches(store, [each for each in ids if each not in leaving], notes)
    return Found(items, notes)


def _cells(store: Store, ids: list[str]) -> tuple[dict[str, Cell | None], set[str]]:
    """Every cell, None for one that cannot be read, and the ids of those that an older version made."""
    cells: dict[str, Cell | None] = {}
    old = set()
    for cell_id in ids:
        try:
            cells[cell_id] = cell = store.cell(cell_id)
            if replace(cell, filed=None).id != cell_id:
                old.add(cell_id)
        except (BenchError, AssertionError, KeyError):
            cells[cell_id] = None
    return cells, old


def _needed(store: Store, cells: Mapping[str, Cell | None], old: set[str], notes: list[str]) -> set[str]:
    """The trainings that cells without a usable result, or those they start from, may still need."""
    needed = set()
    for cell_id, cell in cells.items():
        done = store.state(cell_id) == "finished" and store.looks_whole(cell_id)
        if cell_id in old or (done and readable(store.folder(cell_id) / "per_image.npz")):
            continue
        needed.add(cell_id.partition("-")[0])
        needed |= {each.train_id for each in ancestors(cell)} if cell else set()
    for name in suites(store):
        planned = note_of(store, name)["cells"]
        if waiting := [each for each in planned if each not in cells]:
            needed |= {each.partition("-")[0] for each in planned}
            notes.append(
                f"suite {name}: {len(waiting)} cells never began and may start from any other, so all its weights are kept"
            )
    return needed


def _weights(store: Store, ids: list[str], needed: set[str]) -> Iterator[Waste]:
    for cell_id in ids:
        folder = store.folder(cell_id)
        if cell_id.partition("-")[0] in needed or store.state(cell_id) != "finished":
            continue
        kept = sorted(path for path in folder.glob("*.pt") if path not in _superfluous(folder))
        # The mark of a whole training goes first: without it nobody looks for the weights.
        if paths := [path for path in (folder / "trained.json", *kept) if path.exists()]:
            yield Waste("weights", tuple(paths), "of a finished cell", cell_id)


def _old(
    store: Store, cells: Mapping[str, Cell | None], old: Iterable[str], needed: set[str], weights: bool, notes: list[str]
) -> Iterator[Waste]:
    """Whole cells of older versions, unless they alone have weights that this version would still use."""
    present = {each.partition("-")[0] for each in cells if each not in old and (store.folder(each) / "trained.json").exists()}
    for cell_id in sorted(old):
        cell, training = cells[cell_id], cell_id.partition("-")[0]
        assert cell is not None
        trained = (store.folder(cell_id) / "trained.json").exists() and replace(cell, filed=None).train_id == training
        if trained and training not in present and (training in needed or not weights):
            notes.append(f"{cell_id}: of an older version, and kept for its weights, which this version would score anew")
        else:
            yield Waste("old cell", (store.folder(cell_id),), "this version gives its spec another id", cell_id)


def _of_cell(store: Store, cell_id: str) -> Iterator[Waste]:
    """Checkpoints of a finished cell, and what killed processes left in its folder."""
    folder = store.folder(cell_id)
    if store.state(cell_id) == "finished" and store.looks_whole(cell_id) and (spare := _superfluous(folder)):
        yield Waste("checkpoints", tuple(spare), "the cell is finished", cell_id)
    external = not (folder / "log.txt").exists()  # scored without a claim
    if torn := [path for path in sorted(folder.glob(".*")) if not path.name.startswith(".mlflow") and not external]:
        yield Waste("temporary", tuple(torn), "left half written", cell_id)
    guarded = set(torn)
    for path in idle([path for path in folder.glob(".*") if path not in guarded], store):
        yield Waste("temporary", (path,), "left half written", cell_id)


def _superfluous(folder: Path) -> list[Path]:
    """What only an unfinished training needs: its checkpoints, and best weights that were bettered since."""
    spare = [folder / name for name in _UNFINISHED if (folder / name).exists()]
    try:
        best = read_json(folder / "trained.json")["best"]
        chosen = f"best-{int(best['step']):08d}.pt" if best else None
    except (BenchError, KeyError, TypeError, ValueError):
        return spare  # which weights were chosen is not known, so none is spare
    return spare + sorted(path for path in folder.glob("best-*.pt") if path.name != chosen)

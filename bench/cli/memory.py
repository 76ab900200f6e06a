"""Tables that took long to make, kept beside the results they were made of: see `bench.kept`.

The key is a hash of all that went into a table, the state of every file of every cell among them.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench
from bench.cell import Cell, digest
from bench.kept import kept
from bench.store import Store
from bench.tables import Table

_ENTERING = ("result.json", "failed.json", "per_image.npz")


def remembered(store: Store, name: str, cells: Iterable[Cell], asked: Any, make: Callable[[], Table]) -> Table:
    """The table that ``make`` would make of these cells, from an earlier call where nothing has changed since.

    ``asked`` is everything beside the cells' files that the table depends on, as plain data; ``name`` is of the file it is kept in.
    """
    path = store.cache / "tables" / f"{name}.json"
    return kept(path, digest([asked, _code(), _files(store, cells)]), make, pack=_plain, unpack=_table)


def _plain(table: Table) -> dict[str, Any]:
    return {**asdict(table), "left": sorted(table.left)}


def _table(plain: dict[str, Any]) -> Table:
    return Table(**{**plain, "left": frozenset(plain["left"])})


def _files(store: Store, cells: Iterable[Cell]) -> list[Any]:
    """Id, names, and the size, time and place on the disk of the files of each cell."""
    folders = ((cell, str(store.folder(cell.id))) for cell in cells)
    return [[cell.id, cell.label, *(_stamp(f"{folder}/{name}") for name in _ENTERING)] for cell, folder in folders]


def _stamp(path: str) -> list[int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  three for each of many thousand cells
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _code() -> list[Any]:
    """What would have to change for the same results to make another table."""
    sources = Path(bench.__file__).parent.rglob("*.py")
    return [bench.__version__, max(source.stat().st_mtime_ns for source in sources)]

"""Tables that took long to make, kept beside the results they were made of.

A kept table is never the truth: it bears a hash of all that went into it, the state of every file of every cell among them,
and any other hash makes the table anew. What cannot be read or written is no loss.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench
from bench.cell import Cell, digest
from bench.errors import BenchError
from bench.store import Store, read_json, write_json
from bench.tables import Table

WORTH_S = 1.0
"""Tables that take less are not kept."""
_ENTERING = ("result.json", "failed.json", "per_image.npz")


def remembered(store: Store, name: str, cells: Iterable[Cell], asked: Any, make: Callable[[], Table]) -> Table:
    """The table that ``make`` would make of these cells, from an earlier call where nothing has changed since.

    ``asked`` is everything beside the cells' files that the table depends on, as plain data; ``name`` is of the file it is kept in.
    """
    path = store.cache / "tables" / f"{name}.json"
    key = digest([asked, _code(), _files(store, cells)])
    try:
        kept = read_json(path)
        if kept["key"] == key:
            return Table(**{**kept["table"], "left": frozenset(kept["table"]["left"])})
    except (BenchError, KeyError, TypeError):
        pass  # not there, damaged, or of another version
    begin = time.perf_counter()
    table = make()
    if time.perf_counter() - begin > WORTH_S:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"key": key, "table": {**asdict(table), "left": sorted(table.left)}})
        except OSError:
            pass  # a store that cannot be written costs the time again, nothing else
    return table


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

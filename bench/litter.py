"""What processes leave in a store beside its cells: files half written, and prepared data that nobody names any more."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.prepare import PREPARE_VERSION, is_complete
from bench.errors import BenchError
from bench.store import Store, read_json
from bench.stored import note_of, suites

IDLE_S = 600.0
"""Time without a change after which a half-written file that no claim and no lock guards is taken for a dead process's."""
_OURS = re.compile(r"\..+\.(tmp|(json|jsonl|npz|txt|csv)\.[a-z0-9_]{8})|\.pull\.[a-z0-9_]{8}")
"""Names that this program gives to what it writes beside its place. Whatever else is hidden in a store is somebody's own."""
_MEMORIES = ("fingerprints", "tables", "rankings")
"""Folders of the cache that hold no prepared data."""


@dataclass(frozen=True)
class Waste:
    """Something that could go: its files and folders in the order in which they are to be removed."""

    kind: str
    """"checkpoints", "temporary", "cache", "weights" or "old cell"."""
    paths: tuple[Path, ...]
    reason: str
    cell_id: str | None = None
    """The cell whose claim has to be held for it."""


def temporary(store: Store) -> Iterator[Waste]:
    """What killed processes left beside the cells."""
    root, apart = store.root, ("cells", "mlartifacts", "smoke")
    folders = [root, *(each for each in root.iterdir() if each.is_dir() and each.name not in apart)]
    folders += [each for each in store.cache.glob("*") if each.is_dir()]
    left = [path for folder in folders if not folder.name.startswith(".") or folder == root for path in folder.glob(".*")]
    for path in idle(left, store):
        yield Waste("temporary", (path,), "left half written")


def idle(paths: list[Path], store: Store) -> Iterator[Path]:
    """Those of some hidden files and folders that nothing has changed for a while, by the clock that sets their times."""
    paths = sorted(path for path in paths if _OURS.fullmatch(path.name))
    if not paths:
        return
    with tempfile.TemporaryFile(dir=store.root) as file:
        now = os.fstat(file.fileno()).st_mtime
    for path in paths:
        times = [each.lstat().st_mtime for each in (path, *path.rglob("*"))]
        if now - max(times) > IDLE_S:
            yield path


def caches(store: Store, ids: list[str], notes: list[str]) -> Iterator[Waste]:
    """Prepared data that no cell and no suite of the store names, or that cannot be used any more."""
    used: set[tuple[str, Any]] = set()
    try:
        for cell_id in ids:
            if (path := store.folder(cell_id) / "cell.json").exists():
                used |= set(_named(read_json(path)))
        noted = {print_ for name in suites(store) for print_ in note_of(store, name).get("fingerprints", {}).values()}
    except (BenchError, AttributeError, KeyError, TypeError) as error:
        notes.append(f"no prepared data is freed, since it is not known what is used: {str(error).splitlines()[0]}")
        return
    for folder in sorted(store.cache.glob("[!.]*")):
        if folder.is_symlink() or not folder.is_dir() or folder.name in _MEMORIES:
            continue
        if not is_complete(folder):
            yield Waste("cache", (folder,), f"damaged, or not of version {PREPARE_VERSION}: it would be made anew")
            continue
        manifest = read_json(folder / "manifest.json")
        size = manifest["dataset"].get("resize")
        if manifest["fingerprint"] not in noted and (manifest["fingerprint"], str(size)) not in used:
            yield Waste("cache", (folder,), "no cell of the store uses it")


def _named(cell: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """(fingerprint, size) of all data that a cell, or one it starts from, was made of; whatever version made it."""
    while cell:
        for fingerprint in (cell["fingerprints"] or {}).values():
            yield str(fingerprint), str(cell["dataset"].get("resize"))
        cell = cell.get("start")

"""What a store knows of itself: its suites and their ranked rows, read without suite files, data sets or torch."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.contest import contest_from_json
from bench.entrants import beside
from bench.errors import BenchError
from bench.leaderboard import Row, collect, rank
from bench.scored import read
from bench.store import SCHEMA_VERSION, Store

_RECORDS = ("cell.json", "result.json", "failed.json", "per_image.npz")
"""The files that decide a table."""


@dataclass(frozen=True)
class Stored:
    """The cells of a suite as far as they can be read, and a sentence for each that cannot."""

    suite: str
    cells: list[Cell]
    """External models, which were scored on what the suite reports, stand last."""
    problems: list[str] = field(default_factory=list)


def suites(store: Store) -> list[str]:
    """Names of the suites that ran into a store, the newest first."""
    notes = sorted((store.root / "suites").glob("*.json"), key=lambda path: (-path.stat().st_mtime, path.name))
    return [path.stem for path in notes]


def note_of(store: Store, suite: str) -> dict[str, Any]:
    """What a suite's last run noted: its cells and contests. Raises BenchError for a suite there is not, and a damaged note."""
    known = suites(store)
    if suite not in known:  # a name is compared and never made into a path
        raise BenchError(f"{store.root} knows no suite {suite[:80]!r}. It has {', '.join(known) or 'none'}.")
    note = store.suite(suite)
    path = store.root / "suites" / f"{suite}.json"
    cells = note.get("cells") if isinstance(note, dict) else None
    if not (isinstance(note, dict) and isinstance(cells, list) and all(isinstance(each, str) for each in cells)):
        raise BenchError(f"{path}: is no note of a suite. Remove it and run the suite again.")
    version = note.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BenchError(
            f"{path}: written by a newer version (schema {version}, this one reads {SCHEMA_VERSION}); update stridebench"
        )
    return note


def read_suite(store: Store, suite: str) -> Stored:
    """The cells of a suite and of the external models beside it; a cell that cannot be read is a problem, not the end."""
    note = note_of(store, suite)
    cells, problems = [], []
    for cell_id in note["cells"]:
        try:
            for name in _RECORDS:
                inside(store, cell_id, name)
            cell = store.cell(cell_id)
            store.result(cell_id)
            store.failure(cell_id)
        except BenchError as error:
            problems.append(str(error))
        else:
            cells.append(cell)
    try:
        cells += beside([contest_from_json(each) for each in note.get("contests", [])], store)
    except (BenchError, KeyError, TypeError, ValueError) as error:
        problems.append(f"{store.root / 'external'}: external models cannot be shown: {str(error).splitlines()[0]}")
    return Stored(suite, cells, problems)


def inside(store: Store, cell_id: str, name: str = "cell.json") -> Path:
    """A file of a cell; raises BenchError when the way there, links followed, leaves the store's cells."""
    path = store.folder(cell_id) / name
    if not path.resolve().is_relative_to((store.root / "cells").resolve()):
        raise BenchError(f"{path}: leads out of the store, so it is not read. Remove the link.")
    return path


def ranked(store: Store, suite: str, metric: str = "miou", convention: str = "fcn") -> tuple[list[Row], list[str]]:
    """Ranked rows of a suite, and a sentence for every cell that cannot be read and so stands in no row.

    Raises BenchError for a suite the store does not know, and for rows that cannot be compared.
    """
    found = read_suite(store, suite)
    try:
        return rank(collect(found.cells, store), store, metric=metric, convention=convention), found.problems
    except BenchError:
        # Rarely: sums that cannot be read. Only now is every file of them opened on its own to tell which.
        bad = {cell.id: problem for cell in found.cells if (problem := _damage(store, cell))}
    kept = [cell for cell in found.cells if cell.id not in bad]
    return rank(collect(kept, store), store, metric=metric, convention=convention), [*found.problems, *bad.values()]


def _damage(store: Store, cell: Cell) -> str | None:
    try:
        if store.state(cell.id) == "finished":
            read(store, cell.id)
    except BenchError as error:
        return str(error)
    return None


def stamp(store: Store, suite: str) -> str:
    """A hash that changes when anything does from which the tables of a suite are made: what a cache is keyed by."""
    paths = [store.root / "suites" / f"{suite}.json", *sorted((store.root / "external").glob("*.json"))]
    cells = [str(each) for each in note_of(store, suite)["cells"]]
    paths += [store.root / "cells" / each / name for each in cells if "/" not in each for name in _RECORDS]
    hashed = hashlib.sha256()
    for path in paths:
        try:
            found = path.stat()
            hashed.update(f"{path.name} {found.st_size} {found.st_mtime_ns};".encode())
        except (OSError, ValueError):
            hashed.update(b";")
    return hashed.hexdigest()[:24]

"""What a store knows of itself: its suites and their ranked rows, read without suite files, data sets or torch."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.contest import contest_from_json
from bench.entrants import beside
from bench.errors import BenchError
from bench.leaderboard import Row, collect, mend_of, rank
from bench.scored import Scored, read, statistic
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
    damaged: list[tuple[Cell, str]] = field(default_factory=list)
    """Cells that are known, whose result or failure cannot be read: each with its problem."""
    waiting: int = 0
    """Cells that have not begun: while a suite runs, the store knows no more of them than that they are to come."""

    def rows(self, store: Store) -> list[Row]:
        """The rows of all cells that are known, unranked; what is damaged counts in its row as failed."""
        return collect([*self.cells, *(cell for cell, _ in self.damaged)], store, self.broken)

    @property
    def broken(self) -> dict[str, str]:
        """The problem of each damaged cell, by its id."""
        return {cell.id: problem for cell, problem in self.damaged}


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
    found = read_cells(store, suite, note["cells"])
    try:
        found.cells.extend(beside([contest_from_json(each) for each in note.get("contests", [])], store))
    except (BenchError, KeyError, TypeError, ValueError) as error:
        found.problems.append(f"{store.root / 'external'}: external models cannot be shown: {str(error).splitlines()[0]}")
    if found.waiting:
        found.problems.append(f"{found.waiting} of {len(note['cells'])} cells, which have not begun; `bench run` takes them up")
    return found


def read_cells(store: Store, suite: str, ids: Iterable[str]) -> Stored:
    """Some cells of a suite, by their ids."""
    cells: list[Cell] = []
    problems: list[str] = []
    damaged: list[tuple[Cell, str]] = []
    waiting = 0
    for cell_id in ids:
        cell = None
        try:
            if not store.folder(cell_id).exists():
                waiting += 1
                continue
            for name in _RECORDS:
                inside(store, cell_id, name)
            cell = store.cell(cell_id)
            store.result(cell_id)
            store.failure(cell_id)
        except BenchError as error:
            problems.append(str(error))
            damaged += [(cell, str(error))] if cell else []
        else:
            cells.append(cell)
    return Stored(suite, cells, problems, damaged, waiting)


def inside(store: Store, cell_id: str, name: str = "cell.json") -> Path:
    """A file of a cell; raises BenchError when the way there, links followed, leaves the store's cells."""
    path = store.folder(cell_id) / name
    # Only a link leads away, as neither an id nor a name holds a slash; following every path would take most of the reading.
    if (path.is_symlink() or path.parent.is_symlink()) and not path.resolve().is_relative_to((store.root / "cells").resolve()):
        raise BenchError(f"{path}: leads out of the store, so it is not read. Remove the link.")
    return path


def ranked(store: Store, suite: str, metric: str = "miou", convention: str = "fcn") -> tuple[list[Row], list[str]]:
    """Ranked rows of a suite, and a sentence for every cell that cannot be read.

    Such a cell counts in its row as one that failed, "damaged". Raises BenchError for a suite the store does not know.
    """
    found = read_suite(store, suite)
    rows = found.rows(store)
    try:
        return rank(rows, store, metric=metric, convention=convention), found.problems
    except BenchError:
        # Rarely: sums that cannot be read. Only now is every file of them opened on its own to tell which.
        worse = _damage(rows, store, metric)
    rows = collect([cell for row in rows for cell in row.cells], store, {**found.broken, **worse})
    return rank(rows, store, metric=metric, convention=convention), [*found.problems, *worse.values()]


def _damage(rows: list[Row], store: Store, metric: str) -> dict[str, str]:
    """What is wrong with the sums of each cell with damaged ones: by themselves, or beside those of the row's other seeds."""
    problems: dict[str, str] = {}
    for row in rows:
        scored = {}
        for result in row.results:
            try:
                scored[result.cell_id] = read(store, result.cell_id, mend_of(row), result)
                statistic(metric).sums(scored[result.cell_id])
            except BenchError as error:
                problems[result.cell_id] = str(error)
        kept = {cell_id: each for cell_id, each in scored.items() if cell_id not in problems}
        problems |= other_images(kept, mend_of(row))
    return problems


def other_images(seeds: dict[str, Scored], mend: str) -> dict[str, str]:
    """The seeds of a row that were scored on other images or labels than most of them, each with a sentence."""
    truths = Counter(each.truth for each in seeds.values())
    if len(truths) < 2:
        return {}
    usual = truths.most_common(1)[0][0]
    most = next(each for each in seeds.values() if each.truth == usual)
    return {
        cell_id: f"{each.path}: has the sums of {len(each.ids)} images, and other seeds of its row those of {len(most.ids)}, or of "
        f"other labels: they cannot be paired. {mend}"
        for cell_id, each in seeds.items()
        if each.truth != usual
    }


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

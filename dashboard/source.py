"""What the pages show: the suites noted in a store, and their ranked rows. Streamlit-free, so that it can be tested plainly."""

from pathlib import Path

from bench.cell import Cell
from bench.contest import contest_from_json
from bench.entrants import beside
from bench.errors import BenchError
from bench.leaderboard import Row, collect, rank
from bench.store import Store


def suites(store: Store) -> list[str]:
    """Names of the suites that ran into a store, the newest first."""
    notes = sorted((store.root / "suites").glob("*.json"), key=lambda path: -path.stat().st_mtime)
    return [path.stem for path in notes]


def load_rows(store: Store, suite: str, metric: str) -> tuple[list[Row], list[str]]:
    """Ranked rows of a suite, and a sentence for every cell that could not be read."""
    note = store.suite(suite)
    if note is None:
        raise BenchError(f"{store.root} knows no suite {suite!r}")
    cells: list[Cell] = []
    problems = []
    for cell_id in note["cells"]:
        try:
            cells.append(_cell(store, str(cell_id)))
            store.result(cell_id)
            store.failure(cell_id)
        except BenchError as error:
            cells = [cell for cell in cells if cell.id != cell_id]
            problems.append(str(error))
    for cell in beside([contest_from_json(each) for each in note.get("contests", [])], store):
        try:
            store.result(cell.id)
            cells.append(cell)
        except BenchError as error:
            problems.append(str(error))
    return rank(collect(cells, store), store, metric=metric), problems


def _cell(store: Store, cell_id: str) -> Cell:
    path = store.folder(cell_id) / "cell.json"
    if path.resolve().parent.parent != (store.root / "cells").resolve():
        raise BenchError(f"{cell_id!r} is no id of a cell")
    return store.cell(cell_id)


def stamp(store: Store, suite: str) -> int:
    """A number that changes when anything about a suite's results does: the newest change of its cells or the external models."""
    note = store.suite(suite) or {}
    folders = [store.root / "external", *(store.folder(str(cell_id)) for cell_id in note.get("cells", []))]
    return max((folder.stat().st_mtime_ns for folder in folders if folder.is_dir()), default=0)


def location() -> Store:
    """The store the dashboard was opened on."""
    import os

    return Store(Path(os.environ.get("BENCH_STORE", "runs")))

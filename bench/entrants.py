"""The external models entered into a store, and which of them belong beside a suite's cells.

``<root>/external/`` holds one small file a name and contest, which says which cell bears the name. It is written whole, so the last
to enter a name holds it; a cell that lost its name keeps its folder. Removing a file withdraws the model from every table.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.cell import Cell, digest
from bench.contest import Contest
from bench.errors import BenchError
from bench.store import Store, read_json, write_json


def enter(store: Store, name: str, contest: Contest, cell: Cell) -> str | None:
    """Give a name in a contest to a scored cell; returns the id of the other cell that bore it until now, or None."""
    folder = store.root / "external"
    folder.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    path = folder / f"{plain}-{digest([name, contest.terms])[:8]}.json"
    try:
        before = str(_entry(path)["cell"]) if path.exists() else None
    except BenchError:  # damaged, and written anew
        before = None
    write_json(path, {"name": name, "terms": contest.terms, "cell": cell.id})
    return before if before != cell.id else None


def beside(contests: Iterable[Contest], store: Store) -> list[Cell]:
    """The external models of these contests, by name, as the suite sees them: with its name of the data set, and on its axes.

    A name whose cell's folder was removed is left out. Raises BenchError for a file that cannot be read.
    """
    found = []
    entered = _entries(store)
    for contest in contests:
        axes = tuple((path, None) for path in contest.axes)
        for each in entered:
            if each["terms"] == contest.terms and store.state(each["cell"]) == "finished":
                cell = store.cell(each["cell"])
                found.append(replace(cell, model_label=each["name"], dataset_label=contest.label, axes=axes))
    return found


def under_other_rules(contests: Iterable[Contest], store: Store) -> list[str]:
    """The names of external models that were scored on labels of these contests, but by other rules of scoring."""
    known = list(contests)
    terms = {contest.terms for contest in known}
    scored = {(contest.truth, contest.dataset.resize) for contest in known}
    found = []
    for each in _entries(store):
        if each["terms"] not in terms and store.state(each["cell"]) == "finished":
            cell = store.cell(each["cell"])
            (truth,) = (cell.fingerprints or {"": ""}).values()
            if (truth, cell.dataset.resize) in scored:
                found.append(each["name"])
    return found


def _entries(store: Store) -> list[dict[str, str]]:
    return [_entry(path) for path in sorted((store.root / "external").glob("*.json"))]


def _entry(path: Path) -> dict[str, str]:
    """One model's name, the terms of its contest and its cell; raises BenchError for a file that is none."""
    mend = "Remove this file, and score the model again to enter it: bench score"
    data = read_json(path, mend)
    if not (isinstance(data, dict) and all(isinstance(data.get(key), str) for key in ("name", "terms", "cell"))):
        raise BenchError(f"{path}: says no external model's name, terms and cell. {mend}")
    return data

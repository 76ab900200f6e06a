"""The external models entered into a store, and which of them belong beside a suite's cells.

``<root>/external/`` holds one small file a name and contest, which says which cell bears the name. It is written whole, so the last
to enter a name holds it; a cell that lost its name keeps its folder. Removing a file withdraws the model from every table.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from bench.cell import Cell, digest
from bench.contest import Contest
from bench.store import Store, read_json, write_json


def enter(store: Store, name: str, contest: Contest, cell: Cell) -> str | None:
    """Give a name in a contest to a scored cell; returns the id of the other cell that bore it until now, or None."""
    folder = store.root / "external"
    folder.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    path = folder / f"{plain}-{digest([name, contest.terms])[:8]}.json"
    before = str(read_json(path)["cell"]) if path.exists() else None
    write_json(path, {"name": name, "terms": contest.terms, "cell": cell.id})
    return before if before != cell.id else None


def beside(contests: Iterable[Contest], store: Store) -> list[Cell]:
    """The external models of these contests, by name, as the suite sees them: with its name of the data set, and on its axes.

    A name whose cell's folder was removed is left out. Raises BenchError for a file that cannot be read.
    """
    found = []
    entered = [read_json(path) for path in sorted((store.root / "external").glob("*.json"))]
    for contest in contests:
        axes = tuple((path, None) for path in contest.axes)
        for each in entered:
            if each["terms"] == contest.terms and store.state(each["cell"]) == "finished":
                cell = store.cell(each["cell"])
                found.append(replace(cell, model_label=each["name"], dataset_label=contest.label, axes=axes))
    return found

"""A hash of everything the numbers of a table are made of, so that a printed table names its results."""

import hashlib
from typing import Any

from bench.cell import digest
from bench.leaderboard import Row
from bench.store import Store

DIGITS = 12
RECORDS = ("result.json", "failed.json", "per_image.npz")
"""The files of a cell that a table is made of."""


def provenance(rows: list[Row], store: Store, options: dict[str, Any]) -> str:
    """The first digits of a SHA-256 over the ids and files of all cells of the rows, and the options of the table.

    The same files and options give the same hash on any machine; a cell without a result counts as such.
    """
    cells = {cell.id: _files(store, cell.id) for row in rows for cell in row.cells}
    expected = [[each.expectation.model_dump(mode="json") for each in row.published.values()] for row in rows]
    return digest({"cells": cells, "options": options, "expected": expected})[:DIGITS]


def _files(store: Store, cell_id: str) -> dict[str, str]:
    found = {}
    for name in RECORDS:
        path = store.folder(cell_id) / name
        if path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found

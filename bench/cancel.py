"""Asking the drivers of a store to stop, on whatever machine they run: a small file that each looks for while it works.

``<root>/cancel/<name>.json`` is the newest request for a cell, a suite or everything. A driver notes at its start which requests
are there and heeds those written later, so that an old request stops no new run, and no clock has a say.
"""

import os
import socket
import time
from datetime import UTC, datetime
from uuid import uuid4

from bench.store import Store, write_json

LOOK_S = 1.0
"""Time between two looks of a driver."""


def ask_cell(store: Store, cell_id: str) -> None:
    """Ask whoever runs a cell to save and end it, and its driver to go on with others."""
    _ask(store, f"cell-{cell_id}")


def ask_suite(store: Store, name: str | None) -> None:
    """Ask all drivers of a suite, or of every suite with None, to save their running cells and end."""
    _ask(store, "everything" if name is None else f"suite-{name}")


class Requests:
    """The requests that come in from now on; a driver makes one at its start and asks it again and again."""

    def __init__(self, store: Store) -> None:
        self.folder = store.root / "cancel"
        self.before = self.now = self._look()
        self.looked = time.monotonic()

    def cell(self, cell_id: str) -> bool:
        """Whether this cell is to be saved and ended."""
        return self._new(f"cell-{cell_id}")

    def suite(self, name: str) -> bool:
        """Whether the drivers of this suite are to end."""
        return self._new(f"suite-{name}") or self._new("everything")

    def _new(self, name: str) -> bool:
        if time.monotonic() - self.looked > LOOK_S:
            self.now, self.looked = self._look(), time.monotonic()
        return name in self.now and self.now[name] != self.before.get(name)

    def _look(self) -> dict[str, tuple[int, int]]:
        """Time and place on the disk of each request: a newer one is another file."""
        try:
            with os.scandir(self.folder) as files:
                found = [(file.name, file.stat()) for file in files if file.name.endswith(".json")]
        except OSError:
            return {}  # none yet, or a file system that is away for a moment
        return {name.removesuffix(".json"): (status.st_mtime_ns, status.st_ino) for name, status in found}


def _ask(store: Store, name: str) -> None:
    folder = store.root / "cancel"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / f"{name}.json", {"request": uuid4().hex, "host": socket.gethostname(), "asked": now})

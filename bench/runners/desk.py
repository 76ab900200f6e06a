"""Beside the driver of a cluster: it takes what cells say, tells them whether to stop, and stands in for a store they do not see.

A `Desk` runs in a process of its own on the driver's machine. A cell on a machine that does not see the store has its claim held
here, borrows its files from here, and sends back what it has saved.
"""

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from bench.claims import hold
from bench.job import Job
from bench.runners.parcel import Files, Parcel, lend, unpack
from bench.store import Store, clear_torn

Said = list[dict[str, Any]]


class Desk:
    """One conversation a cell. Each start of a cell is an attempt with a number; what is no longer the latest is told to end."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.said: dict[int, Said] = {}
        self.wishes: dict[int, int] = {}
        self.held: dict[int, ExitStack] = {}

    def say(self, attempt: int, lines: Said) -> int:
        """Take in what a cell has to tell; returns what it should do: 0 go on, 1 save and end, 2 end at once."""
        self.said.setdefault(attempt, []).extend(lines)
        return self.wishes.get(attempt, 0)

    def take(self) -> dict[int, Said]:
        """What was said since the last call, by attempt."""
        said, self.said = self.said, {}
        return said

    def wish(self, attempt: int, wish: int) -> None:
        """Have a cell save and end (1), or end at once (2)."""
        self.wishes[attempt] = max(wish, self.wishes.get(attempt, 0))

    def borrow(self, attempt: int, job: Job) -> tuple[str, dict[str, Files]]:
        """Claim a cell for a machine that cannot, and hand over what it goes on from.

        "mine" comes with files; "busy", "finished" and "failed" say that there is nothing to do, "storage" that there cannot be.
        """
        try:
            return self._borrow(attempt, job)
        except OSError:
            return "storage", {}

    def _borrow(self, attempt: int, job: Job) -> tuple[str, dict[str, Files]]:
        cell_id, stack = job.cell.id, ExitStack()
        lost = lambda: self.wish(attempt, 2)  # noqa: E731
        if not stack.enter_context(hold(self.store.claims, cell_id, dead=job.dead_claim, lost=lost)):
            return "busy", {}
        failure = self.store.folder(cell_id) / "failed.json"
        state = "finished" if self.store.state(cell_id) == "finished" else "mine"
        if state == "mine" and failure.exists() and failure.stat().st_mtime_ns != job.failure_seen:
            state = "failed"
        if state != "mine":
            stack.close()
            return state, {}
        self.held[attempt] = stack
        folder = self.store.open_cell(job.cell)
        clear_torn(folder)
        failure.unlink(missing_ok=True)
        return state, lend(self.store, job.cell)

    def receive(self, attempt: int, cell_id: str, parcel: Parcel) -> str:
        """Put what a cell has saved into its folder; returns why that was not possible, if it was not."""
        if attempt not in self.held or self.wishes.get(attempt) == 2:
            return ""  # another has taken over
        try:
            unpack(parcel, self.store.folder(cell_id))
        except OSError as error:
            return str(error.strerror or error)
        return ""

    def close(self, attempt: int) -> None:
        """Give a cell's claim back: its attempt has ended, or its machine is lost."""
        self.wishes[attempt] = 2
        if attempt in self.held:
            with suppress(OSError):
                self.held.pop(attempt).close()

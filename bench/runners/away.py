"""What a task on a node of a cluster does: it starts the cell's process, passes on what that says, and heeds what it is told.

Where the node does not see the store the cell works in a scratch folder. It begins with what the driver lends, and each checkpoint
goes back to the driver, so that the loss of the node costs the work since the last one that has arrived. ``desk`` is the handle of
a `bench.runners.desk.Desk`; its answers are awaited as futures, since a task that waits for Ray would lend its place to another.
"""

import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np

from bench.job import Job
from bench.runners.desk import Said
from bench.runners.parcel import Packer
from bench.store import Store, write_whole

BEAT_S = 0.5
"""Time after which a cell that has nothing to say asks whether it should stop."""
PIECE_BYTES = 256 * 2**20
"""Caches travel in pieces, so that none of them needs the memory of the whole."""
Ended = tuple[str, dict[str, Any], Said]
"""How a cell ended, as `CellProcess.outcome` has it or "away" where it could not begin, and what of its words is still untold."""
Pieces = dict[Path, dict[str, list[Any]]]
"""Cache folder of the driver -> file -> references to its pieces."""


def work(job: Job, attempt: int, desk: Any, nonce: str, pieces: Pieces | None, process: Callable[[Job], Any]) -> Ended:
    """Run a job to its end on this node, in the store if the node sees the one that has the ``nonce``."""
    proof = job.store / f".seen-{nonce}"
    if proof.exists() and proof.read_text(encoding="utf-8") == nonce:
        return _Talk(desk, attempt).watch(process(job))
    if pieces is None:
        return "away", {}, []
    return _borrowed(job, attempt, desk, nonce, pieces, process)


def _borrowed(job: Job, attempt: int, desk: Any, nonce: str, pieces: Pieces, process: Callable[[Job], Any]) -> Ended:
    state, lent = desk.borrow.remote(attempt, job).future().result()
    if state != "mine":
        return state, {}, []
    scratch = _scratch(nonce)
    store = Store(scratch / str(attempt))
    try:
        for cell_id, files in lent.items():
            store.folder(cell_id).mkdir(parents=True)
            for name, content in files.items():
                write_whole(store.folder(cell_id) / name, content.data)
        caches = {split: _fetch(folder, pieces[folder], scratch / "cache") for split, folder in job.caches.items()}
        talk = _Talk(desk, attempt, Packer(store.folder(job.cell.id)), job.cell.id)
        kind, details, said = talk.watch(process(replace(job, store=store.root, caches=caches, failure_seen=None, dead_claim="")))
        reason = talk.hand_over()
        return ("storage", {"reason": reason}, said) if reason else (kind, details, said)
    except OSError as error:
        return "storage", {"reason": f"{socket.gethostname()}: {error.strerror or error}"}, []
    finally:
        shutil.rmtree(store.root, ignore_errors=True)


class _Talk:
    """One attempt at a cell, between its process and the desk."""

    def __init__(self, desk: Any, attempt: int, packer: Packer | None = None, cell_id: str = "") -> None:
        self.desk, self.attempt, self.packer, self.cell_id = desk, attempt, packer, cell_id
        self.told, self.asked, self.sending, self.refused = 0, 0.0, None, ""
        self.answer: Any = None
        if packer:
            packer.known()

    def watch(self, each: Any) -> Ended:
        """Pass words to and fro until the process has ended."""
        # How Ray cancels a task. In the middle of a step, Ctrl-C would tear this loop instead.
        before = signal.signal(signal.SIGINT, lambda *_: self._heed(each, 1))
        said: Said = [{"began": {"device": f"{each.job.device} of {socket.gethostname()}", "pid": each.pid}}]
        try:
            while True:
                ended = each.ended()
                said += each.messages()
                if ended:
                    return *each.outcome(), said
                if self._speak(each, said):
                    said = []
                self._ship(each)
                wait(each.waitable, timeout=BEAT_S)
        finally:
            signal.signal(signal.SIGINT, before)

    def _speak(self, each: Any, said: Said) -> bool:
        """Tell what there is to tell, and heed the answer to what was told before; whether it was taken."""
        if self.answer is not None:
            if not self.answer.done():
                return False
            # The desk is gone with its driver: there is nobody to work for.
            self._heed(each, 1 if self.answer.exception() else self.answer.result())
            self.answer = None
        if not said and time.monotonic() - self.asked < BEAT_S:
            return False
        self.asked, self.answer = time.monotonic(), self.desk.say.remote(self.attempt, said).future()
        return True

    def _heed(self, each: Any, wish: int) -> None:
        if wish > self.told:
            self.told = wish
            each.stop(at_once=wish > 1)

    def _ship(self, each: Any) -> None:
        """Send the newest checkpoint, if there is one and the last is there."""
        if self.packer is None or (self.sending is not None and not self.sending.done()):
            return
        if self.sending is not None:
            self.refused = self.refused or ("the driver is gone" if self.sending.exception() else self.sending.result())
            self.sending = None
        if self.refused:
            self._heed(each, 1)
        elif self.packer.saved() and (parcel := self.packer.pack()):
            self.sending = self.desk.receive.remote(self.attempt, self.cell_id, parcel).future()

    def hand_over(self) -> str:
        """Send what the cell has left in the end; returns why that was not possible, if it was not."""
        assert self.packer is not None
        if self.sending is not None:
            self.sending.result()
        parcel = self.packer.pack()
        assert parcel is not None, "nobody writes there any more"
        return str(self.desk.receive.remote(self.attempt, self.cell_id, parcel).future().result())


def pieces(file: Path) -> Iterator[np.ndarray]:
    """The bytes of a file, in arrays of `PIECE_BYTES` at most."""
    size = file.stat().st_size
    for begin in range(0, max(size, 1), PIECE_BYTES):
        yield np.fromfile(file, dtype=np.uint8, offset=begin, count=PIECE_BYTES)


def _fetch(folder: Path, files: dict[str, list[Any]], root: Path) -> Path:
    """The copy of a cache on this node; the first who needs it brings it here."""
    root.mkdir(parents=True, exist_ok=True)
    place, beside = root / folder.name, root / f"{folder.name}.tmp"
    with (root / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            for name, refs in files.items():
                with (beside / name).open("wb") as file:
                    for ref in refs:
                        file.write(ref.future().result().data)
            beside.replace(place)
    return place


def _scratch(nonce: str) -> Path:
    return Path(tempfile.gettempdir()) / f"stridebench-{nonce}"


def remove(nonce: str) -> None:
    """Remove what a run has left on this node."""
    shutil.rmtree(_scratch(nonce), ignore_errors=True)


def settle(folder: str) -> None:
    """Make this process one that cells can be started from: in the driver's folder, if it is there, and without a main module."""
    vars(sys.modules["__main__"]).pop("__file__", None)  # which every cell would run again: it is the scheduler's, not ours
    if Path(folder).is_dir():
        os.chdir(folder)

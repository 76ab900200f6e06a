"""Who runs which cell: lock files that several drivers share, on one machine or over a shared file system.

``claims/<cell id>.<number>`` is created exclusively, and of several the highest number is the claim. Its owner rewrites it every
`BEAT_S` seconds. An owner on this machine is dead when its process is. One elsewhere is dead when a watcher has seen no change for
`LEASE_S` seconds of its own clock, so that clocks which differ or jump decide nothing. Who finds an owner dead creates the
next number; an owner that was only suspended finds that number at its next beat, and ends without a word.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

BEAT_S, LEASE_S = 10.0, 60.0


@dataclass(frozen=True)
class Claim:
    """A claim as it was read: its owner's words, and whether the owner is dead."""

    text: str
    dead: bool

    @property
    def owner(self) -> str:
        """Host and process of the owner, for people."""
        said = _parsed(self.text)
        return f"{said['host']}, process {said['pid']}, since {said['started']}" if said else "another process"


class Watch:
    """The claims of a store, looked at again and again by one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[str, float]] = {}

    def look(self) -> dict[str, Claim]:
        """All claims by cell id."""
        now, found, seen = time.monotonic(), {}, {}
        for cell_id, number in _highest(self.folder).items():
            name = f"{cell_id}.{number}"
            text = _read(self.folder / name)
            if text is None:
                continue  # given back in this moment
            before, since = self._seen.get(name, (text, now))
            seen[name] = (text, since if before == text else now)
            found[cell_id] = Claim(text, _ended(text) or now - seen[name][1] > LEASE_S)
        self._seen = seen
        return found

    def sweep(self, finished: Callable[[str], bool]) -> None:
        """Remove what dead owners left of cells that are finished."""
        for cell_id, claim in self.look().items():
            if claim.dead and finished(cell_id):
                for number in _numbers(self.folder, cell_id):
                    (self.folder / f"{cell_id}.{number}").unlink(missing_ok=True)


@contextmanager
def hold(folder: Path, cell_id: str, *, dead: str = "", lost: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold a cell against all other processes; yields False when another holds it.

    ``dead`` is the text of a claim whose owner on another machine the caller has watched die. ``lost()`` is called, from a
    thread, when this process was thought dead and another took over.
    """
    words = {**_here(), "pid": os.getpid(), "born": _born(os.getpid()), "started": datetime.now(UTC).isoformat(timespec="seconds")}
    number = _take(folder, cell_id, dead, words)
    if number is None:
        yield False
        return
    path, done = folder / f"{cell_id}.{number}", threading.Event()
    with path.open("r+b", buffering=0) as file:
        beating = (path, file.fileno(), cell_id, words, done, lost)
        thread = threading.Thread(target=_beat, args=beating, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield True
        finally:
            done.set()
            thread.join()
            if _mine(path, file.fileno(), cell_id):
                for each in _numbers(folder, cell_id):  # lower ones first: there is never a moment without the highest
                    (folder / f"{cell_id}.{each}").unlink(missing_ok=True)


def _take(folder: Path, cell_id: str, dead: str, words: dict[str, Any]) -> int | None:
    """Create the next claim of a cell unless a living owner holds it; its number."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _numbers(folder, cell_id)
    text = _read(folder / f"{cell_id}.{before[-1]}") if before else None
    if text is not None and not (_ended(text) or (dead and text == dead)):
        return None
    number = (before[-1] if before else 0) + 1
    path = folder / f"{cell_id}.{number}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "wb") as file:
        file.write(_text(words, 0))
    # Others may have taken, ended and given back since the first look.
    if _numbers(folder, cell_id) != [*before, number]:
        path.unlink(missing_ok=True)
        return None
    return number


def _beat(
    path: Path, descriptor: int, cell_id: str, words: dict[str, Any], done: threading.Event, lost: Callable[[], None]
) -> None:
    beats = 0
    while not done.wait(BEAT_S):
        beats += 1
        with suppress(OSError):  # a full disk or a server that is away: the next beat tries again
            if not _mine(path, descriptor, cell_id):
                lost()
                return
            # Through the descriptor, never the name: a claim that was taken away is not written over.
            os.pwrite(descriptor, _text(words, beats), 0)
            os.fsync(descriptor)


def _mine(path: Path, descriptor: int, cell_id: str) -> bool:
    """Whether the file is still in its place and no higher number is there."""
    try:
        there = path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
    return there and _numbers(path.parent, cell_id)[-1:] == [int(path.suffix[1:])]


def _text(words: dict[str, Any], beats: int) -> bytes:
    # Beats come last and only grow, so that a rewrite in place never leaves the end of a longer text behind.
    return json.dumps({**words, "beats": beats}).encode()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _parsed(text: str) -> dict[str, Any] | None:
    """What a claim says; None for one that is being written."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) and {"host", "boot", "pids", "pid", "born", "started"} <= said.keys() else None


def _ended(text: str) -> bool:
    """Whether the owner was a process of this machine, and is none any more."""
    said = _parsed(text)
    if said is None or {key: said[key] for key in _here()} != _here():
        return False
    return _born(said["pid"]) != said["born"]


@cache
def _here() -> dict[str, str]:
    """What must agree before a process number means the same process: machine, start of the machine, and process namespace."""
    boot, pids = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return {"host": socket.gethostname(), "boot": boot.read_text().strip(), "pids": str(pids.readlink())}
    except OSError:
        return {"host": socket.gethostname(), "boot": "", "pids": ""}


def _born(pid: int) -> int | None:
    """When a living process began, in the kernel's ticks; None for one that is not there, or is dead and not yet reaped."""
    if not Path("/proc/self/stat").exists():  # another kernel: alive is all that can be known
        return 0 if _answers(pid) else None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _numbers(folder: Path, cell_id: str) -> list[int]:
    """The numbers of a cell's claims, ascending."""
    names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208  names alone
    return sorted(int(end) for name in names for start, _, end in [name.rpartition(".")] if start == cell_id and end.isdigit())


def _highest(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in os.listdir(folder) if folder.is_dir() else []:  # noqa: PTH208
        cell_id, _, end = name.rpartition(".")
        if cell_id and end.isdigit():
            found[cell_id] = max(int(end), found.get(cell_id, 0))
    return found

"""The process of a cell as its runner sees it: forked from a server, listened to, and read when it has ended.

The fork server has imported torch and never touches CUDA, so a fresh process a cell costs milliseconds. Whatever ends such a
process, or the server itself, ends nothing else.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from bench.cell import Cell
from bench.data import entry_of
from bench.errors import BenchError
from bench.job import BUSY, DONE, FAILED, STOPPED, STORAGE, TIMED_OUT, Job
from bench.models import MODELS
from bench.store import Failure, Store, write_json

LOST = 255
"""The code of a process whose end nobody saw, since the fork server is gone."""
PRELOAD = ("__main__", "bench.runners.child")
"""What the fork server imports before it forks; `preflight` adds the modules that build a suite's models."""
GRACE_S = 5.0
"""Wall time beyond its limit after which a process that could not end itself is killed."""


class CellProcess:
    """A running cell: `messages` while it works, `outcome` once it has `ended`."""

    def __init__(self, job: Job) -> None:
        """Start the process; a fork server that was killed in this moment is started anew."""
        self.job, self.said, self.stopped = job, dict[str, Any](), False
        self.process, self.pipe = _start(_main, job)
        self.began = time.monotonic()  # a fork server that has to import torch first is not the cell's time
        self.pid: int = self.process.pid

    @property
    def waitable(self) -> list[Any]:
        """What becomes ready when there is something to read, or an end."""
        return [] if self._lost() else [self.pipe, self.process.sentinel]

    def messages(self) -> list[dict[str, Any]]:
        """What it has said since the last call."""
        said = []
        try:
            while self.pipe.poll():
                said.append(self.pipe.recv())
                self.said |= said[-1]
        except (EOFError, OSError):
            pass
        return said

    def ended(self) -> bool:
        """Whether it is no more. A process that is long past its time is killed here."""
        limit = self.job.timeout_s
        if limit is not None and time.monotonic() - self.began > limit + GRACE_S:
            self._send(signal.SIGKILL)
        if self.process.exitcode is None:
            return False
        return not (self._lost() and _alive(self.pid))

    def stop(self, *, at_once: bool = False) -> None:
        """Have it save and end, or end without saving."""
        self.stopped = True
        self._send(signal.SIGKILL if at_once else signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def outcome(self) -> tuple[str, dict[str, Any]]:
        """How it ended: "finished", "failed" (its failure is written if it could not), "busy", "stopped", "storage" or "lost".

        "lost" is a cell whose process ended with the fork server, and which has saved where it is.
        """
        self.pipe.close()
        code, store, cell_id = self.process.exitcode, Store(self.job.store), self.job.cell.id
        if code == LOST:
            code = DONE if store.state(cell_id) == "finished" else LOST
        if self.stopped and code in (-signal.SIGTERM, -signal.SIGKILL):  # before it could listen, or at once
            code = STOPPED
        kinds = {DONE: "finished", BUSY: "busy", STOPPED: "stopped", STORAGE: "storage", LOST: "lost"}
        if code in kinds:
            return kinds[code], {"reason": self.said["storage"]} if code == STORAGE and "storage" in self.said else {}
        failure = store.failure(cell_id) if code == FAILED else None
        if failure is None:
            failure = record(self.job, store, *self._crash(code))
        return "failed", {"cause": failure.cause, "message": failure.message}

    def _lost(self) -> bool:
        return bool(self.process.exitcode == LOST)

    def _crash(self, code: int) -> tuple[str, str]:
        """Cause and message of a process that ended without a word of its own."""
        limit = self.job.timeout_s
        if limit is not None and time.monotonic() - self.began >= limit and code in (TIMED_OUT, -signal.SIGKILL):
            stage = f" of stage {self.said['stage']!r}" if "stage" in self.said else ""
            return "timeout", f"no end{stage} after {limit:g} s (--timeout); the log has where it was"
        if code >= 0:
            return "crashed", f"its process ended with code {code}"
        name = signal.Signals(-code).name
        hint = " (the kernel ends processes so when memory runs out)" if name == "SIGKILL" else ""
        return "crashed", f"its process was ended by {name}{hint}"


@dataclass(frozen=True)
class Machine:
    """What this machine has, and what the models of a suite take on it."""

    devices: dict[str, str]
    """Device -> name of its kind, GPUs first, "cpu" last."""
    flops: dict[str, float]
    """Model as JSON -> operations a pixel."""

    @property
    def usual(self) -> list[str]:
        """The devices that are used unless others are named: all GPUs, or the CPU."""
        return [each for each in self.devices if each != "cpu"] or ["cpu"]


def preflight(jobs: list[Job], place: Callable[[str], str]) -> Machine:
    """Look at this machine and build the models; raises BenchError, at the ``file:line`` that ``place`` has for its label, for one
    that cannot be built, or trained as its suite says.
    """
    distinct = {_kind(job.cell): job for job in jobs}
    preload(job.cell for job in distinct.values())
    answer, code = _asked(_preflight, list(distinct.values()))
    if answer is None:
        raise BenchError(f"the models could not be checked: the process ended with code {code}")
    if answer["problems"]:
        raise BenchError("\n".join(f"{place(label)}: models.{label}: {text}" for label, text in answer["problems"]))
    return Machine(answer["devices"], answer["flops"])


def preload(cells: Iterable[Cell]) -> None:
    """Have the fork server import what builds the models of these cells; it heeds that until it has forked for the first time."""
    builders = {MODELS[cell.model.name].build.partition(":")[0] for cell in cells if cell.model.name in MODELS}
    _context().set_forkserver_preload([*PRELOAD, *sorted(builders)])  # never a plug-in: code of others runs in a cell alone


def _kind(cell: Cell) -> tuple[Any, ...]:
    """What the check of a cell's model depends on."""
    start = cell.start and cell.start.model.model_dump_json()
    size = cell.dataset.resize or getattr(cell.dataset, "size", None)
    return cell.model.model_dump_json(), entry_of(cell.dataset).num_classes, cell.recipe.model_dump_json(), start, size


def trial(job: Job) -> dict[str, Any]:
    """What a few steps of a cell cost on the job's device, as `bench.trial.trial` reports it, or why that is not known."""
    answer, code = _asked(_trial, job)
    return answer or {"error": f"its process ended with code {code}", "oom": code == -signal.SIGKILL}


def _asked(main: Any, argument: Any, tries: int = 3) -> tuple[dict[str, Any] | None, int]:
    """The one answer of a process, None if it ended without, and its code; asked again where the fork server was killed."""
    process, receiver = _start(main, argument)
    try:
        answer: dict[str, Any] | None = receiver.recv()
    except (EOFError, OSError):
        answer = None
    process.join()
    receiver.close()
    if answer is None and process.exitcode == LOST and tries > 1:
        return _asked(main, argument, tries - 1)
    return answer, process.exitcode


def _context() -> Any:
    """The fork server's context."""
    # Read when torch loads OpenMP. Threads that wait by spinning take the cores that other processes' threads are waiting for:
    # two cells on the same two cores would slow each other down tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return multiprocessing.get_context("forkserver")


def _start(main: Any, argument: Any, tries: int = 5) -> tuple[Any, Connection]:
    """A process that runs ``main(argument, pipe)``, and our end of the pipe."""
    context = _context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=main, args=(argument, sender), daemon=True)
    try:
        process.start()
    except (OSError, EOFError):  # the fork server was killed; the next try starts another
        receiver.close()
        if tries == 1:
            raise
        time.sleep(0.1)
        return _start(main, argument, tries - 1)
    finally:
        sender.close()
    return process, receiver


# Named here so that a driver can hand them to a process without importing torch itself.
def _main(job: Job, pipe: Connection) -> None:
    from bench.runners.child import main

    main(job, pipe)


def _preflight(jobs: list[Job], pipe: Connection) -> None:
    from bench.runners.child import preflight as check

    check(jobs, pipe)


def _trial(job: Job, pipe: Connection) -> None:
    from bench.runners.child import trial as measure

    measure(job, pipe)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def record(job: Job, store: Store, cause: str, message: str) -> Failure:
    """Write the failure of a process that could not, with the end of its log."""
    folder = store.open_cell(job.cell)
    log = folder / "log.txt"
    tail = log.read_text(encoding="utf-8", errors="replace")[-8000:] if log.exists() else ""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    failure = Failure(cell_id=job.cell.id, cause=cause, message=message, traceback=tail, finished=now)
    write_json(folder / "failed.json", failure.model_dump())
    return failure

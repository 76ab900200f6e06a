"""Runs jobs on this machine: one fresh process a cell from a fork server, one slot a device.

The driver imports no torch and holds no claim. It starts processes, listens, and writes the failure of a process that could
not write its own.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from typing import Any

from bench.errors import BenchError
from bench.job import Job
from bench.lineage import ancestors
from bench.plan import trained
from bench.store import Failure, Store, write_json

DONE, FAILED, BUSY, STOPPED = 0, 3, 4, 75
Event = Callable[[str, Job, dict[str, Any]], None]
"""Called as (kind, job, details); kinds are "start", "report", "finished", "failed", "stopped" and "busy"."""


@dataclass
class _Running:
    job: Job
    process: Any
    pipe: Connection
    device: str


def run(jobs: list[Job], *, devices: list[str], on_event: Event, stopping: Callable[[], int]) -> dict[str, str]:
    """Bring all jobs to an end; returns each cell id's outcome, by the kinds of `Event`.

    ``stopping()`` is 0, 1 (save and end) or 2 (end at once). A cell that another process holds is tried again at the end. One
    that starts from another cell waits until that is trained, and fails with its cause where it will not be.
    """
    context = server()
    waiting, outcome = deque(jobs), {}
    running: list[_Running] = []
    free = deque(devices)
    told = 0
    while waiting or running:
        told = _pass_on(stopping(), told, running)
        if told:
            waiting.clear()
        for orphan in orphans(waiting, [each.job for each in running]):
            waiting.remove(orphan)
            failure = _no_start(orphan)
            outcome[orphan.cell.id] = "failed"
            on_event("failed", orphan, {"cause": failure.cause, "message": failure.message})
        while free and (job := next((each for each in waiting if _can_start(each)), None)):
            waiting.remove(job)
            device = free.popleft()
            running.append(_start(context, replace(job, device=device)))
            on_event("start", running[-1].job, {"device": device, "pid": running[-1].process.pid})
        ready = set(wait([each.pipe for each in running] + [each.process.sentinel for each in running], timeout=0.2))
        for each in list(running):
            if each.pipe in ready:
                _drain(each, on_event)
            if each.process.sentinel in ready:
                _drain(each, on_event)
                running.remove(each)
                free.append(each.device)
                kind, details = _outcome(each)
                outcome[each.job.cell.id] = kind
                on_event(kind, each.job, details)
                if kind == "busy" and not told:
                    waiting.append(each.job)
                    time.sleep(0.0 if len(waiting) > 1 else 0.5)  # alone with cells others hold: look again, without haste
    return outcome


def server() -> Any:
    """The fork server's context. It has torch imported and CUDA untouched, so a cell starts in milliseconds."""
    # Read when torch loads OpenMP. Threads that wait by spinning take the cores that other processes' threads are waiting for:
    # two cells on the same two cores would slow each other down tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "bench.runners.child"])
    return context


def preflight(jobs: list[Job], place: Callable[[str], str]) -> list[str]:
    """The devices of this machine; raises BenchError, at the ``file:line`` that ``place`` has for its label, for a model that
    cannot be built or trained.
    """
    context = server()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_preflight, args=(jobs, sender), daemon=True)
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise BenchError(f"the models could not be checked: the process ended with code {process.exitcode}") from None
    process.join()
    if answer["problems"]:
        raise BenchError("\n".join(f"{place(label)}: models.{label}: {text}" for label, text in answer["problems"]))
    devices: list[str] = answer["devices"]
    return devices


def _can_start(job: Job) -> bool:
    return job.cell.start is None or trained(job.cell.start, Store(job.store))


def orphans(waiting: Iterable[Job], running: Iterable[Job]) -> list[Job]:
    """The jobs that wait for a cell which is neither trained nor about to be."""
    coming = {job.cell.train_id for job in (*waiting, *running)}
    return [job for job in waiting if not _can_start(job) and job.cell.start and job.cell.start.train_id not in coming]


def _no_start(job: Job) -> Failure:
    """Write the failure of a cell whose start has failed."""
    store, start = Store(job.store), job.cell.start
    assert start is not None
    failed = [(each, why) for each in ancestors(job.cell) if (why := store.failure(each.id))]
    root, why = failed[-1] if failed else (start, None)  # the farthest: those between have failed since it has
    message = f"it starts from {start.label}, which has not been trained"
    if why:
        message += f", since {root.label} failed: {why.message}" if root.id != start.id else f": it failed: {why.message}"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    failure = Failure(cell_id=job.cell.id, cause=why.cause if why else "input", message=message, finished=now)
    write_json(store.open_cell(job.cell) / "failed.json", failure.model_dump())
    return failure


def _start(context: Any, job: Job) -> _Running:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(job, sender), daemon=True)
    process.start()
    sender.close()
    return _Running(job, process, receiver, job.device)


# Named here so that the driver can hand them to a process without importing torch itself.
def _main(job: Job, pipe: Connection) -> None:
    from bench.runners.child import main

    main(job, pipe)


def _preflight(jobs: list[Job], pipe: Connection) -> None:
    from bench.runners.child import preflight as check

    check(jobs, pipe)


def _pass_on(wish: int, told: int, running: list[_Running]) -> int:
    """Tell the cells' processes once what the driver was told: to save and end, or to end."""
    if wish > told:
        for each in running:
            each.process.kill() if wish > 1 else each.process.terminate()
    return max(wish, told)


def _drain(each: _Running, on_event: Event) -> None:
    try:
        while each.pipe.poll():
            on_event("report", each.job, each.pipe.recv())
    except (EOFError, OSError):
        pass


def _outcome(each: _Running) -> tuple[str, dict[str, Any]]:
    each.process.join()
    each.pipe.close()
    code, store = each.process.exitcode, Store(each.job.store)
    if code == DONE:
        return "finished", {}
    if code == BUSY:
        return "busy", {}
    if code == STOPPED:
        return "stopped", {}
    failure = store.failure(each.job.cell.id) if code == FAILED else None
    if failure is None:
        failure = _crash(each.job, store, code)
    return "failed", {"cause": failure.cause, "message": failure.message}


def _crash(job: Job, store: Store, code: int) -> Failure:
    """Write the failure of a process that died without a word of its own."""
    folder = store.open_cell(job.cell)
    log = folder / "log.txt"
    tail = log.read_text(encoding="utf-8", errors="replace")[-8000:] if log.exists() else ""
    message = f"its process ended with code {code}"
    if code < 0:
        name = signal.Signals(-code).name
        message = f"its process was ended by {name}" + (
            " (the kernel ends processes so when memory runs out)" if name == "SIGKILL" else ""
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    failure = Failure(cell_id=job.cell.id, cause="crashed", message=message, traceback=tail, finished=now)
    write_json(folder / "failed.json", failure.model_dump())
    return failure

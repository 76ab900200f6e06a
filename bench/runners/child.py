"""The process of one cell: it holds the cell's claim, reports to the driver, and turns whatever happens into a file.

It is forked from a server that has imported torch, so it starts in milliseconds, and nothing that breaks it breaks another.
"""

import faulthandler
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError
from bench.experiment import environment, run_cell
from bench.job import Job
from bench.preflight import problems
from bench.store import Failure, Store, write_json
from bench.train import Diverged, Interrupted

DONE, FAILED, BUSY, STOPPED = 0, 3, 4, 75
"""Exit codes of the process, which the driver reads."""


@dataclass
class _Stop:
    """Whether the cell should save and end: it was told to, or the driver is gone."""

    asked: bool = False
    parent: int = 0

    def __call__(self) -> bool:
        return self.asked or os.getppid() != self.parent


def main(job: Job, pipe: Connection) -> None:
    """Run one cell and exit with one of the codes above."""
    stop = _Stop(parent=os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to everybody; the driver decides
    signal.signal(signal.SIGTERM, lambda *_: setattr(stop, "asked", True))
    store = Store(job.store)
    with store.claim(job.cell.id) as mine:
        if not mine:
            os._exit(BUSY)
        if store.state(job.cell.id) == "finished":
            os._exit(DONE)
        code = _run(job, store, pipe, stop)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no clean-up of torch, which can hang or crash and would change nothing


def _run(job: Job, store: Store, pipe: Connection, stop: _Stop) -> int:
    folder = store.open_cell(job.cell)
    _log_to(folder / "log.txt")
    last: dict[str, Any] = {}

    def report(line: dict[str, Any]) -> None:
        last.update(line)
        if "note" in line:
            print(line["note"], flush=True)
        try:
            pipe.send(line)
        except OSError:
            stop.asked = True  # nobody listens any more

    try:
        run_cell(job, report=report, should_stop=stop)
        return DONE
    except Interrupted:
        return STOPPED
    except BaseException as error:  # the one broad except: here every failure becomes a record
        traceback.print_exc()
        with suppress(OSError):
            _write_failure(job, store, error, last.get("step"))
        return FAILED


def _write_failure(job: Job, store: Store, error: BaseException, step: int | None) -> None:
    cause = cause_of(error)
    message = str(error) or type(error).__name__
    if cause == "oom" and job.device.startswith("cuda"):
        message += f" (peak {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB)"
    failure = Failure(
        cell_id=job.cell.id,
        cause=cause,
        message=message.strip().splitlines()[0][:500],
        step=step if step is not None else getattr(error, "step", None),
        traceback="".join(traceback.format_exception(error))[-8000:],
        environment=environment(torch.device(job.device)),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(store.folder(job.cell.id) / "failed.json", failure.model_dump())


def cause_of(error: BaseException) -> str:
    """The kind of a failure, for the table of results."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error):
        return "oom"
    if isinstance(error, Diverged):
        return "diverged"
    return "input" if isinstance(error, BenchError) else "error"


def _log_to(path: Path) -> None:
    """Send everything this process prints, and the last words of a crash, to the cell's log."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable(file=2)


def preflight(jobs: list[Job], pipe: Connection) -> None:
    """Find out what stands in the way of the cells' models, and say which devices there are."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]
    pipe.send({"problems": problems(job.cell for job in jobs), "devices": devices})
    os._exit(0)

"""The process of one cell: it holds the cell's claim, reports to its runner, and turns whatever happens into a file.

It is forked from a server that has imported torch, so it starts in milliseconds, and nothing that breaks it breaks another.
`bench.job` has what it and its runner say to each other.
"""

import faulthandler
import os
import select
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from bench.claims import hold
from bench.experiment import run_cell, to_share
from bench.job import BUSY, DONE, FAILED, STOPPED, STORAGE, Job
from bench.preflight import survey
from bench.profiler import device_name
from bench.runners.failure import cause_of, failure_of
from bench.runners.spread import RankDied, RankFailed, log_tail, spread
from bench.store import Store, clear_torn, is_full, write_json
from bench.train import Interrupted


@dataclass
class _Stop:
    """Whether the cell should save and end: it was told to, or its runner or the fork server is gone."""

    pipe: Connection
    asked: bool = False
    parent: int = field(default_factory=os.getppid)

    def __post_init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(self.pipe.fileno(), 0)  # an error, that nobody has the other end, is told unasked

    def __call__(self) -> bool:
        return self.asked or os.getppid() != self.parent or bool(self._poll.poll(0))


def main(job: Job, pipe: Connection) -> None:
    """Run one cell and exit with one of the codes of `bench.job`."""
    if job.visible_gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.visible_gpus  # before anything has looked for GPUs
    stop = _Stop(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to everybody; the driver decides
    for number in (signal.SIGTERM, signal.SIGUSR1):  # a scheduler may send either to every process of a job
        signal.signal(number, lambda *_: setattr(stop, "asked", True))
    try:
        code = _claimed(job, pipe, stop)
    except OSError as error:  # whatever else happens is caught further in
        if not is_full(error, job.store):
            raise
        _tell(pipe, {"storage": error.strerror})
        code = STORAGE
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # no clean-up of torch, which can hang or crash and would change nothing


def _claimed(job: Job, pipe: Connection, stop: _Stop) -> int:
    """The claim, and under it what is left to do; a process that others took for dead ends at once, before it writes again."""
    store = Store(job.store)
    with hold(store.claims, job.cell.id, dead=job.dead_claim, lost=lambda: os._exit(BUSY)) as mine:
        if not mine:
            return BUSY
        if store.state(job.cell.id) == "finished":
            return DONE
        failure = store.folder(job.cell.id) / "failed.json"
        if failure.exists() and failure.stat().st_mtime_ns != job.failure_seen:
            return FAILED  # another driver's, since this run was planned
        folder = store.open_cell(job.cell)
        clear_torn(folder)
        failure.unlink(missing_ok=True)
        return _run(job, store, folder, pipe, stop)


def _run(job: Job, store: Store, folder: Path, pipe: Connection, stop: _Stop) -> int:
    _log_to(folder / "log.txt")
    print(f"== {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {os.uname().nodename}, process {os.getpid()}, {job.device}", flush=True)
    if job.timeout_s:
        faulthandler.dump_traceback_later(job.timeout_s, exit=True, file=2)
    last: dict[str, Any] = {}

    def report(line: dict[str, Any]) -> None:
        last.update(line)
        if "note" in line:
            print(line["note"], flush=True)
        if not _tell(pipe, line):
            stop.asked = True

    try:
        if job.cell.recipe.devices > 1 and to_share(job):
            spread(job, report=report, should_stop=stop)
        run_cell(job, report=report, should_stop=stop)
        print("finished", flush=True)
        return DONE
    except Interrupted as error:
        print(error, flush=True)
        return STOPPED
    except BaseException as error:  # the one broad except: here every failure becomes a record
        if is_full(error, job.store):
            raise
        traceback.print_exc()
        failure = error.failure if isinstance(error, RankFailed) else failure_of(job, error, last.get("step"))
        if isinstance(error, RankDied):
            failure = failure.model_copy(update={"cause": "crashed", "traceback": log_tail(folder)})
        write_json(folder / "failed.json", failure.model_dump())
        return FAILED


def _tell(pipe: Connection, line: dict[str, Any]) -> bool:
    try:
        pipe.send(line)
    except OSError:
        return False  # nobody listens any more
    return True


def _log_to(path: Path) -> None:
    """Send everything this process prints, and the last words of a crash, to the cell's log."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable(file=2)


def preflight(jobs: list[Job], pipe: Connection) -> None:
    """Send what stands in the way of the jobs' models, the devices of this machine by the names of their kinds, and each model's
    operations a pixel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    on_cpu = not torch.cuda.is_available() or any(job.device == "cpu" for job in jobs)
    problems, flops = survey((job.cell for job in jobs), on_cpu=on_cpu)
    there = [*(f"cuda:{index}" for index in range(torch.cuda.device_count())), "cpu"]
    devices = {each: device_name(torch.device(each)) for each in there}
    _tell(pipe, {"problems": problems, "devices": devices, "flops": flops})
    os._exit(0)


def trial(job: Job, pipe: Connection) -> None:
    """Measure a few steps of a cell and send what they cost; see `bench.trial`."""
    from bench.trial import trial as measure

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        answer: dict[str, Any] = measure(job)
    except BaseException as error:  # told of in one line, and what else is measured goes on
        answer = {"error": (str(error).strip() or type(error).__name__).splitlines()[0][:300], "oom": cause_of(error) == "oom"}
    _tell(pipe, answer)
    os._exit(0)

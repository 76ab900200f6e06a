"""What became of a cell that failed, as a record: its cause, and what to do about it."""

import resource
import sys
import traceback
from datetime import UTC, datetime

import torch

from bench.errors import BenchError
from bench.experiment import environment
from bench.job import Job
from bench.memory import out_of_memory
from bench.store import Failure
from bench.train import Diverged


def failure_of(job: Job, error: BaseException, step: int | None) -> Failure:
    """The record of an error that a cell's process has met after a step, with the peak of memory where that ran out."""
    cause = cause_of(error)
    message = str(error) or type(error).__name__
    if cause == "oom":
        message = f"{message.strip().splitlines()[0][:300]} (peak {_peak_gib(job.device):.2f} GiB). Lower train.batch or train.crop"
        message += _more_room(job)
    return Failure(
        cell_id=job.cell.id,
        cause=cause,
        message=message.strip().splitlines()[0][:500],
        step=step if step is not None else getattr(error, "step", None),
        traceback="".join(traceback.format_exception(error))[-8000:],
        environment=environment(torch.device(job.device)),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _more_room(job: Job) -> str:
    if job.cell.recipe.devices > 1:
        return ", or raise train.devices."
    return ", or set train.on_oom: accumulate." if job.cell.recipe.on_oom == "fail" else "."


def cause_of(error: BaseException) -> str:
    """The kind of a failure, for the table of results."""
    if out_of_memory(error):
        return "oom"
    if isinstance(error, Diverged):
        return "diverged"
    return "input" if isinstance(error, BenchError) else "error"


def _peak_gib(device: str) -> float:
    """Most memory the process has held: on its GPU, or on a CPU in all."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30

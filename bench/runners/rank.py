"""One rank of a cell over several devices: what torchrun starts. `bench.runners.spread` listens to it."""

import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import torch

from bench.experiment import share_cell
from bench.job import DONE, FAILED, Job
from bench.ranks import join_ranks
from bench.runners.failure import failure_of
from bench.runners.spread import Word
from bench.store import is_full
from bench.train import Interrupted


def main(address: str) -> None:
    """Take a job from the cell's process at a socket's ``address``, do this rank's share of it, and say how it went."""
    door = socket.socket(socket.AF_UNIX)
    door.connect(address)
    link, asked = Connection(door.detach()), threading.Event()
    for number in (signal.SIGTERM, signal.SIGUSR1):  # a scheduler may send either to every process of a job
        signal.signal(number, lambda *_: asked.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable(file=2)
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    link.send(rank)
    job = _own(link.recv(), rank, count)
    threading.Thread(target=_heed, args=(link, asked), daemon=True, name="cell").start()
    word, code = _work(job, link, asked), DONE
    if word.kind in ("failed", "full"):
        code = FAILED
    link.send(word)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no clean-up of torch, which can hang where another rank is gone


def _own(job: Job, rank: int, count: int) -> Job:
    """The job on this rank's device, with its share of the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    device = job.devices[rank] if job.devices else job.device
    threads = job.threads if job.devices and job.threads else max(1, (job.threads or cores) // count)  # a slot's, or of one slot
    return replace(job, device=device, threads=threads)


def _heed(link: Connection, asked: threading.Event) -> None:
    """Pass on a wish to stop. Without the cell's process its claim is nobody's, and nothing more may be written."""
    try:
        while link.recv():
            asked.set()
    except (EOFError, OSError):
        os._exit(FAILED)


def _work(job: Job, link: Connection, asked: threading.Event) -> Word:
    """This rank's share of the cell, and the last there is to say about it."""
    last: dict[str, Any] = {}

    def report(line: dict[str, Any]) -> None:
        last.update(line)
        link.send(_word("report", line))

    if job.timeout_s:  # the cell's process ends at that time, and this one with it: where it was is for the log
        faulthandler.dump_traceback_later(max(0.1, job.timeout_s - 1), file=2)
    try:
        share_cell(job, join_ranks(torch.device(job.device)), report=report, should_stop=asked.is_set)
        return _word("done", None)
    except Interrupted as error:
        return _word("stopped", error.step)
    except BaseException as error:  # here every failure becomes a record
        said = time.monotonic()
        if is_full(error, job.store):
            assert isinstance(error, OSError)
            return Word("full", (error.errno, error.strerror, error.filename), said)
        return Word("failed", failure_of(job, error, last.get("step")).model_dump(), said)


def _word(kind: str, value: Any) -> Word:
    return Word(kind, value, time.monotonic())


if __name__ == "__main__":
    main(sys.argv[1])

"""A cell over several devices, seen from its own process: torchrun starts the ranks, and this listens to them.

Each rank opens a connection to the cell's process, is handed the job, reports through it, and hears through it of a wish to
stop. A rank whose connection ends without a last word has died, and one that finds the cell's process gone ends at once.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.job import Job
from bench.store import Failure
from bench.train import Interrupted

LAST_WORDS = ("done", "stopped", "failed", "full")
SETTLE_S = 0.5
"""Time in which what follows from a rank's death may arrive before the death itself does."""
GRACE_S = 10.0
"""Time that torchrun has to see off the ranks once one is lost."""


class RankFailed(Exception):
    """A rank could not go on; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class RankDied(Exception):
    """A rank ended without a word."""


@dataclass(frozen=True)
class Word:
    """What a rank says: a report, or the last there is to hear of it."""

    kind: str
    """"report", or one of `LAST_WORDS`."""
    value: Any
    said: float
    """The machine's monotonic clock, which orders the words of several ranks."""


@dataclass
class _Heard:
    """What has become of the ranks."""

    last: dict[int, Word] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    """Ranks that have ended without a last word."""

    @property
    def broken(self) -> bool:
        return bool(self.silent) or any(word.kind in ("failed", "full") for word in self.last.values())


def spread(job: Job, *, report: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]) -> None:
    """Train and predict with one process a device, until all are done.

    Raises Interrupted when they have saved and stopped, RankFailed with the first failure, RankDied for a process that was
    ended, and OSError when the store cannot be written.
    """
    print(f"{job.cell.recipe.devices} ranks on {', '.join(job.devices) or job.device}", flush=True)
    with TemporaryDirectory(prefix="bench-") as place, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{place}/ranks")
        door.listen(job.cell.recipe.devices)
        agent = _Agent(f"{place}/ranks", job)
        agent.start()
        links: dict[Connection, int] = {}
        try:
            heard = _listen(job, door, links, agent, report, should_stop)
        finally:
            for link in links:
                link.close()  # which ends a rank that is still there
            agent.join(GRACE_S)
    _conclude(heard, agent, job.cell.recipe.devices)


def _listen(
    job: Job,
    door: socket.socket,
    links: dict[Connection, int],
    agent: "_Agent",
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> _Heard:
    """Take in what the ranks say until all have said their last, or one is lost."""
    heard, told, until, begin = _Heard(), False, float("inf"), time.monotonic()
    while len(heard.last) + len(heard.silent) < job.cell.recipe.devices and time.monotonic() < until:
        there = agent.is_alive()
        for ready in wait([door, *links], timeout=0.2):
            if ready is door:
                link = Connection(door.accept()[0].detach())
                links[link] = link.recv()
                left_s = job.timeout_s and job.timeout_s - (time.monotonic() - begin)
                link.send(replace(job, timeout_s=left_s))
                told = False
            else:
                for word in _words(ready, links, heard):
                    report(word.value)
        if not there and not links:
            break  # it could not start them, or not all of them
        if heard.broken:
            until = min(until, time.monotonic() + SETTLE_S)
        if should_stop() and not told:
            told = True
            for link in links:
                with suppress(OSError):
                    link.send("stop")
    return heard


def _words(link: Any, links: dict[Connection, int], heard: _Heard) -> Iterator[Word]:
    """The reports that a rank has sent; its end is noted."""
    rank = links[link]
    try:
        while link.poll():
            word: Word = link.recv()
            if word.kind in LAST_WORDS:
                heard.last[rank] = word
            else:
                yield word
    except (EOFError, OSError):
        del links[link]
        link.close()
        if rank not in heard.last:
            heard.silent.add(rank)


def _conclude(heard: _Heard, agent: "_Agent", count: int) -> None:
    """Raise what has to be raised: a rank that died without a word is the cause of what the others then ran into."""
    ends = sorted(heard.last.values(), key=lambda word: word.said)
    bad = next((word for word in ends if word.kind in ("failed", "full")), None)
    lost = sorted(heard.silent) or [rank for rank in range(count) if rank not in heard.last and not bad]
    if lost:
        codes = {rank: code for rank, code in agent.codes.items() if rank in lost}
        rank, code = next(iter(codes.items()), (lost[0], None))
        raise RankDied(f"rank {rank} of {count} {_how(code)}") from agent.error
    if bad and bad.kind == "full":
        raise OSError(*bad.value)
    if bad:
        raise RankFailed(Failure.model_validate(bad.value))
    if ends and ends[0].kind == "stopped":
        raise Interrupted(ends[0].value)


def _how(code: int | None) -> str:
    if code is None:
        return "ended without a word"
    if code >= 0:
        return f"ended with code {code}"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (" (the kernel ends processes so when memory runs out)" if name == "SIGKILL" else "")


class _Agent(threading.Thread):
    """torchrun's agent. In a thread it leaves the process's signals alone, which are the cell's to answer."""

    def __init__(self, address: str, job: Job) -> None:
        super().__init__(daemon=True, name="torchrun")
        self.address, self.job = address, job
        self.codes: dict[int, int] = {}
        """Rank -> exit code of those that failed, once it has ended."""
        self.error: BaseException | None = None

    def run(self) -> None:
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import LaunchConfig, elastic_launch

        # It warns that it sees to no signals, and asks nobody to; what ends a rank it tells as an error.
        logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
        os.environ["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)  # code of users' own lies where it lay
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=self.job.cell.recipe.devices,
            run_id=self.job.cell.id,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,  # a cell begins again from its checkpoint, by the run's own rules
            monitor_interval=0.1,
        )
        try:
            elastic_launch(config, sys.executable)("-P", "-m", "bench.runners.rank", self.address)
        except ChildFailedError as error:
            self.codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
            self.error = error
        except BaseException as error:  # told of as the cause of ranks that never came
            self.error = error


def log_tail(folder: Path) -> str:
    """The end of a cell's log, where the last words of a crash stand."""
    log = folder / "log.txt"
    return log.read_text(encoding="utf-8", errors="replace")[-8000:] if log.exists() else ""

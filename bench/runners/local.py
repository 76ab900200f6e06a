"""Runs jobs on this machine: one fresh process a cell from a fork server, one slot a device or several.

The driver imports no torch and holds no claim. It starts processes, listens, and writes the failure of a process that could
not write its own.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any

from bench.claims import Watch
from bench.errors import BenchError
from bench.job import Job
from bench.lineage import ancestors
from bench.plan import Trained
from bench.runners.process import CellProcess
from bench.runners.queue import Queue, no_start
from bench.store import Store

Event = Callable[[str, Job, dict[str, Any]], None]
"""Called as (kind, job, details); kinds are "start", "report", "finished", "failed", "stopped", "lost", "storage" and "busy"."""
TRIES = 5
"""How often a cell is started that the fork server's end has taken with it."""
LOOK_S = 1.0
"""Time between two looks at the claims of others."""


def run(
    jobs: list[Job],
    *,
    devices: list[str],
    on_event: Event,
    stopping: Callable[[], int],
    seconds: Callable[[Job], float] = lambda job: 0.0,
    cancelled: Callable[[str], bool] = lambda cell_id: False,
) -> dict[str, str]:
    """Bring all jobs to an end; returns each cell id's outcome, by the kinds of `Event`.

    ``devices`` names each as often as cells may run on it at once. ``stopping()`` is 0, 1 (save and end) or 2 (end at once).
    ``seconds(job)`` is a cell's length in any unit: the longest begin first. A cell that another driver holds is waited for.
    One that starts from another cell waits until that is trained, and fails with its cause where it will not be. Raises
    BenchError, once all have ended, when the store cannot be written. A cell that is ``cancelled`` saves and ends, or does not
    begin, nor does what would start from it; the others go on.
    """
    return Run(jobs, devices, on_event, seconds, cancelled).go(stopping) if jobs else {}


def fair_threads(devices: list[str]) -> int | None:
    """CPU threads of a cell where so many run at once; None, torch's own choice, where it is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // len(devices)) if len(devices) > 1 else None


def ranks_on(count: int, free: list[str]) -> list[str]:
    """The devices for the ranks of a cell: so many different GPUs, or the CPU for all of them; none where too few are free."""
    if count == 1 or set(free) == {"cpu"}:
        return free[:1]
    gpus = [each for each in dict.fromkeys(free) if each != "cpu"]
    return gpus[:count] if len(gpus) >= count else []


class Run:
    """The loop of a runner: what waits, what runs, and what became of the rest. Other runners change where a cell is started."""

    def __init__(
        self,
        jobs: list[Job],
        devices: list[str],
        on_event: Event,
        seconds: Callable[[Job], float],
        cancelled: Callable[[str], bool],
    ) -> None:
        self.cancelled = cancelled
        self.queue, self.on_event, self.devices = Queue(jobs, seconds), on_event, devices
        self.store = Store(jobs[0].store)
        self.trained, self.watch = Trained(self.store), Watch(self.store.claims)
        self.outcome: dict[str, str] = {}
        self.running: list[tuple[Any, str]] = []
        self.free, self.told, self.full = list(devices), 0, ""
        self.tries: dict[str, int] = {}
        self.held, self.looked, self.announced = self.watch.look(), time.monotonic(), set[str]()

    def go(self, stopping: Callable[[], int]) -> dict[str, str]:
        """Bring all jobs to an end, as `run` says."""
        while self.queue or self.running:
            self._pass_on(max(stopping(), bool(self.full)))
            self._cancel()
            for orphan in self.queue.orphans((each.job for each, _ in self.running), self.trained):
                self.queue.take(orphan)
                failure = no_start(orphan)
                self._end("failed", orphan, {"cause": failure.cause, "message": failure.message})
            self._fill()
            self._listen()
        if self.full:
            raise BenchError(
                f"the store {self.store.root} cannot be written: {self.full}. The run has stopped and nothing finished is lost: "
                "make room, and the same command goes on from the last checkpoints."
            )
        return self.outcome

    def _pass_on(self, wish: int) -> None:
        """Tell the cells' processes once what the driver was told: to save and end, or to end."""
        if wish > self.told:
            for each, _ in self.running:
                each.stop(at_once=wish > 1)
            self.queue.clear()
        self.told = max(wish, self.told)

    def _cancel(self) -> None:
        """Have cancelled cells save and end, and take out those that wait, with what would start from them."""
        for process, _ in self.running:
            if self.cancelled(process.job.cell.id) and not process.stopped:
                process.stop()
        for job in self.queue:
            needed = [each for each in ancestors(job.cell) if not self.trained(each)]
            if any(self.cancelled(each.id) for each in (job.cell, *needed)):
                self.queue.take(job)
                self._end("stopped", job, {})

    def _fill(self) -> None:
        """Start what can be started."""
        if self.queue and self.room() and time.monotonic() - self.looked > LOOK_S:
            self.held, self.looked = self.watch.look(), time.monotonic()
        while self.room() and (job := self.queue.next(self.trained, self._under_way)):
            claim = self.held.get(job.cell.id)
            started = self.launch(replace(job, dead_claim=claim.text if claim else ""))
            if started is None:
                break  # the cell that is next waits for its devices, and none goes before it, so that it gets them
            self.queue.take(job)
            self.running.append(started)

    def room(self) -> bool:
        """Whether one more cell can be started."""
        return bool(self.free)

    def launch(self, job: Job) -> tuple[Any, str] | None:
        """Start a cell; returns its process and the devices it has taken, or None where it needs more than are free."""
        taken = ranks_on(job.cell.recipe.devices, self.free)
        if not taken:
            return None
        for name in taken:
            self.free.remove(name)
        device = ",".join(taken)
        sharing = max(self.devices.count(name) for name in taken)
        shared = tuple(taken) if len(taken) > 1 else ()
        each = CellProcess(replace(job, device=taken[0], devices=shared, sharing=sharing, cache_share=job.cache_share / sharing))
        self.on_event("start", each.job, {"device": device, "pid": each.pid})
        return each, device

    def _under_way(self, job: Job) -> bool:
        """Whether a living process, as far as can be told, holds a cell or is at the same training."""
        cell = job.cell
        claim = self.held.get(cell.id)
        if claim is not None and not claim.dead:
            if cell.id not in self.announced:
                self.announced.add(cell.id)
                self.on_event("busy", job, {"owner": claim.owner})
            return True
        return cell.train_id in self.training and not self.trained(cell)

    @property
    def training(self) -> set[str]:
        """The trainings of the cells that run, here or elsewhere."""
        elsewhere = {cell_id.partition("-")[0] for cell_id, claim in self.held.items() if not claim.dead}
        return elsewhere | {each.job.cell.train_id for each, _ in self.running}

    def _listen(self) -> None:
        """Wait for a fifth of a second at most, and take in what has happened."""
        self.wait()
        for each, device in list(self.running):
            ended = each.ended()
            for line in each.messages():
                self.on_event("report", each.job, line)
            if ended:
                self.running.remove((each, device))
                self.free.extend(device.split(","))
                self._ended(each, device)

    def wait(self) -> None:
        """Sleep until a process has something to say, or has ended."""
        ready = [each for process, _ in self.running for each in process.waitable]
        wait(ready, timeout=0.2) if ready else time.sleep(0.2)

    def _ended(self, each: CellProcess, device: str) -> None:
        kind, details = each.outcome()
        job = replace(each.job, cache_share=each.job.cache_share * each.job.sharing)
        tries = self.tries[job.cell.id] = self.tries.get(job.cell.id, 0) + (kind == "lost")
        if kind == "storage":
            self.full = str(details.get("reason", "it refuses"))
            kind = "stopped"
        if kind in ("busy", "lost") and not self.told and tries < TRIES:
            self.queue.put(job)
            self.looked = 0.0
            return
        self._end("stopped" if kind in ("busy", "lost") else kind, job, details)

    def _end(self, kind: str, job: Job, details: dict[str, Any]) -> None:
        self.outcome[job.cell.id] = kind
        if kind == "finished":
            self.trained.add(job.cell)
        self.on_event(kind, job, details)

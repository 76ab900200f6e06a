"""The loop of a run on a cluster: what is handed to Ray, what is heard of it, and what became of it."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RaySystemError, RayTaskError, TaskCancelledError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench import __version__
from bench.errors import BenchError
from bench.job import Job
from bench.registry import PERMITTED
from bench.runners import Cluster
from bench.runners.away import Pieces, pieces, remove
from bench.runners.desk import Desk, Said
from bench.runners.local import Event, Run
from bench.runners.process import record
from bench.runners.ray.task import Terms, attempt_at

AHEAD = 1000
"""Cells handed to Ray at once, in which it has room to choose."""


def gpus_of(cluster: Cluster) -> float:
    """GPUs of a cell: as asked for, else one where the cluster has any."""
    if cluster.gpus_per_cell is not None:
        return cluster.gpus_per_cell
    return float(ray.cluster_resources().get("GPU", 0) > 0)


class OnRay(Run):
    """The loop of a run, with Ray in the place of the fork server."""

    def __init__(
        self,
        jobs: list[Job],
        cluster: Cluster,
        on_event: Event,
        seconds: Callable[[Job], float],
        process: Callable[[Job], Any],
        cancelled: Callable[[str], bool],
    ) -> None:
        super().__init__(jobs, [], on_event, seconds, cancelled)
        self.nonce = secrets.token_hex(8)
        self.proof = self.store.root / f".seen-{self.nonce}"
        self.proof.write_text(self.nonce, encoding="utf-8")
        me = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.desk = ray.remote(num_cpus=0, max_restarts=0)(Desk).options(scheduling_strategy=me).remote(self.store.root)
        gpus = gpus_of(cluster)
        self.terms = Terms(self.nonce, gpus, cluster.cpus_per_cell, __version__, os.environ.get(PERMITTED, ""), str(Path.cwd()))
        # Tasks do not touch CUDA themselves: their process may serve the next one, with the fork server it has.
        self.task = ray.remote(num_cpus=cluster.cpus_per_cell, num_gpus=gpus, max_retries=0, max_calls=0)(attempt_at)
        self.jobs, self.process, self.attempts, self.unfit = jobs, process, 0, ""
        self.pieces: Pieces | None = None
        self.said: dict[int, Said] = {}
        self.over: set[Any] = set()

    def go(self, stopping: Callable[[], int]) -> dict[str, str]:
        outcome = super().go(lambda: max(stopping(), bool(self.unfit)))
        if self.unfit:
            raise BenchError(f"{self.unfit} The run has stopped, and nothing finished is lost.")
        return outcome

    def room(self) -> bool:
        return len(self.running) < AHEAD

    def launch(self, job: Job) -> tuple[Any, str]:
        self.attempts += 1
        caches = self.pieces and {folder: self.pieces[folder] for folder in job.caches.values()}
        count = job.cell.recipe.devices
        task = self.task.options(num_cpus=count * self.terms.cpus, num_gpus=count * self.terms.gpus) if count > 1 else self.task
        ref = task.remote(job, self.attempts, self.desk, self.terms, caches, self.process)
        return _RayCell(job, self.attempts, ref, self), ""

    def wait(self) -> None:
        refs = [each.ref for each, _ in self.running]
        if not refs:
            time.sleep(0.2)
            return
        ray.wait(refs, timeout=0.2)
        self.over = set(ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)[0])
        try:  # after the look at what is over: nothing that was said before an end is missed
            self.said = ray.get(self.desk.take.remote(), timeout=60)
        except RayError as error:
            raise BenchError(f"the cluster no longer answers: {str(error).splitlines()[0]}. Nothing finished is lost.") from error

    def _ended(self, each: Any, device: str) -> None:
        self.desk.close.remote(each.attempt)
        if each.kind == "lost":
            where = each.where or "its node"
            self.on_event("report", each.job, {"note": f"{where} was lost; the cell goes on from its last checkpoint"})
        if each.kind == "away":
            self.pieces = self.pieces or self._put()
            each.kind = "busy"  # to be put back, and handed to Ray again with its caches
        super()._ended(each, device)

    def _put(self) -> Pieces:
        """All caches of the run in Ray's object store, from which nodes that see no store fetch what they need."""
        folders = {folder for job in self.jobs for folder in job.caches.values()}
        return {folder: {file.name: [ray.put(piece) for piece in pieces(file)] for file in folder.iterdir()} for folder in folders}

    def leave(self) -> None:
        """Take back what the run has left on the cluster."""
        self.proof.unlink(missing_ok=True)
        if self.pieces is None:
            return
        sweep = ray.remote(num_cpus=0, max_retries=0)(remove)
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        places = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
        with suppress(RayError, GetTimeoutError):
            ray.get([sweep.options(scheduling_strategy=each).remote(self.nonce) for each in places], timeout=20)


class _RayCell:
    """A cell in Ray's hands; the counterpart of `CellProcess`."""

    def __init__(self, job: Job, attempt: int, ref: Any, run: OnRay) -> None:
        self.job, self.attempt, self.ref, self.run = job, attempt, ref, run
        self.began, self.stopped, self.where = False, False, ""
        self.kind, self.details, self.rest = "", dict[str, Any](), Said()

    def messages(self) -> Said:
        """What it has said since the last call; that it began is told as the start of the cell."""
        lines = [*self.run.said.pop(self.attempt, []), *self.rest]
        self.rest = []
        for line in lines:
            if "began" in line:
                self.began, self.where = True, line["began"]["device"]
                self.run.on_event("start", self.job, line["began"])
        return [line for line in lines if "began" not in line]

    def ended(self) -> bool:
        """Whether Ray has an answer, or none will come."""
        if self.ref not in self.run.over:
            return False
        try:
            self.kind, self.details, self.rest = ray.get(self.ref)
        except TaskCancelledError:
            self.kind = "stopped"
        except OutOfMemoryError:
            self.kind, self.details = "oom", {}
        except (RayTaskError, RaySystemError) as error:
            last = (str(error).strip() or type(error).__name__).splitlines()[-1]
            self.kind, self.details = "unfit", {"reason": f"a node of the cluster cannot run cells: {last}."}
        except RayError:
            self.kind = "lost"
        return True

    def stop(self, *, at_once: bool = False) -> None:
        """Have it save and end, or end; one that waits in Ray's queue does not begin."""
        self.stopped = True
        self.run.desk.wish.remote(self.attempt, 1 + at_once)
        if not self.began:
            ray.cancel(self.ref)

    def outcome(self) -> tuple[str, dict[str, Any]]:
        """How it ended, as `CellProcess.outcome` has it."""
        if self.kind == "unfit":
            self.run.unfit = str(self.details["reason"])
            return "stopped", {}
        store = self.run.store
        if self.kind == "oom":
            message = f"the memory of {self.where or 'its node'} ran out, and Ray ended it. Grant a cell more with --cpus-per-cell."
            failure = record(self.job, store, "oom", message)
        elif self.kind == "failed" and not self.details and (found := store.failure(self.job.cell.id)):
            failure = found
        else:
            return self.kind, self.details
        return "failed", {"cause": failure.cause, "message": failure.message}

"""Runs jobs on a Ray cluster: Ray decides where and when, and a task there runs the same process of a cell as a local run does.

The loop is that of `bench.runners.local`; cells are handed to Ray as soon as what they start from is trained. A task that sees the
store works in it. One that does not is run again with the caches, and sends its files back: see `bench.runners.away`.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from bench.errors import BenchError
from bench.job import Job
from bench.runners import Cluster
from bench.runners.local import Event
from bench.runners.process import CellProcess
from bench.runners.ray.loop import OnRay, gpus_of

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def connect(cluster: Cluster) -> None:
    """Join the cluster, or start one on this machine; raises BenchError when there is none, or when no node of it fits a cell."""
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = cluster.address or os.environ.get("RAY_ADDRESS")
        _answers(address)
        local = {} if address else {"include_dashboard": False}
        try:
            with _own_signals():
                ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
        except (ConnectionError, RuntimeError, ValueError, OSError, RayError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            where = f"--address {address}: no Ray cluster answers there" if address else "--runner ray: Ray cannot be started here"
            raise BenchError(f"{where}: {reason}") from error
    _fits(cluster)


def _answers(address: str | None) -> None:
    """Raise BenchError for an address where nobody listens; Ray itself would try for minutes."""
    if address in (None, "auto", "local"):
        return
    host, _, port = str(address).rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        raise BenchError(f"--address {address}: expected host:port or auto, of a cluster that this machine belongs to")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise BenchError(f"--address {address}: no Ray cluster answers there: {error}") from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself, to end at once; the driver has something to save."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _fits(cluster: Cluster, devices: int = 1) -> None:
    """Raise BenchError when no node has what a cell takes that is shared by so many devices."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = devices * cluster.cpus_per_cell, devices * gpus_of(cluster)
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        has = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise BenchError(f"no node of the cluster has the {cpus} CPUs and {gpus:g} GPUs of one cell. The nodes have: {has}")


def run(
    jobs: list[Job],
    *,
    cluster: Cluster,
    on_event: Event,
    stopping: Callable[[], int],
    seconds: Callable[[Job], float] = lambda job: 0.0,
    cancelled: Callable[[str], bool] = lambda cell_id: False,
    process: Callable[[Job], Any] = CellProcess,
) -> dict[str, str]:
    """Bring all jobs to an end on the cluster, as `bench.runners.local.run` does on this machine.

    ``process`` starts a job where a task has been placed: a class with the methods of `CellProcess` that the nodes can import.
    """
    if not jobs:
        return {}
    connect(cluster)
    _fits(cluster, max(job.cell.recipe.devices for job in jobs))
    try:
        here = OnRay([_absolute(job) for job in jobs], cluster, on_event, seconds, process, cancelled)
        try:
            return here.go(stopping)
        finally:
            here.leave()
    finally:
        ray.shutdown()


def _absolute(job: Job) -> Job:
    return replace(job, store=job.store.resolve(), caches={split: folder.resolve() for split, folder in job.caches.items()})

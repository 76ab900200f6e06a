"""What Ray runs on a node: one attempt at a cell, on the part of the node that Ray has set aside for it."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import ray

from bench import __version__
from bench.job import Job
from bench.registry import permit
from bench.runners.away import Ended, Pieces, settle, work
from bench.runners.process import preload


@dataclass(frozen=True)
class Terms:
    """What holds for all tasks of a run."""

    nonce: str
    gpus: float
    cpus: int
    version: str
    plugins: str
    folder: str


def attempt_at(job: Job, attempt: int, desk: Any, terms: Terms, caches: Pieces | None, process: Callable[[Job], Any]) -> Ended:
    """One attempt at a cell, where Ray has placed it."""
    if terms.version != __version__:
        reason = f"{socket.gethostname()} has stridebench {__version__}, the driver {terms.version}. Install the same on all nodes."
        return "unfit", {"reason": reason}, []
    settle(terms.folder)
    permit(terms.plugins.split(","))
    preload([job.cell])
    node, count = _node(), job.cell.recipe.devices
    sharing = round(1 / terms.gpus) if terms.gpus else int(node.get("CPU", 1) // terms.cpus)
    job = replace(
        job,
        device="cuda:0" if terms.gpus else "cpu",
        devices=tuple(f"cuda:{number}" for number in range(count)) if terms.gpus and count > 1 else (),
        visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES") if terms.gpus else None,
        sharing=max(1, sharing),
        cache_share=job.cache_share / max(1, sharing),
    )
    return work(job, attempt, desk, terms.nonce, caches, process)


@cache
def _node() -> dict[str, float]:
    """What Ray has to give on the node of this process."""
    mine = ray.get_runtime_context().get_node_id()
    return next((dict(node["Resources"]) for node in ray.nodes() if node["NodeID"] == mine), {})

"""What a runner and the process of a cell say to each other. No torch here: drivers do not import it.

A runner starts `bench.runners.child.main(job, pipe)` in a fresh process, on any machine that sees the store and the caches. The
process claims the cell, sends plain dicts through the pipe while it works, leaves ``result.json`` or ``failed.json`` in the
cell's folder, and ends with one of the codes below. SIGTERM, SIGUSR1 and a pipe that nobody reads make it save and end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cell import Cell

DONE = 0
"""The cell has its result."""
TIMED_OUT = 1
"""The code with which `faulthandler` ends a process whose time is up, after it has written where it hung to the log."""
FAILED = 3
"""The cell's ``failed.json`` says why."""
BUSY = 4
"""Another process holds the cell."""
STORAGE = 74
"""The store cannot be written; the last report says why. What was saved before is whole."""
STOPPED = 75
"""It was asked to stop, and has saved where it is."""


@dataclass(frozen=True)
class Job:
    """A cell and everything about this run of it that may not change its numbers."""

    cell: Cell
    store: Path
    caches: dict[str, Path]
    """Split -> folder of its prepared cache."""
    device: str = "cpu"
    devices: tuple[str, ...] = ()
    """GPUs of a cell that is shared by several, ``device`` first; empty: they are processes on ``device``."""
    visible_gpus: str | None = None
    """CUDA_VISIBLE_DEVICES of the process, where a scheduler chose for it; None leaves what the runner has."""
    threads: int | None = None
    """CPU threads of the process; None leaves torch's choice."""
    sharing: int = 1
    """Cells that run on the device at the same time."""
    timeout_s: float | None = None
    """Wall time after which the process ends itself; None for no limit."""
    failure_seen: int | None = None
    """When the failure that this run takes up was written, in ns; a later one is another driver's, and stands."""
    dead_claim: str = ""
    """A claim whose owner on another machine the driver has watched die."""
    predicted: dict[str, Any] | None = None
    """What `bench plan --measure` foretold for the cell on this device: a `bench.costs.Cost`."""
    checkpoint_every_s: float = 120.0
    cache_share: float = 0.5
    """Share of the device's free memory that a cache may take; a larger one is streamed from the host."""

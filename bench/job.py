"""What a driver hands to the process of a cell. No torch here: drivers do not import it."""

from dataclasses import dataclass
from pathlib import Path

from bench.cell import Cell


@dataclass(frozen=True)
class Job:
    """A cell and everything about this run of it that may not change its numbers."""

    cell: Cell
    store: Path
    caches: dict[str, Path]
    """Split -> folder of its prepared cache."""
    device: str = "cpu"
    threads: int | None = None
    """CPU threads of the process; None leaves torch's choice."""
    checkpoint_every_s: float = 120.0
    cache_share: float = 0.5
    """Share of the device's free memory that a cache may take; a larger one is streamed from the host."""

"""The table of runners. A runner takes jobs and brings each to a result or a failure in its folder."""

from dataclasses import dataclass
from importlib.util import find_spec

from bench.errors import BenchError, nearest

RUNNERS = {"local": "bench.runners.local:run", "ray": "bench.runners.ray:run"}
NEEDS = {"ray": "ray"}
"""Runner -> the package it needs, which is the name of the extra that installs it as well."""


@dataclass(frozen=True)
class Cluster:
    """Which Ray cluster runs the cells, and what of it one cell takes."""

    address: str | None = None
    """``host:port``, or "auto" for the cluster this machine belongs to; None: RAY_ADDRESS, or this machine alone."""
    gpus_per_cell: float | None = None
    """None: a whole GPU where the cluster has any, else none."""
    cpus_per_cell: int = 1
    """CPU cores that Ray sets aside for a cell; also its threads."""


def runner(name: str) -> str:
    """``module:function`` of a runner; raises BenchError for a name there is not, and for one whose package is not installed."""
    if name not in RUNNERS:
        raise BenchError(f"--runner {name}: expected {' or '.join(RUNNERS)}.{nearest(name, RUNNERS)}")
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        raise BenchError(f"--runner {name}: {NEEDS[name]} is not installed. pip install 'stridebench[{NEEDS[name]}]'")
    return RUNNERS[name]

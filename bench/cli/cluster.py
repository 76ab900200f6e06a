"""The options of `bench run` that name a runner and a cluster."""

from typing import Annotated, Any

import typer

from bench.errors import BenchError
from bench.runners import Cluster
from bench.runners import runner as known_runner

RunnerOption = Annotated[str, typer.Option("--runner", help="local, or ray for a Ray cluster.", metavar="local|ray")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Ray cluster: host:port, or auto. Unset: $RAY_ADDRESS, or this machine.", metavar="ADDRESS"),
]
GpusOption = Annotated[
    float | None,
    typer.Option("--gpus-per-cell", min=0, help="With ray: GPUs of a cell, 0.5 for two cells on one. Unset: 1 if any."),
]
CpusOption = Annotated[int | None, typer.Option("--cpus-per-cell", min=1, help="With ray: CPUs of a cell, and its threads. [1]")]


def cluster(runner: str, on_ray: dict[str, Any], on_this_machine: dict[str, Any]) -> Cluster | None:
    """The cluster that a run is for, None for this machine; raises BenchError for an option of the other kind of run.

    The dicts hold options and their values; what counts as false was not given.
    """
    known_runner(runner)
    if runner == "local":
        if given := [option for option, value in on_ray.items() if value is not None]:
            raise BenchError(f"{given[0]} is for a Ray cluster; add --runner ray")
        return None
    if given := [option for option, value in on_this_machine.items() if value]:
        raise BenchError(f"{given[0]} is for this machine. On a cluster Ray places cells: say what one takes with --gpus-per-cell "
                         "and --cpus-per-cell")  # fmt: skip
    gpus, cpus = on_ray["--gpus-per-cell"], on_ray["--cpus-per-cell"]
    if gpus is not None and gpus > 1 and gpus != int(gpus):
        raise BenchError(f"--gpus-per-cell {gpus:g}: Ray gives a cell a part of one GPU, or whole ones")
    return Cluster(on_ray["--address"], gpus, cpus or 1)

"""`bench slurm`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DATA, STORE, DataOption, SetOption, SmokeOption, StoreOption, SuiteArgument, open_suite
from bench.cli.printing import say
from bench.drive import Options, pending
from bench.errors import BenchError
from bench.slurm import MOST_TASKS, Request, script, tasks
from bench.store import write_whole
from bench.trust import check_plugins


def slurm(
    suite: SuiteArgument,
    out: Annotated[Path | None, typer.Option("--out", help="Script to write. [SUITE.sbatch]", metavar="FILE")] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="As of sbatch.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="As of sbatch.")] = None,
    time: Annotated[str | None, typer.Option("--time", help="Time limit of a task, as of sbatch.")] = None,
    gpus: Annotated[int | None, typer.Option("--gpus", min=0, help="GPUs of a task.")] = None,
    cpus: Annotated[int | None, typer.Option("--cpus", min=1, help="CPU cores of a task, and its threads.")] = None,
    memory: Annotated[str | None, typer.Option("--mem", help="Memory of a task, as of sbatch.")] = None,
    array_limit: Annotated[int | None, typer.Option("--array-limit", min=1, help="Tasks that run at the same time.")] = None,
    most: Annotated[int, typer.Option("--max-tasks", min=1, help="Tasks of the array; more cells share them.")] = MOST_TASKS,
    warn_s: Annotated[int, typer.Option("--warn", min=10, help="Seconds before the limit at which a task saves.")] = 120,
    more: Annotated[list[str], typer.Option("--sbatch", help="Further option of sbatch. Repeatable.", metavar="NAME=VALUE")] = [],  # noqa: B006
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    retry: Annotated[bool, typer.Option("--retry", help="Also cells that diverged, timed out or ran out of memory.")] = False,
    tracking_uri: Annotated[
        str | None, typer.Option("--tracking-uri", help="MLflow server. Unset: none; `bench sync` afterwards.", metavar="URI")
    ] = None,
    allow_plugins: Annotated[bool, typer.Option("--allow-plugins", help="Run code that the suite names.")] = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Write a Slurm job array that runs what a suite has left, each task one cell, and requeues what its time ended."""
    opened = open_suite(suite, store, data_root, settings, smoke)
    check_plugins(opened.plan.cells, opened.suite.document.path, allowed=allow_plugins)
    if opened.plan.blocked:
        raise BenchError("\n".join(opened.plan.missing()))
    left = pending(opened.plan, opened.store, Options(opened.data_root, None, retry=retry))
    if not left:
        say("Nothing to do: no cell of the suite is left.")
        return
    path, made = opened.suite.document.path.resolve(), tasks(left, most)
    command = [sys.executable, "-m", "bench", "run", str(path), "--store", str(store.resolve()), "--data-root"]
    command += [str(data_root.resolve()), *(word for each in settings for word in ("--set", each)), *["--smoke"] * smoke]
    command += ["--tracking-uri", tracking_uri] if tracking_uri else ["--tracking", "off"]
    command += [*["--retry"] * retry, *["--allow-plugins"] * allow_plugins, *(["--threads", str(cpus)] if cpus else [])]
    shared = max((cell.recipe.devices for cell in left), default=1)
    if shared > 1 and gpus is not None and gpus < shared:
        raise BenchError(
            f"--gpus {gpus}: train.devices is {shared}, so a task needs {shared}. Leave --gpus out, or lower train.devices."
        )
    gpus = gpus or (shared if shared > 1 else None)
    request = Request(partition, account, time, gpus, cpus, memory, array_limit, warn_s, tuple(more))
    out = out or Path(f"{opened.suite.name}.sbatch")
    if not out.name.isprintable():
        raise BenchError(f"--out {out.name!r}: the name of a file that a script is to mention has no line breaks")
    listed = out.with_name(f"{out.name}.cells")
    text = script(opened.suite.name, listed, out, made, command, request)
    try:
        write_whole(listed, "".join(" ".join(each) + "\n" for each in made).encode())
        write_whole(out, text.encode())
    except OSError as error:
        raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    say(f"{out}: {len(left)} cells in {len(made)} tasks, listed in {listed}. Submit with: sbatch {out}")

"""`bench run`, `bench plan`, `bench sync`."""

import os
import shlex
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cell import Cell
from bench.cli.cluster import AddressOption, CpusOption, GpusOption, RunnerOption, cluster
from bench.cli.display import Display
from bench.cli.foretold import add_foretold
from bench.cli.options import (
    DATA,
    STORE,
    DataOption,
    JsonOption,
    Opened,
    SetOption,
    SmokeOption,
    StoreOption,
    SuiteArgument,
    open_suite,
)
from bench.cli.printing import cell_row, print_json, print_table, say
from bench.cli.results import make_ready
from bench.costs import took
from bench.drive import Options, drive, pending, wanted
from bench.errors import BenchError, nearest
from bench.plan import Trained, check, describe
from bench.registry import permit
from bench.rehearsal import Forecast, forecast
from bench.tracking import default_uri
from bench.trust import check_plugins

UriOption = Annotated[
    str | None,
    typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server. Unset: SQLite in the store.", metavar="URI"),
]

TrackingOption = Annotated[str, typer.Option("--tracking", help="on, or off for no MLflow.", metavar="on|off")]
DeviceOption = Annotated[list[str], typer.Option("--device", help="cpu, cuda:0, … Unset: all GPUs, or the CPU.")]
PluginOption = Annotated[bool, typer.Option("--allow-plugins", help="Run code that the suite's models and data sets name.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads of a cell. Unset: all cores, shared out where cells run side by side."),
]
SlotsOption = Annotated[int, typer.Option("--slots", min=1, max=64, help="Cells that run on each device at once.")]


def run(
    suite: SuiteArgument,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    cell: Annotated[str | None, typer.Option("--cell", help="Run only the cell whose id begins so.", metavar="ID")] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also take up cells that diverged, timed out or ran out of memory.")
    ] = False,
    tracking: TrackingOption = "on",
    tracking_uri: UriOption = None,
    device: DeviceOption = [],  # noqa: B006
    slots: SlotsOption = 1,
    threads: ThreadsOption = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=1, help="Seconds after which a cell is ended and failed. Unset: no limit.")
    ] = None,
    checkpoint_every: Annotated[float, typer.Option("--checkpoint-every", min=0, help="Seconds between checkpoints.")] = 120.0,
    cache_share: Annotated[
        float, typer.Option("--cache-share", min=0, max=1, help="Share of free GPU memory a data set may take, or it is streamed.")
    ] = 0.5,
    runner: RunnerOption = "local",
    address: AddressOption = None,
    gpus_per_cell: GpusOption = None,
    cpus_per_cell: CpusOption = None,
    allow_plugins: PluginOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Train, score and profile every cell of a suite that has no result yet."""
    where = cluster(
        runner,
        {"--address": address, "--gpus-per-cell": gpus_per_cell, "--cpus-per-cell": cpus_per_cell},
        {"--device": device, "--slots": slots > 1, "--threads": threads},
    )
    opened = _open(suite, store, data_root, settings, smoke, allow_plugins=allow_plugins)
    uri = _uri(tracking, tracking_uri, opened, smoke)
    options = Options(
        opened.data_root,
        uri,
        retry,
        cell,
        threads=where.cpus_per_cell if where else threads,
        checkpoint_every_s=checkpoint_every,
        devices=tuple(device),
        slots=slots,
        timeout_s=timeout,
        cache_share=cache_share,
        cluster=where,
    )
    _drive(opened, options, _again(settings, smoke, store))


def retry(
    suite: SuiteArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Take up failed cells: the default, and all there is to retry.")] = True,
    cause: Annotated[list[str], typer.Option("--cause", help="Only cells that failed so, e.g. oom. Repeatable.")] = [],  # noqa: B006
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    tracking: TrackingOption = "on",
    tracking_uri: UriOption = None,
    device: DeviceOption = [],  # noqa: B006
    threads: ThreadsOption = None,
    allow_plugins: PluginOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Run the failed cells of a suite again, and no others."""
    opened = _open(suite, store, data_root, settings, smoke, allow_plugins=allow_plugins)
    causes = {cell.id: failure.cause for cell in opened.plan.cells if (failure := opened.store.failure(cell.id)) is not None}
    there = Counter(causes.values())
    for each in cause:
        if each not in there:
            known = ", ".join(f"{count} {name}" for name, count in there.items()) or "none failed"
            raise BenchError(f"--cause {each}: no cell of {opened.suite.name} failed so ({known}).{nearest(each, there)}")
    among = frozenset(cell_id for cell_id, why in causes.items() if not cause or why in cause)
    uri = _uri(tracking, tracking_uri, opened, smoke)
    options = Options(opened.data_root, uri, retry=True, among=among, threads=threads, devices=tuple(device))
    _drive(opened, options, _again(settings, smoke, store))


def rescore(
    suite: SuiteArgument,
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    tracking: TrackingOption = "on",
    tracking_uri: UriOption = None,
    device: DeviceOption = [],  # noqa: B006
    threads: ThreadsOption = None,
    allow_plugins: PluginOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Score anew what is trained already: after an update that brought a metric, or with another --set eval.boundary_ratio=….

    From the label maps a cell kept (eval.keep_predictions), else with its weights. Nothing is trained.
    """
    opened = _open(suite, store, data_root, settings, smoke, allow_plugins=allow_plugins)
    uri = _uri(tracking, tracking_uri, opened, smoke)
    options = Options(opened.data_root, uri, trained_only=True, threads=threads, devices=tuple(device))
    trained = Trained(opened.store)
    untrained = sum(not trained(cell) for cell in opened.plan.cells)
    if untrained:
        say(f"{untrained} of {len(opened.plan.cells)} cells are not trained yet and are left out; `bench run` trains them.")
    _drive(opened, options, _again(settings, smoke, store))


def _open(suite: str, store: Path, data_root: Path, settings: list[str], smoke: bool, *, allow_plugins: bool) -> Opened:
    """A suite whose code, if it names any, may run."""
    if allow_plugins:
        permit(["1"])
    opened = open_suite(suite, store, data_root, settings, smoke)
    check_plugins(opened.plan.cells, opened.suite.document.path, allowed=allow_plugins)
    return opened


def _again(settings: list[str], smoke: bool, store: Path) -> str:
    """The options without which another command would mean other cells."""
    words = [f"--set {shlex.quote(setting)}" for setting in settings] + ["--smoke"] * smoke
    words += [f"--store {shlex.quote(str(store))}"] * (store != STORE and "BENCH_STORE" not in os.environ)
    return "".join(f" {word}" for word in words)


def _uri(tracking: str, tracking_uri: str | None, opened: Opened, smoke: bool) -> str | None:
    if tracking not in ("on", "off"):
        raise BenchError(f"--tracking {tracking}: expected on or off")
    return None if tracking == "off" or smoke else tracking_uri or default_uri(opened.store.root)


def _drive(opened: Opened, options: Options, flag: str) -> None:
    with Stopping() as stopping, Display(opened) as view:
        outcome = drive(opened.suite.name, opened.suite.document.path, opened.plan, opened.store, options, view, stopping)
    raise typer.Exit(_conclude(opened, options, outcome, flag))


class Stopping:
    """What the user has asked for: 0 nothing, 1 save and end, 2 end at once. Ctrl-C, SIGTERM and SIGUSR1 raise it."""

    def __init__(self) -> None:
        self.wish, self.since = 0, 0.0

    def __enter__(self) -> "Stopping":
        self.before = {number: signal.signal(number, self._raise) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _raise(self, *_: Any) -> None:
        if not self.wish:
            self.wish, self.since = 1, time.monotonic()
            say("Saving the running cells; Ctrl-C again ends at once.")
        elif time.monotonic() - self.since > 1:  # a terminal may deliver one Ctrl-C twice
            self.wish = 2

    def __call__(self) -> int:
        return self.wish


def _conclude(opened: Opened, options: Options, outcome: dict[str, str], flag: str) -> int:
    """Say what came of a run and what to do next; returns the exit code."""
    path, cells = opened.suite.document.path, wanted(opened.plan, options)
    states = Counter(opened.store.state(cell.id) for cell in cells)
    left, verb = pending(opened.plan, opened.store, options), "rescore" if options.trained_only else "run"
    if "stopped" in outcome.values() or any(cell.id not in outcome for cell in left):
        say(f"Stopped. {states['finished']} of {len(cells)} cells have results. Go on with: bench {verb} {path}{flag}")
        return 75
    if not outcome:
        say(f"Nothing to do: {states['finished']} of {len(cells)} cells have results.")
    for cell in cells:
        failure = opened.store.failure(cell.id) if opened.store.state(cell.id) == "failed" else None
        if failure:
            say(f"failed  {cell.label}: {failure.cause}: {failure.message}  (log: {opened.store.folder(cell.id) / 'log.txt'})")
    if states["failed"]:
        again = " `bench run --retry` takes up those that diverged, timed out or ran out of memory." if not left else ""
        say(f"{states['failed']} of {len(cells)} cells failed.{again}")
    now = [result for cell_id, kind in outcome.items() if kind == "finished" and (result := opened.store.result(cell_id))]
    if pair := took(now):
        say(f"Predicted {pair[0]:.0f} s for the cells that were measured before; they took {pair[1]:.0f} s.")
    make_ready(opened)
    say(f"Leaderboard: bench leaderboard {path}{flag}")
    return 3 if states["failed"] else 0


def plan(
    suite: SuiteArgument,
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a few steps of each configuration; predict seconds, memory and device hours.")
    ] = False,
    max_gpu_hours: Annotated[
        float | None, typer.Option("--max-gpu-hours", min=0, help="With --measure: exit code 2 when what is left takes longer.")
    ] = None,
    device: DeviceOption = [],  # noqa: B006
    slots: SlotsOption = 1,
    threads: ThreadsOption = None,
    allow_plugins: PluginOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print a suite's cells, what is finished, and what a run would do and why."""
    if max_gpu_hours is not None and not measure:
        raise BenchError(f"--max-gpu-hours {max_gpu_hours:g}: hours are known once a few steps are timed; add --measure")
    if allow_plugins:
        permit(["1"])
    opened = open_suite(suite, store, data_root, settings, smoke)
    check(opened.plan.cells)
    made = None
    if measure:
        check_plugins(opened.plan.cells, opened.suite.document.path, allowed=allow_plugins)
        options = Options(opened.data_root, None, devices=tuple(device), slots=slots, threads=threads)
        with Display(opened) as view:
            made = forecast(opened.plan, opened.suite.document.path, opened.store, options, view, say)
    rows, trained = [], Trained(opened.store)
    for cell in opened.plan.cells:
        state, reason = describe(cell, opened.store, trained)
        rows.append({"id": cell.id, **cell_row(cell), "recipe": cell.recipe.recipe, "state": state, "next": reason})
        if made:
            rows[-1] |= _foretold(made, cell, opened)
    rows += [
        {"id": None, **cell_row(cell), "recipe": cell.recipe.recipe, "state": "no data", "next": reason.splitlines()[0]}
        for cell, reason in opened.plan.blocked
    ]
    compared = None if made else add_foretold(rows, opened)
    if as_json:
        cells = [*opened.plan.cells, *(cell for cell, _ in opened.plan.blocked)]
        print_json([{**row, "train": cell.recipe.model_dump(mode="json")} for row, cell in zip(rows, cells, strict=True)])
        _refuse(made, max_gpu_hours)
        return
    hidden = ("external", "fraction", "augmentation", "dataset", "recipe")
    print_table(rows, title=f"{opened.suite.name}: {len(rows)} cells", drop_constant=hidden)
    counts = Counter(row["state"] for row in rows)
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    for reason in opened.plan.missing():
        say(reason)
    if compared:
        say(compared)
    if made:
        short = Counter(made.verdicts[cell.id] for cell in made.waiting if made.verdicts[cell.id] != "fits")
        say(f"{made.device_hours:.3g} device hours are left, on {made.device}.")
        for words, count in short.items():
            say(f"{count} of {len(made.waiting)} cells that are left: {words}")
    _refuse(made, max_gpu_hours)


def _foretold(made: Forecast, cell: Cell, opened: Opened) -> dict[str, Any]:
    """The columns of a forecast: predicted seconds and memory, whether it fits, and for a finished cell what it took."""
    cost, result = made.costs[cell.id], opened.store.result(cell.id)
    return {
        "predicted_s": round(cost.total_s, 1) if cost else None,
        "took_s": round(sum(result.seconds.values()), 1) if result else None,
        "peak_gib": round(cost.peak_memory_gib, 2) if cost and cost.peak_memory_gib is not None else None,
        "memory": made.verdicts[cell.id],
    }


def _refuse(made: Forecast | None, max_gpu_hours: float | None) -> None:
    """Raise BenchError when more hours are left than were granted."""
    if made and max_gpu_hours is not None and made.device_hours > max_gpu_hours:
        raise BenchError(
            f"--max-gpu-hours {max_gpu_hours:g}: {made.device_hours:.3g} device hours are left. Narrow the suite "
            "(--set 'matrix.seed=[0]'), shorten it (--set train.steps=…), or grant more."
        )


def sync(
    suite: SuiteArgument,
    tracking_uri: UriOption = None,
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Bring MLflow up to date with the results of a suite. Doing it twice changes nothing."""
    opened = open_suite(suite, store, data_root, settings, smoke)
    if opened.plan.blocked:
        raise BenchError("\n".join(opened.plan.missing()))
    from bench.tracking import Mirror

    uri = tracking_uri or default_uri(opened.store.root)
    present = [cell for cell in (*opened.plan.cells, *opened.entrants()) if opened.store.state(cell.id) != "new"]
    try:
        mirror = Mirror(opened.store, uri, opened.suite.name)
        sent = sum(mirror.sync(cell.id) for cell in present)
    except Exception as error:
        # Whatever a client library raises for a server that is away; the results are safe, so one line is all there is to say.
        raise BenchError(
            f"{uri} could not be brought up to date: {str(error).splitlines()[0][:300]}. No result is lost; sync again later."
        ) from error
    say(f"{uri}: {sent} of {len(present)} cells sent, the others were there already.")

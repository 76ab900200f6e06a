"""`bench run`, `bench plan`, `bench sync`."""

import os
import shlex
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.display import Display
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
from bench.drive import Options, drive, pending
from bench.errors import BenchError
from bench.plan import check, describe, trained
from bench.registry import permit
from bench.tracking import default_uri
from bench.trust import check_plugins

UriOption = Annotated[
    str | None,
    typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server. Unset: SQLite in the store.", metavar="URI"),
]

TrackingOption = Annotated[str, typer.Option("--tracking", help="on, or off for no MLflow.", metavar="on|off")]
DeviceOption = Annotated[list[str], typer.Option("--device", help="cpu, cuda:0, … Unset: all GPUs, or the CPU.")]
PluginOption = Annotated[bool, typer.Option("--allow-plugins", help="Run code that the suite's models and data sets name.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of a cell. Unset: torch's choice.")]


def run(
    suite: SuiteArgument,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    cell: Annotated[str | None, typer.Option("--cell", help="Run only the cell whose id begins so.", metavar="ID")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Also take up cells that diverged or ran out of memory.")] = False,
    tracking: TrackingOption = "on",
    tracking_uri: UriOption = None,
    device: DeviceOption = [],  # noqa: B006
    threads: ThreadsOption = None,
    checkpoint_every: Annotated[float, typer.Option("--checkpoint-every", min=0, help="Seconds between checkpoints.")] = 120.0,
    cache_share: Annotated[
        float, typer.Option("--cache-share", min=0, max=1, help="Share of free GPU memory a data set may take, or it is streamed.")
    ] = 0.5,
    allow_plugins: PluginOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Train, score and profile every cell of a suite that has no result yet."""
    if allow_plugins:
        permit(["1"])
    opened = open_suite(suite, store, data_root, settings, smoke)
    check_plugins(opened.plan.cells, opened.suite.document.path, allowed=allow_plugins)
    uri = _uri(tracking, tracking_uri, opened, smoke)
    options = Options(
        opened.data_root,
        uri,
        retry,
        cell,
        threads=threads,
        checkpoint_every_s=checkpoint_every,
        devices=tuple(device),
        cache_share=cache_share,
    )
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
    if allow_plugins:
        permit(["1"])
    opened = open_suite(suite, store, data_root, settings, smoke)
    check_plugins(opened.plan.cells, opened.suite.document.path, allowed=allow_plugins)
    uri = _uri(tracking, tracking_uri, opened, smoke)
    options = Options(opened.data_root, uri, trained_only=True, threads=threads, devices=tuple(device))
    untrained = sum(not trained(cell, opened.store) for cell in opened.plan.cells)
    if untrained:
        say(f"{untrained} of {len(opened.plan.cells)} cells are not trained yet and are left out; `bench run` trains them.")
    _drive(opened, options, _again(settings, smoke, store))


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
    path, states = opened.suite.document.path, Counter(opened.store.state(cell.id) for cell in opened.plan.cells)
    left, verb = pending(opened.plan, opened.store, options), "rescore" if options.trained_only else "run"
    if "stopped" in outcome.values() or any(cell.id not in outcome and not options.only for cell in left):
        say(f"Stopped. {states['finished']} of {len(opened.plan.cells)} cells have results. Go on with: bench {verb} {path}{flag}")
        return 75
    if not outcome:
        say(f"Nothing to do: {states['finished']} of {len(opened.plan.cells)} cells have results.")
    for cell in opened.plan.cells:
        failure = opened.store.failure(cell.id) if opened.store.state(cell.id) == "failed" else None
        if failure:
            say(f"failed  {cell.label}: {failure.cause}: {failure.message}  (log: {opened.store.folder(cell.id) / 'log.txt'})")
    if states["failed"]:
        again = " `bench run --retry` takes up those that diverged or ran out of memory." if not left else ""
        say(f"{states['failed']} of {len(opened.plan.cells)} cells failed.{again}")
    say(f"Leaderboard: bench leaderboard {path}{flag}")
    return 3 if states["failed"] else 0


def plan(
    suite: SuiteArgument,
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print a suite's cells, what is finished, and what a run would do and why."""
    opened = open_suite(suite, store, data_root, settings, smoke)
    check(opened.plan.cells)
    rows = []
    for cell in opened.plan.cells:
        state, reason = describe(cell, opened.store)
        rows.append({"id": cell.id, **cell_row(cell), "recipe": cell.recipe.recipe, "state": state, "next": reason})
    rows += [
        {"id": None, **cell_row(cell), "recipe": cell.recipe.recipe, "state": "no data", "next": reason.splitlines()[0]}
        for cell, reason in opened.plan.blocked
    ]
    if as_json:
        cells = [*opened.plan.cells, *(cell for cell, _ in opened.plan.blocked)]
        print_json([{**row, "train": cell.recipe.model_dump(mode="json")} for row, cell in zip(rows, cells, strict=True)])
        return
    hidden = ("external", "fraction", "augmentation", "dataset", "recipe")
    print_table(rows, title=f"{opened.suite.name}: {len(rows)} cells", drop_constant=hidden)
    counts = Counter(row["state"] for row in rows)
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    for reason in opened.plan.missing():
        say(reason)


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

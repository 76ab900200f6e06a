"""`bench status`, `bench logs` and `bench cancel`: looking at what runs, on this machine or another, and stopping it."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import cancel as requests
from bench.cell import Cell
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
    checked,
    open_suite,
    suite_path,
)
from bench.cli.printing import cell_row, print_json, print_table, say
from bench.curve import read_curve
from bench.errors import BenchError
from bench.plan import Trained, describe
from bench.running import running
from bench.store import Store
from bench.suite import load_suite

Row = dict[str, Any]
ENDED = ("finished", "failed", "damaged", "no data")
"""States that no driver at work will change."""


def status(
    suite: SuiteArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until no cell is left to run; Ctrl-C ends it.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks with --watch.")] = 2.0,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print how far each cell of a suite has come; exit code 3 when some failed, 1 when some are damaged.

    With --watch a line for each change, with --json an object a line.
    """
    opened = open_suite(suite, store, data_root, settings, smoke)
    rows = _follow(opened, every, as_json) if watch else _rows(opened, {})
    compared = None if watch else add_foretold(rows, opened)
    if not watch and as_json:
        print_json(rows)
    elif not watch:
        print_table(rows, title=opened.suite.name, drop_constant=("external", "fraction", "augmentation", "dataset", "detail"))
        say(_counted(rows))
        if compared:
            say(compared)
    states = {row["state"] for row in rows}
    raise typer.Exit(3 if "failed" in states else 1 if "damaged" in states else 0)


def _rows(opened: Opened, known: dict[str, Row]) -> list[Row]:
    """A row for each cell; those in ``known``, which are finished, are not looked at again."""
    held, weights = running(opened.store), Trained(opened.store)
    rows = [known.get(cell.id) or _row(cell, opened.store, weights, cell.id in held) for cell in opened.plan.cells]
    known |= {row["id"]: row for row in rows if row["state"] == "finished"}
    rows += [
        {"id": None, **cell_row(cell), "state": "no data", "step": 0, "steps": cell.recipe.steps, "detail": ""}
        for cell, _ in opened.plan.blocked
    ]
    return rows + [
        {"id": cell.id, **cell_row(cell), "state": "finished", "step": None, "steps": None, "detail": ""}
        for cell in opened.entrants()
    ]


def _row(cell: Cell, store: Store, weights: Trained, held: bool) -> Row:
    state, reason = describe(cell, store, weights)
    lines = read_curve(store.folder(cell.id) / "curve.jsonl") if state not in ("new", "finished") else []
    steps = cell.recipe.steps
    step = steps if state == "finished" else max((line["step"] for line in lines), default=0)
    shown = "running" if held and state in ("new", "started") else state
    detail = reason if state == "failed" else ""
    return {"id": cell.id, **cell_row(cell), "state": shown, "step": step, "steps": steps, "detail": detail}


def _follow(opened: Opened, every_s: float, as_json: bool) -> list[Row]:
    """Say what changes until every cell has ended, or Ctrl-C; returns the last rows."""
    known: dict[str, Row] = {}
    before: dict[str, Row] = {}
    rows: list[Row] = []
    try:
        while True:
            rows = _rows(opened, known)
            changed = [row for row in rows if row["id"] and row != before.get(row["id"])]
            before |= {row["id"]: row for row in changed}
            for line in _news(changed, rows, first=len(changed) == len(before), as_json=as_json):
                print(line, flush=True)
            if all(row["state"] in ENDED for row in rows):
                return rows
            time.sleep(every_s)
    except KeyboardInterrupt:
        return rows


def _news(changed: list[Row], rows: list[Row], *, first: bool, as_json: bool) -> Iterator[str]:
    """What to say of the rows that changed: at first to people those that run or failed, and how many are in which state."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = [row for row in changed if as_json or not first or row["state"] in ("running", "failed", "damaged")]
    for row in told:
        if as_json:
            yield json.dumps({"time": now, **row}, allow_nan=False)
        else:
            name = " · ".join(str(row[key]) for key in ("model", "dataset", "augmentation", "seed"))
            detail = f"  {row['detail']}" if row["detail"] else ""
            yield f"{now[11:19]}  {row['state']:9}{row['id']}  {name}  step {row['step']} of {row['steps']}{detail}"
    if (told or first) and not as_json:
        yield f"{now[11:19]}  {_counted(rows)}"


def _counted(rows: list[Row]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).items())


def logs(
    cell: Annotated[str, typer.Argument(help="Beginning of a cell's id; `bench status SUITE` prints the ids.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the cell ends; Ctrl-C ends it.")] = False,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="Only so many lines at the end.")] = None,
    store: StoreOption = STORE,
) -> None:
    """Print the log of a cell: notes, warnings, and the traceback of a failure."""
    place = checked(store)
    cell_id = place.find(cell)
    path = place.folder(cell_id) / "log.txt"
    if not path.exists() and not follow:
        raise BenchError(f"cell {cell_id} has no log yet: it has not been started. --follow waits for it.")
    content = path.read_bytes() if path.exists() else b""
    shown = content if lines is None else b"".join(content.splitlines(keepends=True)[-lines:])
    _write(shown)
    if follow:
        try:
            _tail(place, cell_id, path, len(content))
        except KeyboardInterrupt:
            return


def _tail(store: Store, cell_id: str, path: Path, place: int) -> None:
    """Print what is appended to a log until its cell has ended, or has been let go of."""
    seen_at_work = False
    while True:
        at_work = cell_id in running(store)  # before the reading, so that nothing is missed that was written before the end
        if path.exists():
            with path.open("rb") as file:
                file.seek(place)
                more = file.read()
            place += len(more)
            _write(more)
        if not at_work and (seen_at_work or store.state(cell_id) in ENDED):
            return
        seen_at_work = seen_at_work or at_work
        time.sleep(0.3)


def _write(content: bytes) -> None:
    sys.stdout.write(content.decode("utf-8", errors="replace"))
    sys.stdout.flush()


def cancel(
    what: Annotated[str | None, typer.Argument(help="A suite, or the beginning of a cell's id. Unset: everything.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Have running cells save and end, on whatever machine they run; `bench run` takes them up again later.

    A cell: its driver goes on with the others. A suite, or everything: the drivers end with exit code 75. Exit code 1 when
    nothing was running.
    """
    place = checked(store)
    held = running(place)
    suite = _suite_name(what, place) if what is not None else None
    if what is None or suite is not None:
        note = place.suite(suite) if suite else None
        stopped = [cell_id for cell_id in held if note is None or cell_id in note["cells"]]
        if held or suite is not None:  # a driver may be at its data, where it holds no cell yet
            requests.ask_suite(place, suite)
    else:
        cell_id = place.find(what)
        stopped = [cell_id] if cell_id in held else []
        if stopped:
            requests.ask_cell(place, cell_id)
    if as_json:
        print_json([{"id": cell_id, "owner": held[cell_id]} for cell_id in stopped])
    for cell_id in stopped if not as_json else []:
        say(f"asked to save and end: {cell_id}, run by {held[cell_id]}")
    if not stopped:
        say(f"nothing of {what or place.root} is running here")
    raise typer.Exit(0 if stopped else 1)


def _suite_name(what: str, store: Store) -> str | None:
    """The name of a suite given as a file, by its name below ./suites, or by a name the store knows; None for anything else."""
    if what.endswith((".yaml", ".yml")) or (Path("suites") / f"{what}.yaml").exists():
        return load_suite(suite_path(what)).name
    known = {path.stem for path in (store.root / "suites").glob("*.json")}
    return what if what in known else None

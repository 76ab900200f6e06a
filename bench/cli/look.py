"""`bench why`, `list`, `schema`, `dashboard`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cell import Cell, differences
from bench.cli.options import STORE, JsonOption, StoreOption, checked
from bench.cli.printing import print_json, print_table, say
from bench.data import DATASETS
from bench.errors import BenchError, nearest
from bench.metrics import METRICS
from bench.metrics.dialects import DIALECTS, same_as
from bench.models import MODELS
from bench.store import Store


def why(
    cell: Annotated[str, typer.Argument(help="Beginning of a cell's id.")],
    other: Annotated[str | None, typer.Argument(help="Another cell's. Unset: the most similar one in the store.")] = None,
    start: Annotated[bool, typer.Option("--start", help="Compare with the cell it starts from (init_from).")] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Say which fields make two cells different, and so which of training, scoring and profile they share."""
    place = Store(store)
    one = place.cell(place.find(cell))
    if start and other:
        raise BenchError(f"--start: {other} is given as well; leave one of them out")
    two = _start(one) if start else place.cell(place.find(other)) if other else _most_similar(place, one)
    rows = []
    for stage in ("train", "eval", "profile"):
        for path, mine, theirs in differences(one.parts[stage], two.parts[stage]):
            rows.append({"stage": stage, "field": path.removeprefix(f"{stage}."), one.id: mine, two.id: theirs})
    if as_json:
        print_json(rows)
        return
    say(f"{one.id}  {one.label}\n{two.id}  {two.label}")
    if rows:
        print_table([{key: value if isinstance(value, (int, float)) else str(value) for key, value in row.items()} for row in rows])
    else:
        say("Nothing that decides a number is different.")


def _start(cell: Cell) -> Cell:
    if cell.start is None:
        raise BenchError(f"--start: {cell.id} ({cell.label}) starts from no other cell")
    return cell.start


def _most_similar(store: Store, cell: Cell) -> Cell:
    others = [store.cell(each.name) for each in sorted((store.root / "cells").iterdir()) if each.is_dir() and each.name != cell.id]
    if not others:
        raise BenchError(f"{cell.id} is the only cell in {store.root}; run another suite, or name two cells")
    return min(others, key=lambda other: (len(differences(cell.parts, other.parts)), other.id))


def list_(
    what: Annotated[str, typer.Argument(help="models, datasets, metrics, conventions or suites.", metavar="KIND")],
    as_json: JsonOption = False,
) -> None:
    """Print what there is: models, datasets, metrics, conventions of mIoU or suites."""
    kinds: dict[str, Any] = {
        "models": _models,
        "datasets": _datasets,
        "metrics": _metrics,
        "conventions": _conventions,
        "suites": _suites,
    }
    if what not in kinds:
        raise BenchError(f"bench list {what}: unknown kind.{nearest(what, kinds)} It is one of {', '.join(kinds)}.")
    rows = kinds[what]()
    if as_json:
        print_json(rows)
    else:
        print_table(rows)


def _models() -> list[dict[str, Any]]:
    return [{"name": name, "summary": entry.summary, "paper": entry.paper} for name, entry in MODELS.items()]


def _datasets() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "classes": entry.num_classes,
            "splits": ", ".join(f"{split} {size if size is not None else '(any)'}" for split, size in entry.splits.items()),
            "license": entry.license,
            "paper": entry.paper,
        }
        for name, entry in DATASETS.items()
    ]


def _metrics() -> list[dict[str, Any]]:
    return [
        {"name": name, "unit": entry.unit, "better": "higher" if entry.higher_is_better else "lower", "summary": entry.summary}
        for name, entry in METRICS.items()
    ]


def _conventions() -> list[dict[str, Any]]:
    return [
        {"name": name, "same_as": same_as(name), "interval": "no" if dialect.ordered else "yes", "rule": dialect.rule}
        for name, dialect in DIALECTS.items()
    ]


def _suites() -> list[dict[str, Any]]:
    from bench.suite import load_suite

    rows = []
    for path in sorted(Path("suites").glob("*.yaml")):
        try:
            rows.append({"name": path.stem, "title": load_suite(path).title})
        except BenchError as error:
            rows.append({"name": path.stem, "title": f"cannot be read: {str(error).splitlines()[0]}"})
    return rows


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="The page of all fields, for reading.")] = False,
) -> None:
    """Print the JSON Schema of suite files, for editors."""
    from bench.reference import reference
    from bench.suite import schema as text

    print(reference() if markdown else text(), end="")


def dashboard(
    store: StoreOption = STORE,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 8501,
    address: Annotated[
        str, typer.Option("--address", help="Address to listen on; another than this lets others in.")
    ] = "127.0.0.1",
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
) -> None:
    """Open the dashboard on a store, or on the published ./reports where it has no suite; it listens on this machine only."""
    from dashboard.serve import serve

    serve(checked(store), address=address, port=port, headless=headless, say=say)

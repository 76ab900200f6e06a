"""Options that several commands share, and how a suite argument becomes cells."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cell import Cell
from bench.contest import contests
from bench.entrants import beside
from bench.errors import BenchError, nearest
from bench.expand import expand
from bench.plan import Plan, survey
from bench.smoke import smoke, smoke_store
from bench.store import Store
from bench.suite import Suite
from bench.trust import read_suite

SuiteArgument = Annotated[str, typer.Argument(help="Suite file, or the name of one below ./suites.", show_default=False)]
StoreOption = Annotated[Path, typer.Option("--store", envvar="BENCH_STORE", help="Folder of results.", metavar="DIR")]
DataOption = Annotated[Path, typer.Option("--data-root", envvar="BENCH_DATA", help="Folder the data sets lie in.", metavar="DIR")]
SetOption = Annotated[
    list[str], typer.Option("--set", help="Override a field, e.g. train.steps=200. Repeatable.", metavar="PATH=VALUE")
]
SmokeOption = Annotated[bool, typer.Option("--smoke", help="A few steps of every cell on generated data, in a store of its own.")]
ConventionOption = Annotated[
    str, typer.Option("--convention", help="Convention of mIoU; `bench list conventions` prints them.", metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a row.")]
STORE, DATA = Path("runs"), Path("data")


@dataclass(frozen=True)
class Opened:
    """A suite with its cells planned against a store."""

    suite: Suite
    store: Store
    data_root: Path
    plan: Plan

    def entrants(self) -> list[Cell]:
        """The external models that were scored on what this suite reports."""
        return beside(self.plan.contests, self.store)


def suite_path(name: str) -> Path:
    """A suite by path, or by its name below ./suites; raises BenchError with the nearest names."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    found = Path("suites") / f"{name}.yaml"
    if found.exists():
        return found
    known = sorted(each.stem for each in Path("suites").glob("*.yaml"))
    raise BenchError(
        f"no suite {name!r}.{nearest(name, known)} Give a file, or one of ./suites: {', '.join(known) or 'there is none'}."
    )


def checked(root: Path) -> Store:
    """The store below a folder; raises BenchError when there is something else in its place."""
    if root.exists() and not root.is_dir():
        raise BenchError(f"the store {root} cannot be written: it is a file. Choose a folder with --store DIR or BENCH_STORE.")
    return Store(root)


def open_suite(name: str, store: Path, data_root: Path, settings: list[str], smoked: bool = False) -> Opened:
    """Read a suite, expand it and survey its data; the data may be absent when an earlier run noted its fingerprints."""
    suite = read_suite(suite_path(name), settings)
    cells, place = expand(suite), checked(store)
    if smoked:
        place = smoke_store(place)
        place.writable()
        cells, data_root = smoke(cells, place)
    return Opened(suite, place, data_root, survey(cells, data_root, place, suite.name, contests(suite, cells)))

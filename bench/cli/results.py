"""`bench leaderboard`, and the ranked rows of a suite."""

from contextlib import suppress
from typing import Annotated

import typer

from bench.breakdown import BREAKDOWNS
from bench.cell import Cell, digest
from bench.cli.memory import remembered
from bench.cli.options import (
    DATA,
    STORE,
    ConventionOption,
    DataOption,
    JsonOption,
    Opened,
    SetOption,
    SmokeOption,
    StoreOption,
    SuiteArgument,
    open_suite,
)
from bench.cli.printing import say, show
from bench.contest import RULES
from bench.entrants import under_other_rules
from bench.errors import BenchError, nearest
from bench.export import table
from bench.leaderboard import PERCENT, Row, collect, rank
from bench.published import beside
from bench.scored import statistic
from bench.tables import WRITERS, Table

MetricOption = Annotated[str, typer.Option("--metric", help="Score to rank by.")]
ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="class, stride (its cost by class), size (of objects), trimap, distance (to the boundary), convention, image.",
        metavar="WHAT",
    ),
]
FOR_PROGRAMS = ("csv", "json")
MANY_CELLS = 500
"""From so many on a table takes seconds to make, and is kept (`bench.kept`)."""


def leaderboard(
    suite: SuiteArgument,
    metric: MetricOption = "miou",
    convention: ConventionOption = "fcn",
    by: ByOption = None,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print the ranked results of a suite, seeds grouped, with 95 % intervals."""
    opened = open_suite(suite, store, data_root, settings, smoke)
    made = _table(opened, metric, convention, by, "json" if as_json else "text")
    if as_json:
        print(WRITERS["json"](made), end="")
        warn(made)
        return
    print(opened.suite.title or opened.suite.name)
    show(made)


def ranked(opened: Opened, metric: str, convention: str) -> list[Row]:
    """Ranked rows; raises BenchError when there is nothing to rank."""
    return _rank(opened, _contestants(opened, metric, convention), metric, convention)


def _contestants(opened: Opened, metric: str, convention: str) -> list[Cell]:
    """The cells to rank, external models among them; raises BenchError when there are none, and for unknown scores."""
    check_score(metric)
    statistic("miou", convention)
    cells = [*opened.plan.cells, *opened.entrants()]
    if not cells and opened.plan.blocked:
        raise BenchError("\n".join(opened.plan.missing()))
    if not opened.plan.cells:
        for reason in opened.plan.missing():
            say(reason)  # external models can be shown all the same
    for name in under_other_rules(opened.plan.contests, opened.store):
        say(f"{name}: scored on these labels by other rules (eval.{', eval.'.join(RULES)}), so it is not shown; score it by these.")
    return cells


def _rank(opened: Opened, cells: list[Cell], metric: str, convention: str) -> list[Row]:
    rows = rank(collect(cells, opened.store), opened.store, metric=metric, convention=convention)
    if not any(row.results or row.failures for row in rows):
        path = opened.suite.document.path
        how = f"Run it: bench run {path}" if opened.suite.matrix else f"Score some: bench score {path} --predictions DIR"
        raise BenchError(f"{opened.suite.name} has no results in {opened.store.root}. {how}")
    return beside(rows, opened.suite)


def check_score(metric: str) -> None:
    """Raises BenchError for a score that rows do not have."""
    if metric not in PERCENT:
        raise BenchError(f"--metric {metric}: unknown score.{nearest(metric, PERCENT)} It is one of {', '.join(PERCENT)}.")


def broken_down(rows: list[Row], by: str, to: str) -> Table:
    """A leaderboard taken apart; raises BenchError for a way there is not, or one that the format has no place for."""
    if by not in BREAKDOWNS:
        raise BenchError(f"--by {by}: unknown.{nearest(by, BREAKDOWNS)} It is one of {', '.join(BREAKDOWNS)}.")
    if by == "image" and to not in FOR_PROGRAMS:
        raise BenchError(f"--by {by}: one line a row, seed and image is for programs: bench export SUITE --by image --format csv")
    return BREAKDOWNS[by](rows)


def _table(opened: Opened, metric: str, convention: str, by: str | None, to: str) -> Table:
    """The leaderboard of a suite, or a breakdown of it, as it was made before where nothing has changed."""
    cells = _contestants(opened, metric, convention)

    def make() -> Table:
        rows = _rank(opened, cells, metric, convention)
        return table(rows) if by is None else broken_down(rows, by, to)

    asked = [repr(opened.suite), metric, convention, by]
    return remembered(opened.store, f"{opened.suite.name}-{digest(asked[1:])[:8]}", cells, asked, make)


def make_ready(opened: Opened) -> None:
    """Make the leaderboard of a large suite that has just been run, so that it is there when it is asked for."""
    if len(opened.plan.cells) >= MANY_CELLS:
        with suppress(BenchError):  # `leaderboard` says what is wrong
            _table(opened, "miou", "fcn", None, "text")


def warn(made: Table) -> None:
    """Warnings, where the product on standard output has no place for them."""
    for warning in made.warnings:
        say(f"warning: {warning}")

"""`bench leaderboard` and `bench export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
from bench.cli.printing import console, say
from bench.errors import BenchError, nearest
from bench.export import FORMATS, TITLES, cell_text, columns, footnotes, to_json
from bench.leaderboard import PERCENT, Row, collect, rank
from bench.store import write_whole

MetricOption = Annotated[str, typer.Option("--metric", help="Score to rank by.")]


def leaderboard(
    suite: SuiteArgument,
    metric: MetricOption = "miou",
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print the ranked results of a suite, seeds grouped, with 95 % intervals."""
    opened = open_suite(suite, store, data_root, settings, smoke)
    rows = _rows(opened, metric)
    if as_json:
        print(to_json(rows), end="")
        return
    print_rows(rows, opened.suite.title or opened.suite.name)


def print_rows(rows: list[Row], title: str) -> None:
    """A table of the leaderboard with its footnotes."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    names = columns(rows)
    for name in names:
        left = name in ("model", "dataset", "augmentation", "status")
        table.add_column(TITLES.get(name, name), justify="left" if left else "right", no_wrap=not left)
    for row in rows:
        table.add_row(*(cell_text(row, name) for name in names))
    out = console()
    out.print(table)
    for note in footnotes(rows):
        out.print(note, style="dim")


def export(
    suite: SuiteArgument,
    to: Annotated[str, typer.Option("--format", help="csv, md, latex or json.")] = "md",
    out: Annotated[Path | None, typer.Option("--out", help="File to write. Unset: standard output.", metavar="FILE")] = None,
    metric: MetricOption = "miou",
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Write the leaderboard of a suite for a paper, a README or a program."""
    if to not in FORMATS:
        raise BenchError(f"--format {to}: unknown format.{nearest(to, FORMATS)} It is one of {', '.join(FORMATS)}.")
    text = FORMATS[to](_rows(open_suite(suite, store, data_root, settings, smoke), metric))
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_whole(out, text.encode())
    except OSError as error:
        raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}") from None
    say(f"{out}: written")


def _rows(opened: Opened, metric: str) -> list[Row]:
    """Ranked rows; raises BenchError when there is nothing to rank."""
    if metric not in PERCENT:
        raise BenchError(f"--metric {metric}: unknown score.{nearest(metric, PERCENT)} It is one of {', '.join(PERCENT)}.")
    cells = [*opened.plan.cells, *opened.entrants()]
    if not cells and opened.plan.blocked:
        raise BenchError("\n".join(opened.plan.missing()))
    if not opened.plan.cells:
        for reason in opened.plan.missing():
            say(reason)  # external models can be shown all the same
    rows = rank(collect(cells, opened.store), opened.store, metric=metric)
    if not any(row.results or row.failures for row in rows):
        path = opened.suite.document.path
        how = f"Run it: bench run {path}" if opened.suite.matrix else f"Score some: bench score {path} --predictions DIR"
        raise BenchError(f"{opened.suite.name} has no results in {opened.store.root}. {how}")
    return rows

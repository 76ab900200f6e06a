"""`bench compare` and `bench noise`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DATA,
    STORE,
    ConventionOption,
    DataOption,
    JsonOption,
    SetOption,
    SmokeOption,
    StoreOption,
    SuiteArgument,
    checked,
    open_suite,
)
from bench.cli.printing import print_json, print_table, say, show
from bench.cli.results import check_score, ranked
from bench.compare import METRICS, compare, differences_of
from bench.comparison_text import as_data, as_text, pairs_table
from bench.errors import BenchError
from bench.leaderboard import Row, collect, rank
from bench.names import find_row, marked
from bench.noise import floor, repeated, seed_floor
from bench.pairs import pairs_along
from bench.store import Store

What = Annotated[
    list[str], typer.Argument(help="SUITE A B: two rows of a suite. CELL CELL: two cells by their ids.", metavar="[SUITE] A B")
]
Pairs = Annotated[
    list[str],
    typer.Option(
        "--pairs",
        help="With SUITE alone: all pairs of rows that differ in this field only, such as augmentation, fraction or "
        "model.stride. Repeatable.",
        metavar="FIELD",
    ),
]


def compare_rows(
    what: What,
    pairs: Pairs = [],  # noqa: B006  typer reads the default and never changes it
    metric: Annotated[
        list[str], typer.Option("--metric", help="Score to compare. Repeatable. Unset: miou and boundary_iou.", metavar="NAME")
    ] = [],  # noqa: B006
    convention: ConventionOption = "fcn",
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Compare two rows: differences with intervals and tests, classes, images, and how many seeds would settle it.

    A row goes by its model's label, and where that is not enough by what sets it apart: unet/standard, fcn/stride=8.
    """
    given = " ".join(what)
    for each in metric:
        check_score(each)
    metrics = tuple(dict.fromkeys(metric)) or METRICS
    if pairs and len(what) != 1:
        raise BenchError(f"--pairs takes a suite alone, given {given}: bench compare {what[0]} --pairs {pairs[0]}")
    if not pairs and len(what) not in (2, 3):
        raise BenchError(f"given {given}: bench compare SUITE A B, bench compare CELL CELL, or bench compare SUITE --pairs FIELD")
    if len(what) == 2:
        rows = [_cell_row(checked(store), prefix, convention) for prefix in what]
        chosen = (rows[0], rows[1])
    else:
        rows = ranked(open_suite(what[0], store, data_root, settings, smoke), "miou", convention)
        chosen = (find_row(rows, what[1]), find_row(rows, what[2])) if len(what) == 3 else (rows[0], rows[0])
    named = dict(zip(map(id, rows), marked(rows), strict=True))
    if pairs:
        found = pairs_along(rows, pairs)
        table = pairs_table(named, found, differences_of(found, rows, metrics=metrics))
        print_json(table.records) if as_json else show(table)
        return
    if chosen[0] is chosen[1] or chosen[0].cells[0].id == chosen[1].cells[0].id:
        raise BenchError(f"{what[-2]} and {what[-1]} are the same; name two that differ")
    a, b = (named[id(row)] if len(what) == 3 else row.cells[0].id for row in chosen)
    comparison = compare(*chosen, rows, metrics=metrics)
    if as_json:
        print_json(as_data(a, b, comparison))
        return
    for part in as_text(a, b, comparison):
        print(part) if isinstance(part, str) else show(part)


def noise(
    suite: SuiteArgument,
    repeats: Annotated[
        list[Path], typer.Option("--repeat", help="Store the same suite was run into again. Repeatable.", metavar="DIR")
    ],
    metric: Annotated[str, typer.Option("--metric", help="Score whose noise is measured.")] = "miou",
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Measure the noise floor: how far a score moves when the same seed is trained again, in another store."""
    check_score(metric)
    opened = open_suite(suite, store, data_root, settings, smoke)
    for place in repeats:
        if not place.is_dir():
            raise BenchError(f"--repeat {place}: no such folder. Repeat the suite into it: bench run {suite} --store {place}")
        if place.resolve() == opened.store.root.resolve():
            raise BenchError(f"--repeat {place}: is the suite's own store; name another, into which it was run again")
    rows = collect(opened.plan.cells, opened.store)
    found = repeated(rows, [checked(place) for place in repeats], metric)
    again, seeds = floor(found), seed_floor(rows, metric)
    if as_json:
        seed = asdict(seeds) if seeds else None
        print_json({"metric": metric, "floor": asdict(again), "between_seeds": seed, "cells": [asdict(each) for each in found]})
        return
    print_table(
        [
            {"cell": each.label, **{f"run {place}": f"{value * 100:.2f}" for place, value in enumerate(each.scores, 1)}}
            for each in found
        ]
    )
    alike = sum(len(set(each.scores)) == 1 for each in found)
    print(f"{metric} in percent; {alike} of {len(found)} cells repeat to the last digit.")
    print(
        f"Same seed again: standard deviation {again.sd * 100:.2f} points; two trainings differ by up to "
        f"{again.difference * 100:.2f} points in 95 of 100 repetitions."
    )
    if seeds:
        print(f"Between seeds: standard deviation {seeds.sd * 100:.2f} points.")


def _cell_row(store: Store, prefix: str, convention: str) -> Row:
    """A cell as a row of its own."""
    try:
        cell = store.cell(store.find(prefix))
    except BenchError as error:
        raise BenchError(f"{error} Two names are cells; with a suite there are three: bench compare SUITE A B.") from None
    (row,) = rank(collect([cell], store), store, convention=convention)
    if not row.results:
        raise BenchError(f"{cell.id} ({cell.label}) has no result: {row.status}")
    say(f"{cell.id}  {cell.label}")
    return row

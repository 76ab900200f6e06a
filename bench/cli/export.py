"""`bench export`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import __version__
from bench.cli.options import (
    DATA,
    STORE,
    ConventionOption,
    DataOption,
    Opened,
    SetOption,
    SmokeOption,
    StoreOption,
    SuiteArgument,
    open_suite,
)
from bench.cli.printing import say
from bench.cli.results import FOR_PROGRAMS, ByOption, MetricOption, broken_down, ranked, warn
from bench.errors import BenchError, nearest
from bench.export import table
from bench.layout import BOUNDS, Layout, alike, chosen_columns, chosen_rows, split_names
from bench.leaderboard import Row
from bench.marks import weigh
from bench.paper.breakdown import breakdown
from bench.paper.command import command
from bench.paper.latex import latex
from bench.paper.sheet import Sheet, sheet
from bench.store import write_whole
from bench.tables import WRITERS

FIGURES = ("pdf", "svg")
FORMATS = (*WRITERS, "html", *FIGURES)
_PEOPLE = ("md", "latex", "html")
ACCEPTED = {
    "--by": tuple(WRITERS),
    "--columns": (*WRITERS, "html"),
    "--group-by": _PEOPLE,
    "--interval": _PEOPLE,
    "--percent": _PEOPLE,
    "--figure": FIGURES,
    "--width-mm": FIGURES,
    "--font": FIGURES,
    "--font-size-pt": FIGURES,
}
"""The formats that an option is for; one that is not here is for all."""
_LAYOUT = ("--columns", "--group-by", "--interval", "--percent")

RowsOption = Annotated[
    list[str], typer.Option("--rows", help="Rows to show, as `bench compare` names them. Repeatable, or parted by commas.")
]
ColumnsOption = Annotated[
    list[str], typer.Option("--columns", help="Columns, by the keys of --json. Repeatable, or parted by commas.", metavar="KEYS")
]


def export(
    suite: SuiteArgument,
    to: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "md",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, or folder of figures. Unset: standard output.", metavar="PATH")
    ] = None,
    metric: MetricOption = "miou",
    convention: ConventionOption = "fcn",
    by: ByOption = None,
    rows: RowsOption = [],  # noqa: B006  typer reads the default and never changes it
    columns: ColumnsOption = [],  # noqa: B006
    group_by: Annotated[str | None, typer.Option("--group-by", help="Rows in groups: dataset, augmentation, an axis, …")] = None,
    interval: Annotated[
        str | None, typer.Option("--interval", help="pm (± half the width), range (low, high) or none.", metavar="HOW")
    ] = None,
    percent: Annotated[bool | None, typer.Option("--percent/--no-percent", help="Scores in percent, or in [0, 1].")] = None,
    figure: Annotated[list[str], typer.Option("--figure", help="stride, tradeoff or boundary. Repeatable. Unset: all.")] = [],  # noqa: B006
    width_mm: Annotated[float | None, typer.Option("--width-mm", help="Width of a figure; 85 unless given.")] = None,
    font: Annotated[str | None, typer.Option("--font", help="Font family of the document; STIXGeneral unless given.")] = None,
    font_size_pt: Annotated[float | None, typer.Option("--font-size-pt", help="Size of a figure's text; 8 unless given.")] = None,
    settings: SetOption = [],  # noqa: B006
    smoke: SmokeOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Write a suite's results for a paper, a README, a browser or a program."""
    if to not in FORMATS:
        raise BenchError(f"--format {to}: unknown format.{nearest(to, FORMATS)} It is one of {', '.join(FORMATS)}.")
    given = {
        "--by": by, "--columns": columns, "--group-by": group_by, "--interval": interval, "--percent": percent, "--figure": figure,
        "--width-mm": width_mm, "--font": font, "--font-size-pt": font_size_pt,
    }  # fmt: skip
    _applicable({name for name, value in given.items() if value not in (None, [])}, to)
    opened = open_suite(suite, store, data_root, settings, smoke)
    found = ranked(opened, metric, convention)
    layout = Layout(
        split_names(rows, found),
        split_names(columns, [], "--columns"),
        group_by,
        percent is not False,
        _interval(interval or ("pm" if to == "latex" else "range")),
    )
    if twins := alike(chosen_rows(found, layout), layout):
        say(f"note: {twins}")
    if to in FIGURES:
        from bench.cli.figures import Page, draw  # the drawing library opens slowly

        chosen = {"width_mm": width_mm, "font": font, "font_size_pt": font_size_pt}
        page = Page(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
        draw(opened, chosen_rows(found, layout), to, out, tuple(figure), page)
        return
    options: dict[str, Any] = {"suite": opened.suite.name, "metric": metric, "convention": convention, "settings": settings}
    options |= ({"by": by} if by else {}) | ({"smoke": True} if smoke else {})
    _write(_text(opened, found, to, by, layout, options), out)


def _applicable(given: set[str], to: str) -> None:
    """Raises BenchError for an option that would have no effect."""
    for name in sorted(given):
        if to not in ACCEPTED[name]:
            why = ": scores there are in [0, 1], each with its _low and _high" if to in FOR_PROGRAMS and name in _LAYOUT else ""
            raise BenchError(f"{name} has no effect with --format {to}{why}. It is for {', '.join(ACCEPTED[name])}.")
        if "--by" in given and name in _LAYOUT:
            raise BenchError(f"{name} has no effect with --by, whose columns are fixed; leave one of the two out.")


def _interval(name: str) -> Any:
    if name not in BOUNDS:
        raise BenchError(f"--interval {name}: unknown.{nearest(name, BOUNDS)} It is one of {', '.join(BOUNDS)}.")
    return name


def _text(opened: Opened, rows: list[Row], to: str, by: str | None, layout: Layout, options: dict[str, Any]) -> str:
    if to in ("html", "latex"):
        if to == "latex":
            return latex(remade(opened, rows, layout, options), command(options, to, layout), __version__)
        from bench.page import page, roomy  # figures need pandas and plotly

        made = remade(opened, rows, roomy(rows, layout), options)
        return page(made, chosen_rows(rows, layout), command(options, to, layout), __version__)
    shown = chosen_rows(rows, layout)
    plain = broken_down(shown, by, to) if by else table(weigh(rows, shown, chosen_columns(shown, layout)).rows, layout)
    if to in FOR_PROGRAMS:
        warn(plain)
    return WRITERS[to](plain)


def remade(opened: Opened, rows: list[Row], layout: Layout, options: dict[str, Any]) -> Sheet:
    """The table for a paper that some options make of the ranked rows; raises BenchError for what these have not."""
    heading = opened.suite.title or opened.suite.name
    if by := options.get("by"):
        return breakdown(broken_down(chosen_rows(rows, layout), by, "latex"), rows, opened.store, heading, layout, options)
    return sheet(rows, opened.store, heading, layout, options)


def _write(text: str, out: Path | None) -> None:
    content = text.encode("utf-8", "replace")  # a name may hold half a character
    if out is None:
        sys.stdout.write(content.decode())
        return
    try:
        write_whole(out, content)
    except OSError as error:
        raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}") from None
    say(f"{out}: written")

"""`bench verify-table`."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import __version__
from bench.cli.export import remade
from bench.cli.options import DATA, STORE, DataOption, JsonOption, SetOption, SmokeOption, StoreOption, open_suite
from bench.cli.printing import print_json, say
from bench.cli.results import ranked
from bench.errors import BenchError
from bench.layout import Layout, layout_from_json
from bench.leaderboard import Row
from bench.names import find_rows
from bench.paper.scan import scan
from bench.paper.sheet import Sheet
from bench.paper.verify import Report, verify

_LONGEST = 16 << 20
"""Characters that are read of a file at most."""


def verify_table(
    files: Annotated[list[Path], typer.Argument(help="LaTeX files: the paper, and those it takes in.", show_default=False)],
    suite: Annotated[str, typer.Option("--suite", help="Suite file, or the name of one below ./suites.", metavar="SUITE")],
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    smoke: SmokeOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Check that every number of the exported tables in a paper still is what the results say; exit code 1 when some is not."""
    scans = [scan(str(path), _read(path)) for path in files]
    if not any(each.found for each in scans):
        raise BenchError(
            f"{', '.join(map(str, files))}: no table that `bench export --format latex` wrote. If the paper takes it in from "
            r"another file (\input), name that as well."
        )
    opened = open_suite(suite, store, data_root, settings, smoke)

    def again(options: dict[str, Any]) -> Sheet:
        try:
            metric, convention, layout = options["metric"], options["convention"], layout_from_json(options["layout"])
            given = [str(each) for each in options["settings"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(f"the comment `bench-table` of a table cannot be read ({error!r}). Export the table again.") from None
        if given != settings:
            words = " ".join(f"--set {each}" for each in given) or "no --set"
            raise BenchError(f"the table was exported with {words}; check it with the same")
        made = {"suite": opened.suite.name, "metric": metric, "convention": convention, "settings": settings}
        made |= ({"by": str(options["by"])} if "by" in options else {}) | ({"smoke": True} if smoke else {})
        rows = ranked(opened, str(metric), str(convention))
        return remade(opened, rows, _as_far_as_there(layout, rows), made)

    report = verify(scans, opened.suite.name, again)
    names = {str(header.options.get("suite")) for each in scans for header in each.headers}
    if names and opened.suite.name not in names:
        raise BenchError(f"the tables are of {', '.join(sorted(names))}, not of {opened.suite.name}. Give that suite with --suite.")
    for file, header in ((each.name, header) for each in scans for header in each.headers):
        if header.made_by != __version__:
            say(f"{file}:{header.line}: exported by stridebench {header.made_by}, and checked by {__version__}")
    _print(report, as_json)
    raise typer.Exit(1 if report.findings else 0)


def _as_far_as_there(layout: Layout, rows: list[Row]) -> Layout:
    """Without the names of rows that are gone: the numbers of these are findings, and no reason to stop."""
    there = []
    for name in layout.rows:
        with suppress(BenchError):
            find_rows(rows, name)
            there.append(name)
    return replace(layout, rows=tuple(there)) if there else layout


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise BenchError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(text) > _LONGEST:
        raise BenchError(f"{path}: more than {_LONGEST >> 20} million characters, so no LaTeX file. Name the paper's own files.")
    return text


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print_json([each.to_json() for each in report.findings])
        return
    for each in report.findings:
        print(each)
    others = f"; {report.strangers} of other suites, not looked at" if report.strangers else ""
    say(f"{report.agreed} numbers and names agree, {len(report.findings)} findings{others}")

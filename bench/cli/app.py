"""The typer application, and the commands in it."""

import typer

from bench import __version__
from bench.cli import (
    ceiling,
    compare,
    data,
    export,
    gc,
    heatmap,
    inspect,
    look,
    profile,
    pull,
    results,
    run,
    score,
    slurm,
    trust,
    verify,
    watch,
)

EPILOG = (
    "Exit codes: 0 done · 1 findings: defects, damage, nothing to stop (or a bug, with a traceback) · 2 your input · "
    "3 some cells failed · 75 interrupted or cancelled, run again to go on.  "
    "BENCH_STORE and BENCH_DATA set --store and --data-root."
)
app = typer.Typer(
    name="bench",
    help="Compare segmentation networks over output stride, augmentation and amount of data.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.run,
    run.retry,
    run.rescore,
    run.plan,
    run.sync,
    slurm.slurm,
    pull.pull,
    results.leaderboard,
    export.export,
    score.score,
    compare.noise,
    watch.status,
    watch.logs,
    watch.cancel,
    gc.gc,
    look.why,
    look.schema,
    look.dashboard,
):
    app.command()(command)
app.command()(heatmap.heatmap)
app.command(cls=inspect.SizeOption)(inspect.inspect)
app.command(cls=inspect.SizeOption)(profile.profile)
app.command()(trust.trust)
app.command(name="list")(look.list_)
app.command(name="verify-table")(verify.verify_table)
app.command(name="compare")(compare.compare_rows)
app.command(cls=ceiling.ManyStrides)(ceiling.ceiling)
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _common(version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True)) -> None:
    pass

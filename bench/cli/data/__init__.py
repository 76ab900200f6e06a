"""`bench data`: what data sets there are, getting them, checking them, looking at them."""

import typer

from bench.cli.data import check, look, obtain, show

app = typer.Typer(help="List, fetch, check, prepare and look at data sets.", no_args_is_help=True)
app.command(name="list")(look.list_)
app.command()(look.info)
app.command()(obtain.fetch)
app.command()(check.check)
app.command()(obtain.prepare)
app.command()(show.show)

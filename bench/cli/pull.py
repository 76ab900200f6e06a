"""`bench pull`: a store rebuilt from an MLflow server."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import STORE, StoreOption, checked, suite_path
from bench.cli.printing import say
from bench.errors import BenchError
from bench.suite import load_suite


def pull(
    suite: Annotated[str, typer.Argument(help="Suite file, or the name of a suite without one.", show_default=False)],
    tracking_uri: Annotated[
        str, typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server to read.", metavar="URI")
    ],
    store: StoreOption = STORE,
) -> None:
    """Take over what an MLflow server has of a suite and the store has not: results, failures, sums, curves and logs.

    What is finished here is never written over, and doing it twice changes nothing. Weights stay where they were trained.
    """
    place, name = checked(store), _name(suite)
    from bench.pull import pull as take_over  # its statistics and the client load slowly

    try:
        pulled = take_over(place, tracking_uri, name)
    except BenchError:
        raise
    except Exception as error:
        # Whatever a client library raises for a server that is away. Cells come one by one, so each one that is here is whole.
        raise BenchError(f"{tracking_uri} could not be read: {str(error).splitlines()[0][:300]}. Pull again later.") from error
    counts = ", ".join(f"{count} {outcome}" for outcome, count in pulled.outcomes.items()) or "no run of a cell"
    say(f"{tracking_uri}: {counts}.")
    if pulled.problems:
        raise BenchError("\n".join(pulled.problems))
    say(f"Leaderboard: bench leaderboard {suite}")


def _name(suite: str) -> str:
    """The name of a suite given as a file or by its name, whether its file is here or not."""
    if suite.endswith((".yaml", ".yml")) or (Path("suites") / f"{suite}.yaml").exists():
        return load_suite(suite_path(suite)).name
    return suite

"""`bench trust`."""

from typing import Annotated

import typer

from bench.cli.options import SuiteArgument, suite_path
from bench.cli.printing import say
from bench.expand import expand
from bench.registry import permit
from bench.suite import load_suite
from bench.trust import code_of, plugins, revoke, trust_file
from bench.trust import trust as put


def trust(
    suite: SuiteArgument,
    take_back: Annotated[bool, typer.Option("--revoke", help="Take the suite off the list.")] = False,
) -> None:
    """Let a suite run the code that its models and data sets name, until the file changes."""
    path = suite_path(suite)
    if take_back:
        say(f"{path} is trusted no more." if revoke(path) else f"{path} was not trusted.")
        return
    suite_ = load_suite(path)
    named = code_of(suite_)
    permit(named)
    named = list(dict.fromkeys([*named, *plugins(cell.model for cell in expand(suite_))]))
    put(path)
    say(f"{path} may now run {', '.join(named) if named else 'code; it names none yet'}, until it changes. Kept in {trust_file()}.")

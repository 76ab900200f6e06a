"""How far a long command has come: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.cli.printing import say


@contextmanager
def progress(title: str, *, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function to call with what is done and what there is in all, in "bytes" or any other unit."""
    if sys.stderr.isatty():
        with _bar(title, unit) as report:
            yield report
        return
    tenth = 0

    def line(done: int, total: int | None) -> None:
        nonlocal tenth
        if total and 10 * done // total > tenth:
            tenth = 10 * done // total
            say(f"{title}: {done:,} of {total:,} {unit}")

    yield line


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amounts = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
    bar = Progress(TextColumn("{task.description}"), BarColumn(), *amounts, TimeRemainingColumn(), console=Console(stderr=True))
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

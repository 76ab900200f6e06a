"""What a user can do wrong, and how we say so."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class BenchError(Exception):
    """A mistake of the user's: the message holds the value given, the place, and the next step.

    The command line prints it without a traceback and exits with code 2.
    """


class FileError(BenchError):
    """Something is wrong with one file of a data set: it is "missing", "unreadable", of another "size", or has wrong "values"."""

    def __init__(self, kind: str, file: Path, fault: str, advice: str) -> None:
        super().__init__(f"{file}: {fault}. {advice}")
        self.kind, self.file, self.fault = kind, file, fault


class BenchWarning(UserWarning):
    """Something the user should know that does not stop the work."""


def unknown(kind: str, name: object, known: Iterable[str]) -> BenchError:
    """The error for a name no registry holds, with the nearest names and where to list them all."""
    return BenchError(f"unknown {kind} {name!r}.{nearest(name, known)} `bench list {kind}s` prints them all.")


def nearest(name: object, known: Iterable[str]) -> str:
    """A "Did you mean" sentence with a leading space, or nothing when no known name is close."""
    near = get_close_matches(str(name), list(known), n=3)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""

"""The entries of the tables, and how a name in a suite becomes code.

A registry is a literal dict of frozen entries that name ``"module:function"``. Nothing registers itself, importing a table
imports none of what it names, and so listing and planning never pay for torch.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from bench.errors import BenchError, unknown

Entry = TypeVar("Entry")
PERMITTED = "BENCH_ALLOW_PLUGINS"
"""The variable of the environment that names the code of the user's own that may be imported; the processes of cells inherit it."""

FILES = "bench.data.decode:files"
"""The decoder of data sets with one image file and one label file a sample."""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set: where its code is, and everything about it that is known without reading it."""

    samples: str
    """``module:function`` with signature ``(root, split, spec) -> list[Sample]``."""
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    """One (red, green, blue) a class, in the order of ``class_names``."""
    ignore_index: int | None
    """The label value on disk that means "not annotated", None where there is none; in memory it is always 255."""
    splits: Mapping[str, int | None]
    """Published number of images by split, None where it depends on options."""
    version: str
    license: str
    paper: str
    obtain: str
    """What a person does to get the files, and the folder below the data root they belong in."""
    decode: str = FILES
    """``module:function`` with signature ``(sample, entry, spec) -> (image, label)``."""
    layout: str | None = None
    """``module:function`` with signature ``(root, count, size, seed) -> None`` that writes a generated tree in this format."""
    ids: Mapping[int, int] | None = None
    """Label value on disk -> class, where the two differ. Unset: the values on disk are the classes."""
    void_ids: Collection[int] = ()
    """Further label values on disk that are no class and mean "not annotated". Any other value is an error."""
    roles: Mapping[str, str | None] = field(default_factory=lambda: {"train": "train", "val": "val", "test": "test"})
    """The splits a suite trains on, chooses the checkpoint on and reports on when it names none."""

    @property
    def num_classes(self) -> int:
        """Number of classes, void not counted."""
        return len(self.class_names)


@dataclass(frozen=True)
class ModelEntry:
    """A model family: its builder ``(spec, num_classes) -> nn.Module``, and where it was published."""

    build: str
    summary: str
    paper: str


@dataclass(frozen=True)
class MetricEntry:
    """A number in a result: what it means, its unit, and which direction is better."""

    summary: str
    unit: str
    higher_is_better: bool


def lookup(kind: str, table: Mapping[str, Entry], name: str) -> Entry:
    """The entry of that name; raises BenchError with the nearest names when there is none."""
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def permit(names: Iterable[str]) -> None:
    """Let modules of the user's own be imported, in this process and those it starts, by the ``module:NAME`` a suite says."""
    known = {*os.environ.get(PERMITTED, "").split(","), *names} - {""}
    os.environ[PERMITTED] = ",".join(sorted(known))


def permitted(name: str) -> bool:
    """Whether the user has allowed this code to run: by name, or all of it with 1."""
    return not {"1", name}.isdisjoint(os.environ.get(PERMITTED, "").split(","))


def own_module(kind: str, name: str) -> ModuleType:
    """Import the module of the user's own that ``module:NAME`` names: the one place where code of that kind comes in.

    It is looked for in the installed packages and in the current folder. Raises BenchError for code that the user has not allowed,
    and whatever the module raises.
    """
    if not permitted(name):
        raise BenchError(
            f"{kind} {name!r} is code, which would run with your rights. `bench trust SUITE` allows what a suite names until the "
            f"file changes; {PERMITTED}=1, or --allow-plugins of `bench run`, allows it once."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that nothing installed is shadowed
    return import_module(name.partition(":")[0])


def load(target: str) -> Callable[..., Any]:
    """Import what ``"module:function"`` names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)

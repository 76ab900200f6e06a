"""The ranked table of a suite as a page needs it. What takes long to rank is kept in the store's cache and read again at once.

Streamlit-free, so that `bench dashboard` can rank a large suite before a browser waits for it.
"""

import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.conventions import warnings
from bench.errors import BenchError
from bench.export import footnotes
from bench.frame import rows_frame
from bench.store import Store, read_json, write_json
from bench.stored import ranked, stamp

SLOW_S = 1.0
"""Tables that took longer are kept."""
VERSION = 1


@dataclass(frozen=True)
class View:
    """A suite ranked by one score."""

    frame: pd.DataFrame
    """That of `bench.frame.rows_frame`."""
    problems: list[str]
    notes: list[str]
    warnings: list[str]


def view(store: Store, suite: str, metric: str = "miou") -> View:
    """The ranked table of a suite, from the cache where it stands for these very files; raises BenchError as `ranked` does."""
    path, key = store.cache / "rankings" / f"{suite}.{metric}.json", [VERSION, stamp(store, suite)]
    if (known := _read(path, key)) is not None:
        return known
    began = time.monotonic()
    rows, problems = ranked(store, suite, metric)
    made = View(rows_frame(rows), problems, footnotes(rows), warnings(rows))
    if time.monotonic() - began > SLOW_S:
        _keep(path, key, made)
    return made


def _read(path: Path, key: list[Any]) -> View | None:
    try:
        kept = read_json(path)
        if kept["key"] != key:
            return None
        frame = pd.DataFrame(kept["records"], columns=kept["columns"]).astype(kept["types"])
        return View(frame, kept["problems"], kept["notes"], kept["warnings"])
    except (BenchError, KeyError, TypeError, ValueError):  # not there or damaged: ranked anew
        return None


def _keep(path: Path, key: list[Any], made: View) -> None:
    frame = made.frame
    plain = frame.astype(object).where(frame.notna(), None)
    types = {str(name): str(kind) for name, kind in frame.dtypes.items()}
    data = {**asdict(made), "frame": None, "key": key, "columns": list(frame), "types": types, "records": plain.to_dict("records")}
    with suppress(OSError):  # a store that cannot be written is ranked each time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, data)

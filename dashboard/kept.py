"""The ranked table of a suite as a page needs it. What takes long to rank is kept in the store's cache and read again at once.

Streamlit-free, so that `bench dashboard` can rank a large suite before a browser waits for it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from bench.conventions import warnings
from bench.export import footnotes
from bench.frame import rows_frame
from bench.kept import kept
from bench.store import Store
from bench.stored import ranked, stamp

VERSION = 2


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

    def make() -> View:
        rows, problems = ranked(store, suite, metric)
        return View(rows_frame(rows), problems, footnotes(rows), warnings(rows))

    return kept(path, key, make, pack=_plain, unpack=_view)


def _plain(made: View) -> dict[str, Any]:
    frame = made.frame
    plain = frame.astype(object).where(frame.notna(), None)
    types = {str(name): str(kind) for name, kind in frame.dtypes.items()}
    return {**asdict(made), "frame": None, "columns": list(frame), "types": types, "records": plain.to_dict("records")}


def _view(plain: dict[str, Any]) -> View:
    frame = pd.DataFrame(plain["records"], columns=plain["columns"]).astype(plain["types"])
    return View(frame, plain["problems"], plain["notes"], plain["warnings"])

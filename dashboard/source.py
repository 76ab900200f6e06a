"""Which stores and suites the dashboard shows, and what its pages read of them, cached by the store's state."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from bench.by_curve import CURVES, damage
from bench.cell import Cell
from bench.errors import BenchError
from bench.figures.training import unreadable
from bench.frame import breakdown_frame, cells_frame, curves_frame
from bench.leaderboard import Row
from bench.names import names as short_names
from bench.scored import read
from bench.store import Store
from bench.stored import Stored, ranked, read_cells, read_suite, stamp, suites
from dashboard.kept import View, view

_FEW = 8


@dataclass(frozen=True)
class Shown:
    """One suite in one store."""

    root: str
    suite: str
    published: bool

    @property
    def store(self) -> Store:
        """Where the results lie."""
        return Store(Path(self.root))

    @property
    def stamp(self) -> str:
        """Changes when the results do: what caches are keyed by. As of the last `refresh`."""
        return str(st.session_state["stamp"])


def shelf() -> list[Shown]:
    """The suites of the store the dashboard was opened on, the newest first; of the published reports when it has none."""
    store = Store(Path(os.environ.get("BENCH_STORE", "runs")))
    if found := suites(store):
        return [Shown(str(store.root), name, published=False) for name in found]
    reports = Path(os.environ.get("BENCH_REPORTS", "reports"))
    places = sorted(each for each in reports.glob("*/store") if each.is_dir())
    # The quickstart is what a newcomer knows.
    places.sort(key=lambda place: place.parent.name != "quickstart")
    return [Shown(str(place), name, published=True) for place in places for name in suites(Store(place))]


def chosen() -> Shown:
    """The suite that the page is about."""
    shown: Shown = st.session_state["shown"]
    return shown


def refresh() -> bool:
    """Look at the files of the chosen suite again, and whether they changed; raises BenchError for a note that cannot be read."""
    shown, before = chosen(), st.session_state.get("stamp")
    st.session_state["stamp"] = stamp(shown.store, shown.suite)
    return bool(st.session_state["stamp"] != before)


def table(metric: str = "miou") -> View:
    """The ranked table of the chosen suite; raises BenchError for one that cannot be read."""
    shown = chosen()
    return _view(shown.root, shown.suite, metric, shown.stamp)


@st.cache_data(show_spinner="Ranking results …", max_entries=_FEW)
def _view(root: str, suite: str, metric: str, stamp: str) -> View:
    return view(Store(Path(root)), suite, metric)


def problems() -> list[str]:
    """A sentence for each cell of the chosen suite that cannot be read; raises BenchError for a note that cannot."""
    shown = chosen()
    try:
        return table().problems
    except BenchError:  # rows that cannot be compared, which the pages that rank them say
        return _stored(shown.root, shown.suite, shown.stamp).problems


@st.cache_resource(show_spinner="Reading results …", max_entries=_FEW)
def _stored(root: str, suite: str, stamp: str) -> Stored:
    return read_suite(Store(Path(root)), suite)


def waiting() -> int:
    """How many cells of the chosen suite have not begun."""
    shown = chosen()
    return _stored(shown.root, shown.suite, shown.stamp).waiting


def some_rows(names: list[str]) -> dict[str, Row]:
    """Some rows of the ranked table by their names there, unranked: of a large suite only what is shown is read."""
    shown = chosen()
    return _some_rows(shown.root, shown.suite, tuple(names), shown.stamp)


@st.cache_resource(show_spinner="Reading results …", max_entries=4 * _FEW)
def _some_rows(root: str, suite: str, names: tuple[str, ...], stamp: str) -> dict[str, Row]:
    frame, store = table().frame, Store(Path(root))
    found = {}
    for name, cells in frame.loc[frame["row"].isin(set(names)), ["row", "cells"]].itertuples(index=False):
        (found[name],) = read_cells(store, suite, cells).rows(store)
    return {name: found[name] for name in names if name in found}


def ranked_rows(metric: str = "miou") -> list[Row]:
    """The ranked rows with their sums, for tests and downloads; of a large suite this takes seconds."""
    shown = chosen()
    return _ranked(shown.root, shown.suite, metric, shown.stamp)


@st.cache_resource(show_spinner="Ranking results …", max_entries=2)
def _ranked(root: str, suite: str, metric: str, stamp: str) -> list[Row]:
    return ranked(Store(Path(root)), suite, metric)[0]


def with_sums(picked: list[Row]) -> list[Row]:
    """The rows with their sums per image, unranked: what tests of a few rows need. Raises BenchError for sums that are damaged."""
    store = chosen().store
    return [replace(row, images=[read(store, result.cell_id) for result in row.results]) for row in picked]


def breakdown(by: str, names: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Some rows taken apart, as `bench leaderboard --by`, and a sentence for each whose curves cannot be drawn.

    Raises BenchError when the results hold no such thing.
    """
    whole, faults = [], []
    for name, row in some_rows(names).items():
        fault = damage(row, CURVES[by]) if by in CURVES else None
        faults += [fault] if fault else []
        whole += [(name, row)] if row.results and not fault else []
    if faults and not whole:
        return pd.DataFrame(), faults
    frame = breakdown_frame([row for _, row in whole], by)
    # A row's short name depends on what stands beside it, and here that is not all of the table.
    called = dict(zip(short_names([row for _, row in whole]), (name for name, _ in whole), strict=True))
    return frame.assign(row=frame["row"].map(called)) if len(frame) else frame, faults


def cells() -> list[Cell]:
    """The cells of the chosen suite that can be read."""
    shown = chosen()
    return _stored(shown.root, shown.suite, shown.stamp).cells


def cell_table() -> pd.DataFrame:
    """One line a cell; the state of those without an end is looked up each time, as a suite may be running."""
    shown = chosen()
    table = _cells(shown.root, shown.suite, shown.stamp)
    if table.empty:
        return table
    open_ended = table["state"].isin(("new", "started"))
    table.loc[open_ended, "state"] = [shown.store.state(each) for each in table.loc[open_ended, "cell"]]
    return table


@st.cache_data(show_spinner="Reading results …", max_entries=_FEW)
def _cells(root: str, suite: str, stamp: str) -> pd.DataFrame:
    return cells_frame(cells(), Store(Path(root)))


def curves(picked: list[Cell]) -> tuple[pd.DataFrame, list[str]]:
    """The training curves of some cells, read anew each time, and a sentence for each that cannot be drawn."""
    found = curves_frame(picked, chosen().store)
    faults = unreadable(found)
    sentences = [f"{label}: its curve cannot be drawn: {fault}" for label, fault in faults.items()]
    return found[~found["label"].isin(list(faults))], sentences


def file_text(path: Path, last: int = 4000) -> str:
    """The end of a text file, or "" where there is none; raises BenchError for one that cannot be read."""
    if not path.exists():
        return ""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - last))
            return file.read().decode(errors="replace")
    except OSError as error:
        raise BenchError(f"{path}: cannot be read: {error.strerror or error}") from None

"""Page: how the trainings of a suite went, live while it runs, and why cells failed."""

import pandas as pd
import streamlit as st

from bench import figures
from bench.errors import BenchError
from bench.figures.training import CURVES
from bench.stored import inside
from dashboard.source import cell_table, cells, chosen, curves, file_text, refresh, waiting
from dashboard.views import choose
from dashboard.views.draw import draw, draw_table
from dashboard.views.notes import tell
from dashboard.words import cause, literal, short

_LIVE_S = 5
_LINES = 12
_OPEN = ("started", "new")
"""States that may still change."""


def page() -> None:
    """Draw the curves of a suite's cells, and the cause and log of each that failed."""
    known = cell_table()
    if known.empty:
        st.info("No cell of this suite can be shown yet.")
    # Read again and again only while something may change; between two cells of a running suite none is under way.
    open_ended = waiting() > 0 or (len(known) > 0 and bool(known["state"].isin(_OPEN).any()))
    st.fragment(_guarded_live, run_every=_LIVE_S if open_ended else None)(open_ended)


def _guarded_live(open_ended: bool) -> None:
    try:
        if refresh():
            st.rerun()  # a cell began or ended: the notes above tell of it as well
        if open_ended:
            st.caption(f"Read again every {_LIVE_S} seconds until all cells have ended.")
        if len(known := cell_table()):
            _live(known)
    except BenchError as error:  # a fragment runs outside of its page
        st.error(literal(error))


def _live(known: pd.DataFrame) -> None:
    counts = known["state"].value_counts().to_dict() | ({"not begun": waiting()} if waiting() else {})
    with st.container(horizontal=True):
        for state, count in counts.items():
            st.metric(str(state), int(count))
    trained = known[~known["external"].astype(bool)]
    first = trained.sort_values("state", key=lambda states: states != "started", kind="stable")["label"].tolist()[:_LINES]
    picked = choose.some("Cells", trained["label"].tolist(), key="cells", empty=f"{_LINES} at most, those under way first")
    value = st.selectbox("Curve", list(CURVES), format_func=lambda name: CURVES[name].title, key="curve", bind="query-params")
    found, faults = curves([cell for cell in cells() if cell.label in set(picked or first)])
    tell(faults)
    draw(figures.training(found, value, among=trained), "training", f"{CURVES[value].title} over optimiser steps, one line a cell")
    shown = known[["label", "state", "cause", "train_s"]].assign(label=known["label"].map(short), cause=known["cause"].map(cause))
    shown.columns = pd.Index(["Cell", "State", "Cause", "Training s"])
    config = {"Training s": st.column_config.NumberColumn(format="%.1f")}
    draw_table(shown, "State of every cell", config)
    _failed(known[known["state"] == "failed"])


def _failed(failed: pd.DataFrame) -> None:
    if failed.empty:
        return
    st.subheader("Failed cells")
    for record in failed.to_dict("records"):
        with st.expander(literal(f"{short(record['label'], 80)}: {cause(record['cause'])}")):
            failure = chosen().store.failure(record["cell"])
            st.code(short(record["message"], 2000), language=None, wrap_lines=True)
            if failure and failure.traceback:
                st.code(failure.traceback[-4000:], language=None)
            log = file_text(inside(chosen().store, record["cell"], "log.txt"))
            st.caption("The end of its log:" if log else "It wrote no log.")
            if log:
                st.code(log, language=None)

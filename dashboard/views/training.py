"""Page: how the trainings of a suite went, live while it runs, and why cells failed."""

import pandas as pd
import streamlit as st

from bench import figures
from bench.errors import BenchError
from bench.figures.training import CURVES
from bench.stored import inside
from dashboard.source import cell_table, cells, chosen, curves, file_text, refresh
from dashboard.views import choose
from dashboard.views.draw import draw
from dashboard.words import literal, short

_LIVE_S = 5
_LINES = 12


def page() -> None:
    """Draw the curves of a suite's cells, and the cause and log of each that failed."""
    st.title("Training")
    known = cell_table()
    if known.empty:
        st.info("No cell of this suite can be shown.")
        return
    running = bool((known["state"] == "started").any())
    # Read again and again only while something may change.
    st.fragment(_guarded_live, run_every=_LIVE_S if running else None)()
    _failed(known[known["state"] == "failed"])


def _guarded_live() -> None:
    try:
        _live()
    except BenchError as error:  # a fragment runs outside of its page
        st.error(literal(error))


def _live() -> None:
    refresh()
    known = cell_table()
    counts = known["state"].value_counts()
    with st.container(horizontal=True):
        for state, count in counts.items():
            st.metric(str(state), int(count))
    if (known["state"] == "started").any():
        st.caption(f"Read again every {_LIVE_S} seconds while cells are under way.")
    labels = known.loc[~known["external"].astype(bool), "label"].tolist()
    first = known.loc[known["state"] == "started", "label"].tolist() or labels
    picked = choose.some("Cells", labels, key="cells", default=first[:_LINES])
    value = st.selectbox("Curve", list(CURVES), format_func=lambda name: CURVES[name].title, key="curve", bind="query-params")
    chosen_cells = [cell for cell in cells() if cell.label in set(picked or labels[:_LINES])]
    found: pd.DataFrame = curves(chosen_cells)
    draw(figures.training(found, value), "training", f"{CURVES[value].title} over optimiser steps, one line a cell")
    shown = known[["label", "state", "cause", "train_s"]].assign(label=known["label"].map(short), cause=known["cause"].fillna(""))
    shown.columns = pd.Index(["Cell", "State", "Cause", "Training s"])
    config = {"Training s": st.column_config.NumberColumn(format="%.1f")}
    st.dataframe(shown, column_config=config, hide_index=True, alt="State of every cell")


def _failed(failed: pd.DataFrame) -> None:
    if failed.empty:
        return
    st.subheader("Failed cells")
    for record in failed.to_dict("records"):
        with st.expander(literal(f"{short(record['label'], 80)}: {record['cause']}")):
            failure = chosen().store.failure(record["cell"])
            st.code(short(record["message"], 2000), language=None, wrap_lines=True)
            if failure and failure.traceback:
                st.code(failure.traceback[-4000:], language=None)
            log = file_text(inside(chosen().store, record["cell"], "log.txt"))
            st.caption("The end of its log:" if log else "It wrote no log.")
            if log:
                st.code(log, language=None)

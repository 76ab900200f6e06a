"""Choices that several pages offer. Each is kept in the URL, so that a view can be shared."""

import pandas as pd
import streamlit as st

from bench.figures.look import QUANTITIES
from bench.leaderboard import PERCENT
from dashboard.words import short

_AXES = {
    "dataset": "Data set",
    "family": "Family",
    "output_stride": "Stride (px)",
    "fraction": "Share of the data",
    "augmentation": "Augmentation",
}


def score(label: str = "Score", key: str = "score") -> str:
    """One of the scores in [0, 1]."""
    return st.selectbox(label, PERCENT, format_func=lambda name: QUANTITIES[name].title, key=key, bind="query-params")


def one(label: str, options: list[str], key: str) -> str:
    """One of several words."""
    return st.selectbox(label, options, format_func=short, key=key, bind="query-params")


def some(
    label: str, options: list[str], key: str, default: list[str] | None = None, most: int | None = None, empty: str = "all"
) -> list[str]:
    """Several of several words, as text that a URL can hold."""
    return st.multiselect(
        label, options, default=default, format_func=short, key=key, bind="query-params", max_selections=most, placeholder=empty
    )


def filtered(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table that the reader wants to see; only what differs between rows can be chosen."""
    axes = {name: title for name, title in _AXES.items() if frame[name].nunique() > 1}
    if not axes:
        return frame
    with st.expander("Filter", expanded=any(st.session_state.get(name) for name in axes)):
        for column, (name, title) in zip(st.columns(len(axes)), axes.items(), strict=True):
            words = frame[name].map(_word)
            with column:
                wanted = some(title, sorted(words.dropna().unique(), key=_order), key=name)
            frame = frame[words.isin(wanted)] if wanted else frame
    return frame


def _word(value: object) -> str | None:
    if value is None or value != value:
        return None
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _order(word: str) -> tuple[float, str]:
    try:
        return float(word), ""
    except ValueError:
        return float("inf"), word

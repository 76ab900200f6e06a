"""Page: what accuracy costs."""

import streamlit as st

from bench import figures
from bench.figures.look import QUANTITIES
from bench.figures.tradeoff import COSTS
from dashboard.source import table
from dashboard.views import choose
from dashboard.views.draw import draw, on_phone
from dashboard.words import literal, short

_LEGEND = 16
_PHONE_PX, _DESK_PX = 290, 740
"""Width of the plot."""


def page() -> None:
    """Draw a score against throughput, latency, memory or FLOPs, with the rows that nothing beats in both."""
    left, right = st.columns(2)
    with left:
        metric = choose.score()
    with right:
        cost = st.selectbox("Cost", COSTS, format_func=lambda name: QUANTITIES[name].title, key="cost", bind="query-params")
    whole = table().frame
    rows = choose.filtered(whole)
    sets = list(rows["dataset"].dropna().unique())
    if not sets:
        st.info("No row of this suite has a result.")
    for dataset in sets:
        members = rows[rows["dataset"] == dataset]
        if len(sets) > 1:
            st.subheader(literal(dataset))
        figure = figures.tradeoff(members, cost, metric, among=whole, width_px=_PHONE_PX if on_phone() else _DESK_PX)
        # A legend longer than the picture helps nobody; each bubble says its name when it is pointed at.
        figure.update_layout(height=560, showlegend=members["family"].nunique() <= _LEGEND)
        draw(
            figure,
            f"tradeoff-{dataset}",
            f"{QUANTITIES[metric].title} against {QUANTITIES[cost].title} on {short(dataset)}, a bubble a row, "
            "its area the number of parameters",
        )
    st.caption(
        "A bubble's area is the number of parameters; the dotted line joins the rows that no other beats in one of the two without "
        "losing in the other. Speed and memory are compared within one device, precision, resolution and batch alone."
    )

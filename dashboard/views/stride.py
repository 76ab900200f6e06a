"""Page: what a finer output stride buys, and what it costs. The picture the project exists for."""

import pandas as pd
import streamlit as st

from bench import figures
from bench.figures.look import QUANTITIES
from dashboard.source import table
from dashboard.views import choose
from dashboard.views.draw import draw
from dashboard.words import literal, short

_METRICS = ("miou", "boundary_iou", "images_per_s")
_BOUNDED = ("miou", "boundary_iou")


_LINES = 12


def few_families(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first families by rank, so that a reader can tell the lines apart; says when some are left out."""
    families = list(dict.fromkeys(rows["family"]))
    if len(families) > _LINES:
        st.caption(f"{_LINES} of {len(families)} families, those with the best rows. The filter above finds the others.")
    return rows[rows["family"].isin(families[:_LINES])]


def page() -> None:
    """Draw accuracy, boundary accuracy and throughput against output stride, for each data set."""
    whole = table().frame
    rows = choose.filtered(whole)
    of_ceiling = st.toggle(
        "% of ceiling", key="of_ceiling", bind="query-params", help="Scores as a share of what prediction at the stride could reach"
    )
    sets = list(rows["dataset"].dropna().unique())
    if not sets:
        st.info("No row of this suite has a result.")
    for dataset in sets:
        members = rows[rows["dataset"] == dataset]
        if len(sets) > 1:
            st.subheader(literal(dataset))
        members = few_families(members)
        for column, metric in zip(st.columns(3), _METRICS, strict=True):
            share = of_ceiling and metric in _BOUNDED
            what = f"{QUANTITIES[metric].title}{', share of its ceiling,' if share else ''}"
            alt = f"{what} by output stride on {short(dataset)}, one line a family of models"
            figure = figures.stride(members, metric, of_ceiling=share, among=whole)
            if (
                metric not in _BOUNDED and not of_ceiling
            ):  # its legend lacks the ceiling's entry; as long a one keeps the axes level
                nothing = {"x": [None], "y": [None], "mode": "lines", "line": {"color": "rgba(0,0,0,0)"}, "hoverinfo": "skip"}
                figure.add_scatter(**nothing, name="\u2007" * 20)
            with column:
                draw(figure, f"stride-{dataset}-{metric}", alt)
    ceiling = "The ceiling" if of_ceiling else "The dashed line"
    st.caption(
        f"Bands and bars are 95 % intervals. {ceiling} is what the labels themselves score when they are reduced to the "
        "stride and enlarged again. Throughput is compared within one device, precision, resolution and batch alone."
    )

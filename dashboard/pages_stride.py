"""Page: what a finer output stride buys, and what it costs. The picture the project exists for."""

import streamlit as st

from bench.leaderboard import Row
from dashboard.figures import TITLES, stride_figure


def stride() -> None:
    """Draw accuracy, boundary accuracy and throughput against output stride, for each data set."""
    rows: list[Row] = st.session_state["rows"]
    st.title("Output stride")
    for dataset in dict.fromkeys(row.cells[0].dataset_label for row in rows):
        members = [row for row in rows if row.cells[0].dataset_label == dataset]
        st.subheader(dataset)
        for column, metric in zip(st.columns(3), TITLES, strict=True):
            column.markdown(f"**{TITLES[metric]}**")
            column.plotly_chart(stride_figure(members, metric), key=f"{dataset}-{metric}")
    st.caption("Bars are 95 % intervals. Throughput is comparable within one device, precision, resolution and batch only.")

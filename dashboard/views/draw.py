"""A figure on a page: its own palette in light and dark, and a description for screen readers."""

import plotly.graph_objects as go
import streamlit as st

CONFIG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """Draw a figure; ``alt`` says in a sentence what it shows."""
    # Where there is no pointer the tools would always stand, and stand on the title.
    st.plotly_chart(figure, key=key, config={**CONFIG, "displayModeBar": False} if on_phone() else CONFIG, alt=alt)


def on_phone() -> bool:
    """Whether the reader's browser says that it is a phone's."""
    return "Mobi" in st.context.headers.get("User-Agent", "")

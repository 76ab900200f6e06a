"""A figure or a table on a page: its own palette in light and dark, and a description for screen readers."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

CONFIG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """Draw a figure; ``alt`` says in a sentence what it shows."""
    # Where there is no pointer the tools would always stand, and stand on the title.
    st.plotly_chart(figure, key=key, config={**CONFIG, "displayModeBar": False} if on_phone() else CONFIG, alt=alt)


def draw_table(
    frame: pd.DataFrame, alt: str, config: dict[str, Any] | None = None, *, index: bool = False, whole: bool = False
) -> None:
    """Draw a table; what has no value is a dash, and a ``whole`` one has no lines to scroll for."""
    height: Any = "content" if whole else "auto"
    st.dataframe(frame, column_config=config, hide_index=not index, height=height, placeholder="–", alt=alt)


def on_phone() -> bool:
    """Whether the reader's browser says that it is a phone's."""
    return "Mobi" in st.context.headers.get("User-Agent", "")

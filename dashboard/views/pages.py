"""The pages in the order of their menu."""

from collections.abc import Callable

import streamlit as st

from dashboard.source import problems
from dashboard.views import boundary, cell, leaderboard, less_data, pictures, stride, tradeoff, training
from dashboard.views.notes import tell


def _headed(title: str, draw: Callable[[], None]) -> Callable[[], None]:
    """A page below its title, and below what of the suite cannot be read: no page shows results without saying so."""

    def page() -> None:
        st.title(title)
        tell(problems())
        draw()

    return page


PAGES: dict[str, tuple[str, Callable[[], None]]] = {
    "Leaderboard": (":material/leaderboard:", _headed("Leaderboard", leaderboard.page)),
    "Stride": (":material/stairs:", _headed("Output stride", stride.page)),
    "Trade-off": (":material/balance:", _headed("Trade-off", tradeoff.page)),
    "Less data": (":material/data_usage:", _headed("Less data", less_data.page)),
    "Boundary": (":material/border_outer:", _headed("Boundary", boundary.page)),
    "Pictures": (":material/image:", _headed("Pictures", pictures.page)),
    "Training": (":material/show_chart:", _headed("Training", training.page)),
    "Cell": (":material/deployed_code:", _headed("Cell", cell.page)),
}
"""Title -> icon, and what draws the page."""

"""The pages in the order of their menu."""

from collections.abc import Callable

from dashboard.views import boundary, cell, leaderboard, less_data, pictures, stride, tradeoff, training

PAGES: dict[str, tuple[str, Callable[[], None]]] = {
    "Leaderboard": (":material/leaderboard:", leaderboard.page),
    "Stride": (":material/stairs:", stride.page),
    "Trade-off": (":material/balance:", tradeoff.page),
    "Less data": (":material/data_usage:", less_data.page),
    "Boundary": (":material/border_outer:", boundary.page),
    "Pictures": (":material/image:", pictures.page),
    "Training": (":material/show_chart:", training.page),
    "Cell": (":material/deployed_code:", cell.page),
}
"""Title -> icon, and what draws the page."""

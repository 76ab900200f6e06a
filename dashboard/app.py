"""The dashboard's frame: which suite, which page. Run it with `bench dashboard`."""

from collections.abc import Callable

import streamlit as st
from PIL import Image

from bench.errors import BenchError
from dashboard.source import refresh, shelf
from dashboard.views.pages import PAGES
from dashboard.words import literal, short


def _icon() -> Image.Image:
    """Four steps that grow finer; drawn here, as a named icon would be fetched from the network."""
    picture = Image.new("RGBA", (32, 32))
    for left, width, top in ((0, 16, 24), (16, 8, 16), (24, 4, 8), (28, 4, 0)):
        picture.paste((0, 114, 178, 255), (left, top, left + width, 32))
    return picture


st.set_page_config(page_title="Stridebench", page_icon=_icon(), layout="wide")


def _guarded(draw: Callable[[], None]) -> Callable[[], None]:
    """A page that says what it cannot read instead of ending in a traceback."""

    def page() -> None:
        try:
            draw()
        except BenchError as error:
            st.error(literal(error))

    return page


def _stamped(run: Callable[[], None]) -> Callable[[], None]:
    """A page drawn from the store's state at this moment."""

    def page() -> None:
        refresh()
        run()

    return page


def main() -> None:
    """Draw the frame and the chosen page."""
    found = shelf()
    if not found:
        st.title("Stridebench")
        st.info("There are no results here yet. Run a suite, for example: `bench run suites/quickstart.yaml`")
        return
    # One name may stand in several published stores.
    names = {f"{each.suite} (published)" if each.published else each.suite: each for each in found}
    with st.sidebar:
        name = st.selectbox("Suite", list(names), format_func=short, key="suite", bind="query-params", help="The newest first.")
    pages = [
        st.Page(_guarded(draw), title=title, icon=icon, url_path=title.lower().replace(" ", "_"), default=title == "Leaderboard")
        for title, (icon, draw) in PAGES.items()
    ]
    page = st.navigation(pages)
    st.session_state["shown"] = names[name]
    _guarded(_stamped(page.run))()


main()

"""The dashboard's frame: which suite, which score, which page. Run it with `bench dashboard`."""

import streamlit as st

from bench.errors import BenchError
from dashboard.pages_stride import stride
from dashboard.pages_table import leaderboard
from dashboard.source import load_rows, location, stamp, suites

st.set_page_config(page_title="Stridebench", layout="wide")


@st.cache_data(show_spinner="Reading results …", max_entries=20)
def _rows(root: str, suite: str, metric: str, stamp: int):  # type: ignore[no-untyped-def]
    """Rows of a suite, read again when ``stamp`` says that something changed."""
    return load_rows(location(), suite, metric)


def main() -> None:
    """Draw the frame and the chosen page."""
    store = location()
    names = suites(store)
    if not names:
        st.title("Stridebench")
        st.info(f"No suite has run into {store.root} yet. Run one, for example: bench run suites/quickstart.yaml")
        return
    asked = st.query_params.get("suite")
    suite = st.sidebar.selectbox("Suite", names, index=names.index(asked) if asked in names else 0)
    st.query_params["suite"] = suite
    page = st.navigation([st.Page(leaderboard, title="Leaderboard", default=True), st.Page(stride, title="Stride")])
    try:
        rows, problems = _rows(str(store.root), suite, "miou", stamp(store, suite))
    except BenchError as error:
        st.error(str(error))
        return
    for problem in problems:
        st.warning(problem)
    st.session_state["rows"], st.session_state["suite"] = rows, suite
    page.run()


main()

"""Notes that any page may have to bear: what of the results could not be read."""

from collections.abc import Sequence

import streamlit as st

from dashboard.words import literal

_MOST = 5


def tell(problems: Sequence[str]) -> None:
    """One note of all that is left out of a page, in its own words; nothing where nothing is."""
    if not problems:
        return
    lines = [f"- {literal(each)}" for each in problems[:_MOST]]
    lines += [f"- … and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    st.warning("\n".join(["Left out here:", "", *lines]))

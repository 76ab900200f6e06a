"""Page: where models go wrong, near boundaries and on small objects."""

import streamlit as st

from bench import figures
from bench.errors import BenchError
from dashboard.source import breakdown, table
from dashboard.views import choose
from dashboard.views.draw import draw
from dashboard.views.notes import tell
from dashboard.words import literal

_MOST = 30
_DRAWN = (
    ("trimap", figures.trimap, "mIoU within a distance of a true boundary, one line a row"),
    ("distance", figures.distance, "Share of wrong pixels by distance to the boundary in output strides, one line a row"),
    ("size", figures.sizes, "mIoU by the side of the true object, one line a row"),
)


def page() -> None:
    """Draw the trimap curve, the error against distance in strides, and the IoU by size of object."""
    frame = table().frame
    if frame["miou"].isna().all():
        st.info("No row of this suite has a result.")
        return
    names = frame.loc[frame["miou"].notna(), "row"].tolist()
    picked = choose.some("Rows", names, key="rows", default=names[:6])
    for by, make, alt in _DRAWN:
        try:
            curves, faults = breakdown(by, picked or names[:_MOST])
        except BenchError as error:
            st.info(literal(error))
            continue
        tell(faults)
        if len(curves):
            draw(make(curves, among=frame), f"boundary-{by}", alt)
    st.caption("Means over seeds. A stride is the row's own output stride.")

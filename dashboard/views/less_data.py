"""Page: what less training data costs, and what augmentation gives back."""

import pandas as pd
import streamlit as st

from bench import figures
from bench.compare import differences_of
from bench.errors import BenchError
from bench.figures.look import QUANTITIES
from bench.leaderboard import Row
from bench.pairs import pairs_along
from dashboard.source import chosen, some_rows, table, with_sums
from dashboard.views import choose
from dashboard.views.draw import draw

_MANY = 6


def page() -> None:
    """Draw a score over the number of training images, and what augmentation changes at each of them."""
    metric = choose.score()
    frame = table(metric).frame
    trained = frame[~frame["external"].astype(bool)].dropna(subset=[metric])
    if trained.empty:
        st.info("No row of this suite was trained here and has a result.")
        return
    models = choose.some("Models", sorted(trained["model"].unique()), key="models", default=_spread(trained))
    shown = trained[trained["model"].isin(models)] if models else trained
    if shown["train_images"].nunique() < 2:
        st.info("All rows were trained on the same number of images. `fraction: [1, 1/4]` in a suite's matrix makes a curve here.")
    draw(
        figures.less_data(shown, metric, among=trained),
        "less-data",
        f"{QUANTITIES[metric].title} over the number of training images",
    )
    st.subheader("What augmentation changes")
    pairs = augmented(shown["row"].tolist(), metric, chosen().root, chosen().suite, chosen().stamp)
    if pairs.empty:
        st.info("No two rows here differ in their augmentation alone, one of them without any.")
        return
    draw(
        figures.differences(pairs, metric),
        "augmentation",
        f"Differences in {QUANTITIES[metric].title} between augmentation and none, with intervals",
    )
    st.caption("95 % intervals and p-values by paired bootstrap over images and seeds, Holm's correction over the pairs shown.")


def _spread(trained: pd.DataFrame) -> list[str]:
    """The models to begin with: all of a few, else that of the best row."""
    order = list(dict.fromkeys(trained["model"]))
    return order if len(order) <= _MANY else order[:1]


@st.cache_data(show_spinner="Testing differences …", max_entries=8)
def augmented(shown: list[str], metric: str, root: str, suite: str, stamp: str) -> pd.DataFrame:
    """The paired differences between an augmentation and none, all else alike, of the rows of these names."""
    picked = some_rows(shown)
    # Model by model, the most data first: the table's own order is that of the scores.
    order = sorted(picked, key=lambda name: (picked[name].cells[0].model_label, -picked[name].cells[0].fraction, name))
    picked = {name: picked[name] for name in order}
    named = dict(zip(picked, with_sums(list(picked.values())), strict=True))
    # Only rows of one model and share can differ in the augmentation alone: comparing all with all would take minutes.
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in named.values():
        first = row.cells[0]
        groups.setdefault((first.dataset_label, first.model_label, first.fraction, first.axes), []).append(row)
    found = [pair for members in groups.values() for pair in _pairs(members)]
    if not found:
        return pd.DataFrame()
    known = {id(row): name for name, row in named.items()}
    tested = differences_of(found, list(named.values()), metrics=(metric,))
    keys = ("difference", "low", "high", "p", "p_holm")
    return pd.DataFrame(
        [
            {"pair": f"{known[id(one)]} − {other.cells[0].augmentation_label}", **{key: getattr(each, key) for key in keys}}
            for (one, other), (each,) in zip(found, tested, strict=True)
        ]
    )


def _pairs(rows: list[Row]) -> list[tuple[Row, Row]]:
    try:
        found = pairs_along(rows, ("augmentation",))
    except BenchError:  # there are none
        return []
    return [(one, other) for one, other in found if other.cells[0].augmentation_label == "none"]

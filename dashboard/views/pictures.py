"""Page: photograph, truth, and each model's prediction and errors side by side."""

import numpy as np
import streamlit as st

from bench import figures
from bench.cell import Cell
from bench.data import entry_of
from bench.errors import BenchError
from bench.figures.pictures import RIGHT, VOID_COLOUR, WRONG, coloured, errors
from bench.metrics.scores import Floats
from bench.prepared import Prepared, has_predictions, predictions, prepared
from bench.scored import read
from dashboard.source import cells, chosen
from dashboard.views import choose
from dashboard.views.draw import draw, on_phone
from dashboard.words import literal, short

_ORDERS = ("largest disagreement", "worst boundary score")
_PHONE_PX, _DESK_PX = 350, 820
"""Width of a page's middle."""
_KEEP = """Where a suite says

```yaml
eval: {keep_predictions: true}
```

the label maps are kept, some kilobytes an image. Add it to the suite file, then `bench rescore SUITE`: nothing is
trained again."""


def page() -> None:
    """Draw one image with the predictions of some models, the most telling image first."""
    store = chosen().store
    known = {cell.label: cell for cell in cells() if store.state(cell.id) == "finished" and has_predictions(store, cell)}
    if not known:
        st.info("No label maps were kept for this suite, so there is nothing to draw.")
        st.markdown(_KEEP)
        return
    sets = list(dict.fromkeys(cell.dataset_label for cell in known.values()))
    dataset = choose.one("Data set", sets, key="pictures_of") if len(sets) > 1 else sets[0]
    known = {label: cell for label, cell in known.items() if cell.dataset_label == dataset}
    # By default the models most unlike each other: the first and the last row of the suite, one seed each.
    firsts = list({cell.group: label for label, cell in reversed(known.items())}.values())[::-1]
    default = list(dict.fromkeys([firsts[0], firsts[-1]]))
    # A list of its own for each data set: what was picked in one cannot stay picked in another.
    key = "cells_shown" + (f"_{sets.index(dataset) + 1}" if len(sets) > 1 else "")
    picked = choose.some("Models", list(known), key=key, default=default, most=6, empty="pick some") or default
    shown = [known[label] for label in picked]
    shown = [cell for cell in shown if (cell.dataset, cell.fingerprints) == (shown[0].dataset, shown[0].fingerprints)]
    if len(shown) < len(picked):
        st.info("Models on other images than the first's are left out.")
    data = prepared(store, shown[0])
    left, middle, right = st.columns(3)
    with left:
        order = choose.one("Sorted by", list(_ORDERS), key="order")
    names, values = _ordered(chosen().root, [cell.id for cell in shown], order, chosen().stamp)
    words = dict(zip(names, values, strict=True))
    st.caption(literal(f"{' against '.join(short(cell.label) for cell in shown)}, on the {len(names)} images of {dataset}.", 1000))
    with middle:
        name = st.selectbox(
            "Image", names, format_func=lambda each: f"{short(each)}  ({words[each]})", key="image", bind="query-params"
        )
    with right:
        columns = st.segmented_control("Panels a line", [1, 2, 3, 4], default=2, key="panels", bind="query-params", required=True)
    _draw(shown, data, name, int(columns or 2))


def _draw(shown: list[Cell], data: Prepared, name: str, columns: int) -> None:
    entry, store = entry_of(shown[0].dataset), chosen().store
    photograph, truth = data.image(name)
    panels = [("photograph", photograph), ("truth", coloured(truth, entry.palette))]
    for cell in shown:
        (predicted,) = predictions(store, cell, [name])
        if predicted.shape != truth.shape:
            raise BenchError(f"{cell.label}: its prediction of {name} has another size than the label. Score it again.")
        panels += [(cell.label, coloured(predicted, entry.palette)), (f"errors of {cell.label}", errors(truth, predicted))]
    present = [place for place in np.unique(truth) if place < entry.num_classes]
    legend = [(entry.class_names[place], entry.palette[place]) for place in present]
    legend += [("wrong", WRONG), ("right", RIGHT), ("not annotated", VOID_COLOUR)]
    alt = f"Photograph, truth, and predictions and errors of {len(shown)} models for one image, zoomed together"
    draw(figures.pictures(panels, legend, columns, _PHONE_PX if on_phone() else _DESK_PX), "pictures", alt)
    st.caption(literal(f"{name}: drag in any panel to zoom all of them, double-click to see the whole image again."))


@st.cache_data(show_spinner="Comparing predictions …", max_entries=16)
def _ordered(root: str, ids: list[str], order: str, stamp: str) -> tuple[list[str], list[str]]:
    """The images, the most telling first, each with the number it is sorted by in words."""
    store = chosen().store
    scored = [read(store, each) for each in ids]
    names = list(scored[0].ids)
    if order == _ORDERS[1] or len(ids) < 2:
        with np.errstate(all="ignore"):
            values: Floats = np.mean([each.scores()["boundary_iou"] for each in scored], axis=0)
        places = np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable")
        return [names[place] for place in places], [f"Boundary IoU {values[place] * 100:.1f} %" for place in places]
    known = {cell.id: cell for cell in cells()}
    maps = [predictions(store, known[each], names) for each in ids]
    apart = np.array([_disagreement([each[place] for each in maps]) for place in range(len(names))])
    places = np.argsort(-apart, kind="stable")
    return [names[place] for place in places], [f"{apart[place] * 100:.1f} % disagree" for place in places]


def _disagreement(maps: list[np.ndarray]) -> float:
    """Share of the pixels on which not all label maps agree; 1 for maps of different sizes."""
    if len({each.shape for each in maps}) > 1:
        return 1.0
    return float(np.mean(np.any([each != maps[0] for each in maps[1:]], axis=0)))

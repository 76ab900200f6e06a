"""The score of every class."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.apart import apart, places
from bench.figures.expected import expected
from bench.figures.look import finish, plain, style

SCORES = {
    "iou": "IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f1": "BF score",
    "davis_f": "DAVIS F",
    "accuracy": "Accuracy",
}
"""Scores kept for each class."""


def classes(frame: pd.DataFrame, score: str = "iou", *, among: pd.DataFrame | None = None) -> go.Figure:
    """One of `SCORES` by class, a marker for each row; ``frame`` is `bench.load_results(by="class")`.

    ``among`` holds all rows where ``frame`` has some of them: each then looks as it does among all.
    """
    if score not in SCORES:
        raise BenchError(f"{score!r} is not kept for each class.{nearest(score, SCORES)} It is one of {', '.join(SCORES)}.")
    expected(frame, "class")
    figure = go.Figure()
    shown = frame.dropna(subset=[score]) if score in frame else frame.iloc[:0]
    if shown.empty:
        return finish(figure, f"{SCORES[score]} of each class", "", "")
    sets, looks = shown["dataset"].nunique(), places(shown, ("row", "dataset"), among)
    known = list(dict.fromkeys(shown["class"]))
    titles = dict(zip(known, apart(known, 30), strict=True))
    for (dataset, row), points in shown.groupby(["dataset", "row"], sort=False):
        name = plain(f"{row} · {dataset}" if sets > 1 else row)
        figure.add_trace(
            go.Scatter(
                x=points[score] * 100,
                y=[titles[each] for each in points["class"]],
                name=name,
                mode="markers",
                cliponaxis=False,  # a score of 0 stands on the edge
                customdata=[[name]] * len(points),
                hovertemplate=f"%{{customdata[0]}}<br>%{{y}}<br>{SCORES[score]} %{{x:.1f}} %<extra></extra>",
                marker={**style(looks[str(row), str(dataset)])["marker"], "opacity": 0.85},
            )
        )
    finish(figure, f"{SCORES[score]} of each class", f"{SCORES[score]} (%)", "")
    figure.update_xaxes(rangemode="tozero")
    # As in the data set's own order, the first on top.
    figure.update_yaxes(autorange="reversed", type="category", rangemode="normal")
    return figure.update_layout(height=160 + 26 * len(known))

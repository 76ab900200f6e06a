"""The score of every class."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.look import finish, plain, style

SCORES = {
    "iou": "IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f1": "BF score",
    "davis_f": "DAVIS F",
    "accuracy": "Accuracy",
}
"""Scores kept for each class."""


def classes(frame: pd.DataFrame, score: str = "iou") -> go.Figure:
    """One of `SCORES` by class, a marker for each row; ``frame`` is `bench.load_results(by="class")`."""
    if score not in SCORES:
        raise BenchError(f"{score!r} is not kept for each class.{nearest(score, SCORES)} It is one of {', '.join(SCORES)}.")
    figure = go.Figure()
    shown = frame.dropna(subset=[score]) if score in frame else frame.iloc[:0]
    sets = shown["dataset"].nunique() if len(shown) else 0
    for place, ((dataset, row), points) in enumerate(shown.groupby(["dataset", "row"], sort=False)):
        name = plain(f"{row} · {dataset}" if sets > 1 else row)
        figure.add_trace(
            go.Scatter(
                x=points[score] * 100,
                y=[plain(each, 30) for each in points["class"]],
                name=name,
                mode="markers",
                customdata=[[name]] * len(points),
                hovertemplate=f"%{{customdata[0]}}<br>%{{y}}<br>{SCORES[score]} %{{x:.1f}} %<extra></extra>",
                marker={**style(place)["marker"], "opacity": 0.85},
            )
        )
    finish(figure, f"{SCORES[score]} of each class", f"{SCORES[score]} (%)", "")
    figure.update_xaxes(rangemode="tozero")
    # As in the data set's own order, the first on top.
    figure.update_yaxes(autorange="reversed", type="category", rangemode="normal")
    return figure.update_layout(height=160 + 26 * shown["class"].nunique() if len(shown) else 420)

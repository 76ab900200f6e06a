"""How trainings went."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.look import Quantity, finish, plain, style

CURVES = {
    "loss": Quantity("Training loss", digits=".4g"),
    "val_miou": Quantity("mIoU on the validation split", "%", 100),
    "lr": Quantity("Learning rate", digits=".2e"),
}
"""What a training logs."""


def training(curves: pd.DataFrame, value: str = "loss") -> go.Figure:
    """One of `CURVES` over optimiser steps, one line a cell; ``curves`` is `bench.load_results(by="step")`."""
    if value not in CURVES:
        raise BenchError(f"{value!r} is not logged.{nearest(value, CURVES)} It is one of {', '.join(CURVES)}.")
    quantity = CURVES[value]
    shown = curves.dropna(subset=[value]).sort_values("step", kind="stable")
    figure = go.Figure()
    for place, (label, points) in enumerate(shown.groupby("label", sort=True)):
        look, name = style(place), plain(label)
        figure.add_trace(
            go.Scatter(
                x=points["step"],
                y=points[value] * quantity.scale,
                name=name,
                mode="lines" if len(points) > 12 else "lines+markers",
                customdata=[[name]] * len(points),
                hovertemplate=f"%{{customdata[0]}}<br>step %{{x}}<br>{quantity.hover('y')}<extra></extra>",
                **look,
            )
        )
    return finish(figure, quantity.title, "Optimiser step", quantity.axis, zero=value != "loss")

"""How trainings went."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.apart import places
from bench.figures.expected import expected
from bench.figures.look import Quantity, finish, plain, style
from bench.sound import number

CURVES = {
    "loss": Quantity("Training loss", digits=".4g"),
    "val_miou": Quantity("mIoU on the validation split", "%", 100),
    "lr": Quantity("Learning rate", digits=".2e"),
}
"""What a training logs."""


def training(curves: pd.DataFrame, value: str = "loss", *, among: pd.DataFrame | None = None) -> go.Figure:
    """One of `CURVES` over optimiser steps, one line a cell; ``curves`` is `bench.load_results(by="step")`.

    ``among`` holds all cells where ``curves`` are of some: each then looks as it does among all. Raises BenchError for what is not
    logged, and for curves that hold no numbers.
    """
    if value not in CURVES:
        raise BenchError(f"{value!r} is not logged.{nearest(value, CURVES)} It is one of {', '.join(CURVES)}.")
    expected(curves, "step")
    quantity = CURVES[value]
    for cell, problem in unreadable(curves).items():
        raise BenchError(f"{plain(cell)}: its curve cannot be drawn: {problem}")
    looks = places(curves, ("label",), among)
    shown = curves.dropna(subset=[value]).sort_values("step", kind="stable")
    figure = go.Figure()
    for label, points in shown.groupby("label", sort=True):
        look, name = style(looks[str(label),]), plain(label)
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


def unreadable(curves: pd.DataFrame) -> dict[str, str]:
    """Label of each cell whose log lines hold no numbers, and what they hold instead.

    What is missing is no fault, nor is the infinite loss of a training that diverged.
    """
    found: dict[str, str] = {}
    for name in ("step", *CURVES):
        if name not in curves:
            continue
        wrong = curves.loc[[not _drawable(value) for value in curves[name]]]
        for label, value in zip(wrong["label"], wrong[name], strict=True):
            found.setdefault(str(label), f"{name} is {str(value)[:40]!r}, no number")
    return found


def _drawable(value: object) -> bool:
    return value is None or value is pd.NA or isinstance(value, float) or number(value)

"""Where models go wrong: near boundaries, and on small objects."""

import pandas as pd
import plotly.graph_objects as go

from bench.figures.apart import places
from bench.figures.expected import expected
from bench.figures.look import finish, plain, style


def trimap(curves: pd.DataFrame, *, among: pd.DataFrame | None = None) -> go.Figure:
    """mIoU over the pixels within so many px of a true boundary; ``curves`` is `bench.load_results(by="trimap")`.

    ``among`` holds all rows where ``curves`` are some of them: each then looks as it does among all.
    """
    expected(curves, "trimap")
    figure = go.Figure()
    _add_lines(figure, curves, among, "width_px", "miou", "within %{x} px of a boundary<br>mIoU %{y:.1f} %", every=5)
    return finish(figure, "mIoU near boundaries", "Within this of a true boundary (px)", "mIoU (%)")


def distance(curves: pd.DataFrame, *, among: pd.DataFrame | None = None) -> go.Figure:
    """Share of wrong pixels by distance to the nearest true boundary, in each row's own strides: `by="distance"`.

    The last bin, which has no upper edge, is left out; the axis is logarithmic.
    """
    expected(curves, "distance")
    figure = go.Figure()
    bounded = curves.dropna(subset=["edge_strides"])
    _add_lines(figure, bounded, among, "edge_strides", "error", "up to %{x} strides away<br>%{y:.1f} % wrong", every=3)
    # A stride of 1 px and one of 32 px meet on one axis only when it is logarithmic.
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16, 32]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks], minor={"showgrid": False})
    axis = "Distance to a true boundary (output strides)"
    return finish(figure, "Error by distance to the boundary", axis, "Wrong pixels (%)")


def sizes(curves: pd.DataFrame, *, among: pd.DataFrame | None = None) -> go.Figure:
    """mIoU over the true objects of a size, by the side of the object: `by="size"`."""
    expected(curves, "size")
    figure = go.Figure()
    shown = curves.dropna(subset=["miou"])
    sides = sorted(shown["side_px"].unique())
    names = {side: _octave(side, sides) for side in sides}
    named = shown.assign(side=shown["side_px"].map(names))
    _add_lines(figure, named, among, "side", "miou", "objects of %{x} px<br>mIoU %{y:.1f} %")
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=list(names.values()))
    return finish(figure, "mIoU by size of object", "Side of the true object (px)", "mIoU (%)")


def _octave(side: float, sides: list[float]) -> str:
    if side == 0:
        return "below 2"
    return f"{side:.0f} and more" if side >= 256 else f"{side:.0f} to {2 * side:.0f}"


def _add_lines(
    figure: go.Figure, curves: pd.DataFrame, among: pd.DataFrame | None, x: str, y: str, hover: str, every: int = 1
) -> None:
    """One line a row of the leaderboard, with a marker at every so many points; rows of several data sets are kept apart."""
    sets, looks = curves["dataset"].nunique(), places(curves, ("row", "dataset"), among)
    curves = curves.dropna(subset=[y])  # where no pixel lies there is nothing to join
    for (dataset, row), points in curves.groupby(["dataset", "row"], sort=False):
        name = plain(f"{row} · {dataset}" if sets > 1 else row)
        look = style(looks[str(row), str(dataset)])
        figure.add_trace(
            go.Scatter(
                x=points[x],
                y=pd.to_numeric(points[y]) * 100,
                name=name,
                mode="lines+markers",
                customdata=[[name]] * len(points),
                hovertemplate=f"%{{customdata[0]}}<br>{hover}<extra></extra>",
                line=look["line"],
                marker={**look["marker"], "maxdisplayed": -(-len(points) // every)},
            )
        )

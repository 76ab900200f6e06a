"""What accuracy costs: a score against throughput, latency, memory or FLOPs, with the rows that nothing beats in both."""

from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.apart import places
from bench.figures.beside import Point, labelled
from bench.figures.expected import axis_of
from bench.figures.look import GREY, QUANTITIES, finish, plain, style
from bench.metrics import METRICS

COSTS = ("images_per_s", "latency_ms", "peak_memory_gib", "flops", "parameters")
_MEASURED = ("images_per_s", "latency_ms", "peak_memory_gib")
_SMALLEST_PX, _LARGEST_PX = 9.0, 32.0
_HEIGHT_PX = 300
"""Of the plot without title, axis and legend."""


def tradeoff(
    frame: pd.DataFrame, cost: str = "images_per_s", metric: str = "miou", *, among: pd.DataFrame | None = None, width_px: int = 560
) -> go.Figure:
    """A score against one of `COSTS`; a bubble's area is the number of parameters, a dotted line the Pareto front.

    Speeds are compared within one device, precision, size and batch alone: rows measured under other conditions have a front of
    their own. A bubble bears its row's name where there is room for it in a figure ``width_px`` wide, which plotly does not know.
    ``among`` holds all rows where ``frame`` has some of them: each family then looks as among all. Raises BenchError for another
    cost.
    """
    if cost not in COSTS:
        raise BenchError(f"{cost!r} is no cost.{nearest(cost, COSTS)} It is one of {', '.join(COSTS)}.")
    x, y = QUANTITIES[cost], axis_of(frame, metric, "family", "measured", "parameters", cost, metric)
    shown = frame.dropna(subset=[cost, metric])
    conditions = shown["measured"].fillna("") if cost in _MEASURED else pd.Series("", shown.index)
    groups = list(shown.groupby([shown["dataset"], conditions]))
    looks = places(frame, ("family",), among)
    figure = go.Figure()
    for family, rows in shown.groupby("family"):
        figure.add_trace(_bubbles(rows, cost, metric, plain(family), looks[str(family),], shown["parameters"].max()))
    fronts = []
    for (dataset, measured), rows in groups:
        if len(front := pareto(rows, cost, metric)) > 1:
            fronts.append(front)
            words = ["Pareto front", *([dataset, measured] if len(groups) > 1 else [])]
            figure.add_trace(
                go.Scatter(
                    x=front[cost] * x.scale,
                    y=front[metric] * y.scale,
                    name=plain(" · ".join(word for word in map(str, words) if word)),
                    mode="lines",
                    line={"color": GREY, "width": 1.5, "dash": "dot", "shape": "hv" if METRICS[cost].higher_is_better else "vh"},
                    hoverinfo="skip",
                )
            )
    _label(figure, shown, fronts, (cost, metric), width_px)
    return finish(figure, f"{y.title} against {x.title.lower() if x.title != 'FLOPs, one image' else x.title}", x.axis, y.axis)


def pareto(rows: pd.DataFrame, cost: str, metric: str) -> pd.DataFrame:
    """The rows that no other beats in one of the two without losing in the other, the cheapest first."""
    cheap_first = rows.sort_values([cost, metric], ascending=[not METRICS[cost].higher_is_better, False])
    best = cheap_first[metric].cummax()
    return cheap_first[(cheap_first[metric] >= best) & (cheap_first[metric] > best.shift(fill_value=float("-inf")))]


def _label(figure: go.Figure, shown: pd.DataFrame, fronts: list[pd.DataFrame], axes: tuple[str, str], width_px: int) -> None:
    """Rows on a front are named first, then the best: where bubbles crowd, not all names find room."""
    cost, metric = axes
    x, y = QUANTITIES[cost].scale, QUANTITIES[metric].scale
    on_front = {row for front in fronts for row in front["row"]}
    rows = shown.assign(diameter=_diameters(shown, shown["parameters"].max()), front=shown["row"].isin(on_front))
    rows = rows.sort_values(["front", metric], ascending=False, kind="stable")
    points = [
        Point(row[cost] * x, row[metric] * y, row["diameter"] / 2, _name(row["row"], row["output_stride"]))
        for row in rows.to_dict("records")
    ]
    steps = [_steps(front[cost] * x, front[metric] * y, METRICS[cost].higher_is_better) for front in fronts]
    labelled(figure, points, steps, width_px=width_px, height_px=_HEIGHT_PX)


def _steps(x: pd.Series, y: pd.Series, level_first: bool) -> list[tuple[float, float]]:
    """The corners of a front as it is drawn."""
    ends = list(zip(x, y, strict=True))
    corners = [(c, b) if level_first else (a, d) for (a, b), (c, d) in pairwise(ends)]
    return [point for pair in zip(ends, [*corners, ends[-1]], strict=True) for point in pair]


def _name(row: str, stride: float) -> str:
    return plain(row, 24) + (f" · {stride:g} px" if stride == stride else "")


def _diameters(rows: pd.DataFrame, most: float) -> list[float]:
    share = (rows["parameters"] / most).fillna(0.0) if most else rows["parameters"] * 0.0
    return [max(_SMALLEST_PX, _LARGEST_PX * value**0.5) for value in share.fillna(0.0)]


def _bubbles(rows: pd.DataFrame, cost: str, metric: str, name: str, place: int, most: float) -> go.Scatter:
    x, y = QUANTITIES[cost], QUANTITIES[metric]
    look = style(place)
    # A Python format here, since plotly's would print 1,000,000 as 1M and a missing number as "-".
    weights = [
        f"{value / 1e6:.2f} million parameters" if value == value else "parameters not known" for value in rows["parameters"]
    ]
    strides = [f"{value:g} px" if value == value else "not known" for value in rows["output_stride"]]
    return go.Scatter(
        x=rows[cost] * x.scale,
        y=rows[metric] * y.scale,
        name=name,
        mode="markers",
        marker={
            **look["marker"],
            "size": _diameters(rows, most),
            "opacity": 0.75,
            "line": {"width": 1, "color": "white"},
        },
        customdata=list(
            zip(map(plain, rows["row"]), map(plain, weights), rows["measured"].fillna("").map(plain), strides, strict=True)
        ),
        hovertemplate=f"%{{customdata[0]}}<br>stride %{{customdata[3]}}<br>{x.hover('x')}<br>{y.hover('y')}<br>"
        "%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    )

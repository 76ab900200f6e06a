"""What accuracy costs: a score against throughput, latency, memory or FLOPs, with the rows that nothing beats in both."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError, nearest
from bench.figures.look import GREY, QUANTITIES, finish, plain, style
from bench.metrics import METRICS

COSTS = ("images_per_s", "latency_ms", "peak_memory_gib", "flops", "parameters")
_MEASURED = ("images_per_s", "latency_ms", "peak_memory_gib")
_SMALLEST_PX, _LARGEST_PX = 9.0, 32.0


def tradeoff(frame: pd.DataFrame, cost: str = "images_per_s", metric: str = "miou") -> go.Figure:
    """A score against one of `COSTS`; a bubble's area is the number of parameters, a dotted line the Pareto front.

    Speeds are compared within one device, precision, size and batch alone: rows measured under other conditions have a front of
    their own. Raises BenchError for another cost.
    """
    if cost not in COSTS:
        raise BenchError(f"{cost!r} is no cost.{nearest(cost, COSTS)} It is one of {', '.join(COSTS)}.")
    x, y = QUANTITIES[cost], QUANTITIES[metric]
    shown = frame.dropna(subset=[cost, metric])
    conditions = shown["measured"].fillna("") if cost in _MEASURED else pd.Series("", shown.index)
    groups = list(shown.groupby([shown["dataset"], conditions]))
    places = {name: place for place, name in enumerate(sorted(frame["family"].unique()))}
    figure = go.Figure()
    for family, rows in shown.groupby("family"):
        figure.add_trace(_bubbles(rows, cost, metric, plain(family), places[family], shown["parameters"].max()))
    for (dataset, measured), rows in groups:
        if len(front := pareto(rows, cost, metric)) > 1:
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
    return finish(figure, f"{y.title} against {x.title.lower() if x.title != 'FLOPs, one image' else x.title}", x.axis, y.axis)


def pareto(rows: pd.DataFrame, cost: str, metric: str) -> pd.DataFrame:
    """The rows that no other beats in one of the two without losing in the other, the cheapest first."""
    cheap_first = rows.sort_values([cost, metric], ascending=[not METRICS[cost].higher_is_better, False])
    best = cheap_first[metric].cummax()
    return cheap_first[(cheap_first[metric] >= best) & (cheap_first[metric] > best.shift(fill_value=float("-inf")))]


def _bubbles(rows: pd.DataFrame, cost: str, metric: str, name: str, place: int, most: float) -> go.Scatter:
    x, y = QUANTITIES[cost], QUANTITIES[metric]
    share = (rows["parameters"] / most).fillna(0.0) if most else rows[metric] * 0.0
    look = style(place)
    # A Python format here, since plotly's would print 1,000,000 as 1M and a missing number as "-".
    weights = [
        f"{value / 1e6:.2f} million parameters" if value == value else "parameters not known" for value in rows["parameters"]
    ]
    return go.Scatter(
        x=rows[cost] * x.scale,
        y=rows[metric] * y.scale,
        name=name,
        mode="markers",
        marker={
            **look["marker"],
            "size": [max(_SMALLEST_PX, _LARGEST_PX * value**0.5) for value in share],
            "opacity": 0.75,
            "line": {"width": 1, "color": "white"},
        },
        customdata=list(zip(map(plain, rows["row"]), map(plain, weights), rows["measured"].fillna("").map(plain), strict=True)),
        hovertemplate=f"%{{customdata[0]}}<br>{x.hover('x')}<br>{y.hover('y')}<br>%{{customdata[1]}}<br>%{{customdata[2]}}<extra></extra>",
    )

"""A ranked table as a picture: each row's score with its interval."""

import pandas as pd
import plotly.graph_objects as go

from bench.figures.apart import apart
from bench.figures.expected import axis_of
from bench.figures.look import COLOURS, finish, plain, style


def intervals(frame: pd.DataFrame, metric: str = "miou") -> go.Figure:
    """A score of every row with its 95 % interval, the best on top; rows of one rank share a colour and a marker.

    ``frame`` is that of `bench.load_results`, ranked by ``metric``, and of one data set.
    """
    quantity = axis_of(frame, metric, "rank", metric, *(f"{metric}_{end}" for end in ("low", "high") if len(frame)))
    shown = frame.dropna(subset=[metric]).sort_values(metric, ascending=False)
    shown = shown.assign(line=apart(shown["row"], 40))
    figure = go.Figure()
    for place, (_, rows) in enumerate(shown.groupby("rank", dropna=False, sort=True)):
        title = f"rank {rows['rank'].iloc[0]:.0f}" if rows["rank"].notna().all() else "unranked"
        value = rows[metric] * quantity.scale
        low, high = (rows[f"{metric}_{end}"] * quantity.scale for end in ("low", "high"))
        texts = [f"<br>95 % interval {one:.1f} to {other:.1f}" if one == one else "" for one, other in zip(low, high, strict=True)]
        figure.add_trace(
            go.Scatter(
                x=value,
                y=rows["line"],
                error_x={"type": "data", "array": high - value, "arrayminus": value - low, "color": COLOURS[place % len(COLOURS)]},
                mode="markers",
                name=title,
                customdata=list(zip(texts, map(plain, rows["row"]), strict=True)),
                hovertemplate=f"%{{customdata[1]}}<br>{quantity.hover('x')}%{{customdata[0]}}<extra></extra>",
                marker=style(place)["marker"],
            )
        )
    finish(figure, f"{quantity.title} with 95 % intervals", quantity.axis, "", zero=False)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=shown["line"].tolist()[::-1])
    return figure.update_layout(height=140 + 26 * max(3, len(shown)), showlegend=shown["rank"].nunique() < 12)

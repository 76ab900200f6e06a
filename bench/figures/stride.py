"""What a finer output stride buys: a score or a speed over the output stride."""

import pandas as pd
import plotly.graph_objects as go

from bench.errors import BenchError
from bench.figures.apart import places
from bench.figures.expected import axis_of
from bench.figures.look import GREY, QUANTITIES, band, finish, plain, stride_axis, style

_SPEED = ("images_per_s", "latency_ms", "latency_p95_ms", "peak_memory_gib")
_BOUNDED = ("miou", "boundary_iou")


def stride(frame: pd.DataFrame, metric: str = "miou", *, of_ceiling: bool = False, among: pd.DataFrame | None = None) -> go.Figure:
    """A score, speed or cost over output stride (log), one line a family; intervals as bands, ceilings dashed.

    ``frame`` is that of `bench.load_results`. Lines of several data sets, and speeds measured under several conditions, are kept
    apart and named so. ``of_ceiling`` shows mIoU or Boundary IoU as a share of what prediction at the stride could reach; raises
    BenchError for other quantities. ``among`` holds all rows where ``frame`` has some of them: each family then looks as among all.
    """
    if of_ceiling and metric not in _BOUNDED:
        raise BenchError(f"{metric!r} has no ceiling; those that have one: {', '.join(_BOUNDED)}")
    quantity = axis_of(frame, metric, "family", "output_stride", "measured")
    column = f"{metric}_of_ceiling" if of_ceiling else metric
    shown = frame.dropna(subset=["output_stride", column]) if column in frame else frame.iloc[:0]
    sets, looks = shown["dataset"].nunique(), places(frame, ("family",), among)
    figure = go.Figure()
    for (dataset, family, measured), members in _lines(shown, metric):
        name = " · ".join([family, *([dataset] if sets > 1 else []), *([measured] if measured else [])])
        _add_line(figure, members.sort_values("output_stride"), metric, of_ceiling, plain(name), looks[family,])
    if not of_ceiling and metric in _BOUNDED:
        for label, members in shown.groupby("dataset"):
            _add_ceiling(figure, members, metric, plain(f"ceiling of the labels, {label}") if sets > 1 else "ceiling of the labels")
    stride_axis(figure, shown["output_stride"])
    title = f"{quantity.title}, % of ceiling" if of_ceiling else quantity.title
    return finish(figure, title, QUANTITIES["output_stride"].axis, title if of_ceiling else quantity.axis)


def _lines(shown: pd.DataFrame, metric: str) -> list[tuple[tuple[str, str, str], pd.DataFrame]]:
    """(data set, family, conditions) and the rows of each line; conditions are "" unless speeds were measured under several."""
    measured = shown["measured"].fillna("")
    apart = metric in _SPEED and measured.nunique() > 1
    keyed = shown.assign(measured=measured if apart else "")
    groups = keyed.groupby(["dataset", "family", "measured"], sort=True)
    return [((str(dataset), str(family), str(conditions)), members) for (dataset, family, conditions), members in groups]


def _add_line(figure: go.Figure, rows: pd.DataFrame, metric: str, of_ceiling: bool, name: str, place: int) -> None:
    quantity, look = QUANTITIES[metric], style(place)
    factor = 100 / rows[f"{metric}_ceiling"] if of_ceiling else quantity.scale
    x, y = rows["output_stride"], rows[f"{metric}_of_ceiling"] * 100 if of_ceiling else rows[metric] * quantity.scale
    known = {f"{metric}_low", f"{metric}_high"} <= set(rows.columns)
    low, high = (rows[f"{metric}_{end}"] * factor if known else y * float("nan") for end in ("low", "high"))
    bounded = low.notna() & high.notna()
    if bounded.sum() > 1:
        figure.add_trace(band(x[bounded].tolist(), low[bounded].tolist(), high[bounded].tolist(), look["line"]["color"], name))
    alone = bounded.sum() == 1  # an area needs two points
    bars = {"type": "data", "array": high - y, "arrayminus": y - low, "thickness": 1.5, "width": 4} if alone else None
    texts = [
        f"<br>95 % interval {one:.1f} to {other:.1f}" if there else "" for one, other, there in zip(low, high, bounded, strict=True)
    ]
    line = f"{quantity.title} %{{y:.1f}} % of the ceiling" if of_ceiling else quantity.hover("y")
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            error_y=bars,
            name=name,
            legendgroup=name,
            customdata=list(zip(map(plain, rows["row"]), texts, strict=True)),
            hovertemplate=f"%{{customdata[0]}}<br>stride %{{x}} px<br>{line}%{{customdata[1]}}<extra></extra>",
            mode="lines+markers",
            **look,
        )
    )


def _add_ceiling(figure: go.Figure, rows: pd.DataFrame, metric: str, name: str) -> None:
    known = rows.dropna(subset=[f"{metric}_ceiling"]).groupby("output_stride")[f"{metric}_ceiling"].first()
    if known.empty:
        return
    figure.add_trace(
        go.Scatter(
            x=known.index,
            y=known * 100,
            name=name,
            mode="lines",
            line={"color": GREY, "width": 2, "dash": "dash"},
            hovertemplate="ceiling at stride %{x} px<br>%{y:.1f} %<extra></extra>",
        )
    )

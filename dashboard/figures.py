"""Plotly figures from rows. Colours are Okabe and Ito's, which colour-blind readers can tell apart."""

import plotly.graph_objects as go

from bench.leaderboard import Row

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross", "hexagon")
TITLES = {"miou": "mIoU (%)", "boundary_iou": "Boundary IoU (%)", "images_per_s": "Images per second"}


def family(row: Row) -> str:
    """The line a row belongs to: one architecture and trunk, one augmentation, one share of the data. External models join none."""
    cell = row.cells[0]
    if row.external:
        return f"{cell.model_label} (external)"
    parts = [cell.model.name, getattr(cell.model, "backbone", "")]
    parts += [] if cell.augmentation_label == "none" else [cell.augmentation_label]
    parts += [] if cell.fraction == 1 else [f"{cell.fraction:.3g} of the data"]
    return " ".join(part for part in parts if part)


def stride_figure(rows: list[Row], metric: str) -> go.Figure:
    """A score or a speed against output stride, one line a family, 95 % intervals as bars."""
    figure = go.Figure()
    families: dict[str, list[Row]] = {}
    for row in rows:
        if row.scores.get("output_stride") is not None and row.scores.get(metric) is not None:
            families.setdefault(family(row), []).append(row)
    for place, (name, members) in enumerate(sorted(families.items())):
        members = sorted(members, key=lambda row: row.scores["output_stride"] or 0)
        figure.add_trace(_line(name, members, metric, place))
    ceilings = _ceilings(rows, metric)
    if ceilings:
        figure.add_trace(_ceiling_line(ceilings))
    strides = sorted({int(row.scores["output_stride"] or 0) for members in families.values() for row in members})
    figure.update_xaxes(title="Output stride (px)", type="log", tickvals=strides, ticktext=[str(stride) for stride in strides])
    figure.update_yaxes(title=TITLES[metric], rangemode="tozero")
    figure.update_layout(margin={"l": 10, "r": 10, "t": 30, "b": 10}, legend={"orientation": "h", "y": -0.25}, hovermode="closest")
    return figure


def _ceilings(rows: list[Row], metric: str) -> dict[int, float]:
    """Stride -> what prediction at it could score on the same labels, in percent, as far as results know it."""
    known = [result.ceiling for row in rows for result in row.results if result.ceiling]
    return {each["stride"]: each[metric] * 100 for each in known if each.get(metric) is not None}


def _ceiling_line(ceilings: dict[int, float]) -> go.Scatter:
    strides = sorted(ceilings)
    return go.Scatter(
        x=strides,
        y=[ceilings[stride] for stride in strides],
        name="ceiling of the labels",
        hovertemplate="ceiling at stride %{x} px<br>%{y:.1f}<extra></extra>",
        mode="lines",
        line={"color": "#7f7f7f", "width": 2, "dash": "dash"},
    )


def _line(name: str, rows: list[Row], metric: str, place: int) -> go.Scatter:
    scale = 1.0 if metric == "images_per_s" else 100.0
    values = [(row.scores[metric] or 0.0) * scale for row in rows]
    intervals = [row.intervals.get(metric) for row in rows]
    bars = None
    if all(intervals):
        high = [each.high * scale - value for each, value in zip(intervals, values, strict=True) if each]
        low = [value - each.low * scale for each, value in zip(intervals, values, strict=True) if each]
        bars = {"type": "data", "array": high, "arrayminus": low, "thickness": 1.5, "width": 4}
    colour = COLOURS[place % len(COLOURS)]
    return go.Scatter(
        x=[row.scores["output_stride"] for row in rows],
        y=values,
        error_y=bars,
        name=name,
        text=[row.cells[0].model_label for row in rows],
        hovertemplate="%{text}<br>stride %{x} px<br>%{y:.1f}<extra></extra>",
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"symbol": MARKERS[place % len(MARKERS)], "size": 9},
    )

"""How every figure looks: quantities with units, a palette for colour-blind readers, and text that stays text."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
"""Okabe and Ito's, without the yellow that white swallows and with a grey for the black that a dark page swallows."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down")
DASHES = ("solid", "dot", "dashdot", "longdashdot")
"""None of them is "dash", which is the ceiling's."""
GREY = "#7F7F7F"
"""For what is no model: ceilings and fronts. It can be read on white and on black."""
LONGEST = 60


@dataclass(frozen=True)
class Quantity:
    """A column of a frame as it is shown: its name, its unit, and what to multiply it by."""

    title: str
    unit: str = ""
    scale: float = 1.0
    digits: str = ".1f"

    @property
    def axis(self) -> str:
        """The title of an axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def hover(self, place: str) -> str:
        """A line of a hover text; ``place`` is plotly's name of the value."""
        return f"{self.title} %{{{place}:{self.digits}}}{' ' + self.unit if self.unit else ''}"


QUANTITIES = {
    "miou": Quantity("mIoU", "%", 100),
    "boundary_iou": Quantity("Boundary IoU", "%", 100),
    "trimap_iou_3px": Quantity("Trimap IoU 3 px", "%", 100),
    "boundary_f1": Quantity("BF score", "%", 100),
    "davis_f": Quantity("DAVIS F", "%", 100),
    "fwiou": Quantity("Frequency-weighted IoU", "%", 100),
    "pixel_accuracy": Quantity("Pixel accuracy", "%", 100),
    "mean_accuracy": Quantity("Mean accuracy", "%", 100),
    "images_per_s": Quantity("Throughput", "images/s"),
    "latency_ms": Quantity("Latency, one image", "ms", digits=".2f"),
    "latency_p95_ms": Quantity("Latency, 95th percentile", "ms", digits=".2f"),
    "peak_memory_gib": Quantity("Peak memory", "GiB", digits=".2f"),
    "flops": Quantity("FLOPs, one image", "GFLOPs", 1e-9, ".3g"),
    "parameters": Quantity("Parameters", "millions", 1e-6, ".2f"),
    "output_stride": Quantity("Output stride", "px", digits=".0f"),
    "train_images": Quantity("Training images", digits=".0f"),
}
"""The columns that figures show."""


def plain(text: object, longest: int = LONGEST) -> str:
    """Text of a result as a figure may hold it: plotly would read tags in it, and a long one would cover the picture."""
    line = " ".join(str(text)[: 4 * longest].split())
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return html.escape(short, quote=False)


def style(place: int) -> dict[str, Any]:
    """Colour, dash and marker of the line number ``place``: neighbours differ in all three, and no two of 168 are alike."""
    return {
        "line": {"color": COLOURS[place % len(COLOURS)], "width": 2, "dash": DASHES[place % len(DASHES)]},
        "marker": {"color": COLOURS[place % len(COLOURS)], "symbol": MARKERS[place % len(MARKERS)], "size": 9},
    }


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str, group: str) -> go.Scatter:
    """An interval along a line, as a translucent area."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=group,
        name=f"{group}, 95 % interval",
    )


def finish(figure: go.Figure, title: str, x: str, y: str, *, zero: bool = True) -> go.Figure:
    """Title, axes and legend of a figure; an empty one says that it is."""
    figure.update_layout(
        template="plotly_white",
        title={"text": plain(title, 90), "font": {"size": 16}, "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top"},
        margin={"l": 10, "r": 10, "t": 44, "b": 10},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        height=420,
    )
    figure.update_xaxes(title=plain(x, 90), automargin=True)
    figure.update_yaxes(title=plain(y, 90), automargin=True, rangemode="tozero" if zero else "normal")
    if not figure.data:
        figure.add_annotation(
            text="Nothing to draw: no row has these values.", showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    return figure


def stride_axis(figure: go.Figure, strides: Iterable[float]) -> None:
    """A logarithmic axis with a tick at each stride that occurs."""
    ticks = sorted({int(each) for each in strides})
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[str(each) for each in ticks], minor={"showgrid": False})

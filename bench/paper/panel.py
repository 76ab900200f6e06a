"""One Plotly figure drawn on the axes of matplotlib.

Only what the figures of `bench.figures` are made of is known: lines, markers, areas, bars of intervals, and linear, logarithmic
and named axes.
"""

import html
import re
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

_MARKERS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "cross": "P", "star": "*",
    "hexagon": "h",
}  # fmt: skip
_DASHES = {"solid": "-", "dot": ":", "dash": "--", "dashdot": "-.", "longdashdot": (0, (6, 2, 1, 2))}
_STEPS = {"hv": "steps-post", "vh": "steps-pre"}
_PER_PX = 0.5
"""Points on paper for a pixel on a screen: lines and markers of a figure in a column."""


def draw(panel: Any, ax: Axes) -> dict[str, Any]:
    """Draw one figure; returns what the legend shows of it."""
    handles = {}
    places = _places(panel)
    for order, trace in enumerate(panel.data):
        assert trace.type == "scatter", f"{trace.type}: a kind of trace that printed figures do not have yet"
        x, y = [places.get(each, each) for each in trace.x], list(trace.y)
        if trace.fill == "toself":
            ax.fill(x, y, color=_colour(trace.fillcolor), linewidth=0)
        elif handle := _line(ax, trace, x, y, order):
            handles[shown(trace.name)] = handle
    _axes(panel, ax, places)
    return handles


def _line(ax: Axes, trace: Any, x: list[Any], y: list[Any], order: int) -> Any:
    """A line, markers, or both; areas of markers are those of the screen, scaled."""
    colour = _colour(trace.line.color or trace.marker.color)
    if trace.mode == "markers":
        sizes = trace.marker.size if isinstance(trace.marker.size, Iterable) else [trace.marker.size] * len(x)
        areas = [(each * _PER_PX) ** 2 for each in sizes]
        marker = _MARKERS[trace.marker.symbol]
        ax.scatter(x, y, areas, color=colour, marker=marker, alpha=trace.marker.opacity, edgecolors="white", linewidths=0.4)
        # The legend tells kinds apart; the sizes of the bubbles are the rows'.
        return ax.plot([], [], color=colour, marker=marker, linestyle="", markersize=4)[0]
    marked = "markers" in trace.mode
    known = [place for place, value in enumerate(y) if value == value and value is not None]
    x, y = [x[place] for place in known], [y[place] for place in known]
    (line,) = ax.plot(
        x,
        y,
        color=colour,
        linewidth=(trace.line.width or 2) * _PER_PX,
        linestyle=_DASHES[trace.line.dash or "solid"],
        drawstyle=_STEPS.get(trace.line.shape, "default"),
        marker=_MARKERS[trace.marker.symbol] if marked else None,
        markersize=4 if marked else None,
        markevery=max(1, len(x) // (trace.marker.maxdisplayed or len(x) or 1)) if marked else None,
        zorder=3 + order / 1000,
    )
    if trace.error_y.array is not None:
        bars = [list(trace.error_y.arrayminus), list(trace.error_y.array)]
        ax.errorbar(x, y, yerr=bars, fmt="none", ecolor=colour, elinewidth=0.8, capsize=2)
    return line


def _places(panel: Any) -> dict[Any, int]:
    """Category -> its place, on an axis of names."""
    return {name: place for place, name in enumerate(panel.layout.xaxis.categoryarray or ())}


def _axes(panel: Any, ax: Axes, places: dict[Any, int]) -> None:
    across, up = panel.layout.xaxis, panel.layout.yaxis
    ax.set_xlabel(shown(across.title.text))
    ax.set_ylabel(shown(up.title.text))
    ax.grid(True, axis="y", linewidth=0.3, color="0.85")
    ax.set_axisbelow(True)
    if any(trace.mode == "markers" for trace in panel.data):
        ax.margins(0.12)  # bubbles stay whole
    if up.rangemode == "tozero":
        ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    if across.type == "log":
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if across.rangemode == "tozero":
        ax.set_xlim(left=0)
    if places or across.tickvals is not None:
        ax.xaxis.set_major_locator(FixedLocator(list(places.values()) or list(across.tickvals)))
        names = list(places) or across.ticktext
        ax.set_xticklabels([shown(name) for name in names])
        if places:
            ax.tick_params(axis="x", labelrotation=30)


def _colour(text: str) -> Any:
    """Plotly's colours as matplotlib takes them."""
    if match := re.fullmatch(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)", text):
        *rgb, alpha = map(float, match.groups())
        return (*(each / 255 for each in rgb), alpha)
    return text


def shown(text: str | None) -> str:
    """Text as it was before it was made safe for a page."""
    return html.unescape(text or "")

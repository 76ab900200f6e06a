"""Label maps beside their photograph, zoomed and moved together."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image
from plotly.subplots import make_subplots

from bench.errors import BenchError
from bench.figures.look import plain

Picture = NDArray[np.uint8]
VOID = 255
VOID_COLOUR, RIGHT, WRONG = (255, 255, 255), (214, 214, 214), (213, 94, 0)
_LONGEST_LEGEND = 40
_TITLE_PX, _LEGEND_PX, _LETTER_PX = 28, 90, 7


def pictures(
    panels: Sequence[tuple[str, Picture]],
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
    columns: int = 2,
    width_px: int = 820,
) -> go.Figure:
    """Named (H, W, 3) uint8 pictures of one size in a grid whose axes are matched, with a legend of named colours.

    ``width_px`` is the width the figure will have, which plotly does not know: its height follows from it.
    Raises BenchError for pictures of different sizes, which could not be zoomed together.
    """
    sizes = {picture.shape[:2] for _, picture in panels}
    if len(sizes) != 1:
        raise BenchError(f"pictures of different sizes cannot be shown side by side: {sorted(sizes)}")
    ((height, width),) = sizes
    lines = -(-len(panels) // columns)
    titles = [plain(title, max(8, width_px // columns // _LETTER_PX)) for title, _ in panels]
    figure = make_subplots(
        lines,
        columns,
        subplot_titles=titles,
        horizontal_spacing=0.01,
        vertical_spacing=min(1 / lines, _TITLE_PX / (lines * (_TITLE_PX + width_px / columns * height / width))),
    )
    for place, (title, picture) in enumerate(panels):
        line, column = divmod(place, columns)
        image = go.Image(source=_uri(picture), name=plain(title), hovertemplate="x %{x} px, y %{y} px<extra></extra>")
        figure.add_trace(image, line + 1, column + 1)
    for name, colour in legend[:_LONGEST_LEGEND]:
        marker = {"color": f"rgb{tuple(colour)}", "symbol": "square", "size": 12, "line": {"width": 1, "color": "#7F7F7F"}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=plain(name, 30), marker=marker))
    figure.update_xaxes(matches="x", visible=False, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(matches="y", visible=False, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain")
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(
        template="plotly_white",
        margin={"l": 0, "r": 0, "t": 30, "b": 10},
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "itemclick": False,
            "itemdoubleclick": False,
        },
        height=round(_LEGEND_PX + lines * (_TITLE_PX + width_px / columns * height / width)),
        dragmode="zoom",
    )


def coloured(labels: Picture, palette: Sequence[tuple[int, int, int]]) -> Picture:
    """A (H, W) label map in its data set's colours, (H, W, 3); void, and what is no class, is white."""
    table = np.full((256, 3), VOID_COLOUR, np.uint8)
    table[: min(len(palette), 256)] = np.array(palette, np.uint8).reshape(-1, 3)[:256]
    table[VOID] = VOID_COLOUR
    return table[labels]


def errors(truth: Picture, predicted: Picture) -> Picture:
    """Where a (H, W) prediction is wrong, (H, W, 3): `WRONG` on `RIGHT`, void in white."""
    shown = np.where((truth == predicted)[..., None], np.array(RIGHT, np.uint8), np.array(WRONG, np.uint8))
    shown[truth == VOID] = VOID_COLOUR
    return shown


def _uri(picture: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

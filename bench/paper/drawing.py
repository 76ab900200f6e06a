"""Figures for print: those of `bench.figures` drawn by matplotlib, which needs no browser and embeds text as text."""

import io
import logging
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.errors import BenchError, BenchWarning, nearest
from bench.paper.panel import draw, shown

MM_PER_INCH = 25.4
SIDE_BY_SIDE_MM = 130.0
"""From this width on the panels of a figure stand in a row, below it one over the other."""
TALLEST_MM = 60.0
_GENERIC = ("serif", "sans-serif", "monospace")


@dataclass(frozen=True)
class Page:
    """How a figure meets the document it goes into."""

    width_mm: float = 85.0
    font: str = "STIXGeneral"
    font_size_pt: float = 8.0

    def checked(self) -> "Page":
        """The same page; raises BenchError for sizes that no page has, and for a font that this machine has not."""
        if not 20 <= self.width_mm <= 1000:
            raise BenchError(f"--width-mm {self.width_mm:g}: expected 20 to 1000; a column of two is about 85, a whole page 170.")
        if not 3 <= self.font_size_pt <= 40:
            raise BenchError(f"--font-size-pt {self.font_size_pt:g}: expected 3 to 40.")
        known = sorted({each.name for each in font_manager.fontManager.ttflist})
        if self.font not in known and self.font not in _GENERIC:
            raise BenchError(
                f"--font {self.font}: no such font here.{nearest(self.font, known)} STIXGeneral goes with Times, cmr10 with "
                f"LaTeX's own, and {', '.join(_GENERIC)} are there always."
            )
        return self


def drawn(panels: Sequence[Any], page: Page, to: str, about: str) -> bytes:
    """Plotly figures as the panels of one PDF or SVG, with one legend; the same figures give the same bytes.

    ``about`` says in the file's metadata what it is made of. Warns of letters that the font has not.
    """
    settings: Any = {
        "font.family": [page.font, "DejaVu Sans"], "font.size": page.font_size_pt, "legend.fontsize": page.font_size_pt,
        "text.parse_math": False, "axes.unicode_minus": False, "axes.formatter.use_mathtext": True,
        "pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "stridebench",
        "axes.linewidth": 0.5, "xtick.major.width": 0.5, "ytick.major.width": 0.5,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logging.getLogger("fontTools").setLevel(logging.ERROR)  # it remarks on the age of fonts
        figure = _composed(panels, page)
        file = io.BytesIO()
        facts = {"Title": "Stridebench", "Date": None, "Description": about} if to == "svg" else {
            "Title": "Stridebench", "Subject": about, "CreationDate": None, "Producer": None,
        }  # fmt: skip
        figure.savefig(file, format=to, metadata=facts)
    _tell(str(each.message) for each in caught)
    return file.getvalue()


def _composed(panels: Sequence[Any], page: Page) -> Figure:
    """The panels side by side where the page is wide enough, else one over the other, above a legend of all their lines."""
    beside = page.width_mm >= SIDE_BY_SIDE_MM
    rows, columns = (1, len(panels)) if beside else (len(panels), 1)
    width = page.width_mm / MM_PER_INCH
    line = page.font_size_pt / 72 * 1.5
    names = {name for panel in panels for name in _names(panel)}
    longest = max((len(name) for name in names), default=1) * page.font_size_pt / 72 * 0.45 + 3 * line
    across = max(1, int(width / longest))
    legend = line * -(-len(names) // across) + line / 2 if names else 0.0
    side = width / columns
    tall = rows * (min(side * (0.8 if beside else 0.52), TALLEST_MM / MM_PER_INCH) + line)
    figure = Figure(figsize=(width, tall + legend), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(rect=(0, legend / (tall + legend), 1, tall / (tall + legend)))  # type: ignore[union-attr,call-arg]
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(len(panels))]
    shared = len({shown(panel.layout.xaxis.title.text) for panel in panels}) == 1
    handles: dict[str, Any] = {}
    for place, (panel, ax) in enumerate(zip(panels, axes, strict=True)):
        handles |= {name: handle for name, handle in draw(panel, ax).items() if name not in handles}
        if shared and not beside and place < len(panels) - 1:
            ax.set_xlabel("")
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=across, frameon=False, borderaxespad=0.1)
    return figure


def _names(panel: Any) -> list[str]:
    return [shown(trace.name) for trace in panel.data if trace.showlegend is not False]


def _tell(messages: Iterable[str]) -> None:
    missing = sorted({match[1] for each in messages if (match := re.search(r"Glyph \d+ \((.*?)\) missing", each))})
    if missing:
        warnings.warn(
            BenchWarning(f"the font has no letters {', '.join(missing)}: boxes stand for them. Choose another: --font"),
            stacklevel=3,
        )

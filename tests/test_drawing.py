"""Figures for print: the numbers of the Plotly figures, text as text, sizes as asked for, the same bytes every time."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bench.errors import BenchWarning
from bench.leaderboard import Row
from bench.paper.drawing import Page, drawn
from bench.paper.figures import FIGURES, drawings
from bench.paper.panel import draw
from tests.made_paper import HOSTILE, PLAIN, made
from tests.test_page import CURVES
from tests.test_paper import WON, _rows
from tests.test_paper import bench as bench  # a fixture


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    return _rows(*made(tmp_path, PLAIN, WON, curves=CURVES))


def test_the_lines_are_those_of_the_figures(rows: list[Row]) -> None:
    for name in FIGURES:
        (drawing,) = drawings(rows, name)
        for panel in drawing.panels:
            ax = Figure().add_subplot()
            handles = draw(panel, ax)
            assert list(handles) == [trace.name for trace in panel.data if trace.showlegend is not False]
            assert ax.get_ylabel() == panel.layout.yaxis.title.text
            assert (ax.get_xscale() == "log") == (panel.layout.xaxis.type == "log")
            for trace in panel.data:
                if trace.fill or trace.mode == "markers":
                    continue
                known = [value for value in trace.y if value == value]
                assert np.allclose(handles[trace.name].get_ydata(), known)


def test_text_is_text_and_sizes_are_those_asked_for(rows: list[Row]) -> None:
    (drawing,) = drawings(rows, "stride")
    svg = drawn(drawing.panels, Page(width_mm=85), "svg", "made, provenance 12").decode()
    assert re.search(r"<text[^>]*>mIoU \(%\)</text>", svg) and "made, provenance 12" in svg and "<dc:date>" not in svg
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(85 / 25.4 * 72)
    pdf = drawn(drawing.panels, Page(width_mm=170, font="cmr10", font_size_pt=9), "pdf", "x")
    assert float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", pdf)[1]) == pytest.approx(170 / 25.4 * 72)
    assert b"/FontFile2" in pdf and re.search(rb"/BaseFont /\w+\+cmr10", pdf, re.I) and b"/Type3" not in pdf
    assert pdf == drawn(drawing.panels, Page(width_mm=170, font="cmr10", font_size_pt=9), "pdf", "x")
    assert svg == drawn(drawing.panels, Page(width_mm=85), "svg", "made, provenance 12").decode()


def test_letters_a_font_lacks_are_told_and_dollars_are_dollars(tmp_path: Path) -> None:
    (drawing,) = drawings(_rows(*made(tmp_path, HOSTILE, WON, curves=CURVES)), "boundary")
    with pytest.warns(BenchWarning, match="no letters"):
        svg = drawn(drawing.panels, Page(), "svg", "x").decode()
    assert "$x_1^2$" in svg and "&lt;script&gt;" in svg and "<script" not in svg


def test_files_for_each_figure(bench, tmp_path: Path) -> None:
    made(tmp_path, PLAIN, WON)  # without curves
    code, _, err = bench("export", "made.yaml", "--format", "pdf", "--out", "fig")
    assert code == 0 and sorted(each.name for each in (tmp_path / "fig").iterdir()) == ["stride.pdf", "tradeoff.pdf"]
    assert "boundary: no row has the curve 'trimap_iou'" in err
    code, _, err = bench("export", "made.yaml", "--format", "svg", "--out", "other", "--figure", "boundary")
    assert code == 2 and "no row has the curve" in err and not (tmp_path / "other").exists()

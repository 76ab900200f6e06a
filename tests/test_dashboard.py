"""The dashboard's pages draw what the store holds, and say what they cannot read."""

import dataclasses
from pathlib import Path

import pytest

from bench.leaderboard import Row
from bench.store import Result, Store
from dashboard.figures import stride_figure
from dashboard.pages_table import frame
from tests.test_export import rows as rows  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


def app(repository: Path, store: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("BENCH_STORE", str(store))
    return AppTest.from_file(str(repository / "dashboard" / "app.py"), default_timeout=60).run()


def test_an_empty_store_says_what_to_do(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(repository, tmp_path, monkeypatch)
    assert not page.exception and "bench run suites/quickstart.yaml" in page.info[0].value


def test_the_leaderboard_is_drawn_and_a_damaged_cell_is_named(
    repository: Path, tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "runs")
    cells = [cell for row in rows for cell in row.cells]
    for cell in cells:
        store.open_cell(cell)
    store.note_suite("x", tmp_path / "x.yaml", cells)
    (store.folder(rows[0].cells[0].id) / "result.json").write_text("{")
    page = app(repository, store.root, monkeypatch)
    assert not page.exception and page.title[0].value == "Leaderboard"
    assert "result.json" in page.warning[0].value and len(page.dataframe[0].value) == 3


def test_figures_and_tables_show_percent_and_leave_out_what_is_not_there(rows: list[Row]) -> None:
    table = frame(rows)
    assert table["miou"].iloc[0] == pytest.approx((rows[0].scores["miou"] or 0) * 100) and table["miou"].isna().tolist() == [
        False,
        False,
        True,
    ]
    figure = stride_figure(rows, "miou")
    assert sum(len(trace.x) for trace in figure.data) == 2


def test_the_ceiling_of_the_labels_is_a_dashed_line_by_stride(rows: list[Row]) -> None:
    bounds = [{"stride": stride, "miou": score, "boundary_iou": None} for stride, score in ((8, 0.9), (1, 1.0))]
    first, second = (bounded_by(row.results[0], bound) for row, bound in zip(rows, bounds, strict=False))
    bounded = [dataclasses.replace(row, results=[result]) for row, result in zip(rows, (first, second), strict=False)]
    (line,) = [trace for trace in stride_figure(bounded, "miou").data if trace.line.dash]
    assert list(line.x) == [1, 8] and list(line.y) == pytest.approx([100, 90])
    assert not [trace for trace in stride_figure(bounded, "boundary_iou").data if trace.line.dash]


def bounded_by(result: Result, ceiling: dict[str, float | int | None]) -> Result:
    return result.model_copy(update={"ceiling": ceiling})

"""The dashboard's pages draw what the store holds, and say what they cannot read: by AppTest, without a browser."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.leaderboard import Row
from bench.store import Store
from dashboard.kept import view
from dashboard.serve import serve
from dashboard.views.pages import PAGES
from dashboard.words import literal, short, status
from tests.made_store import make
from tests.test_export import rows as rows  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


@pytest.fixture
def app(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the dashboard on a store, at a page, with what the URL says."""
    from streamlit.testing.v1 import AppTest

    def opened(store: Path, title: str = "Leaderboard", **params: str) -> Any:
        monkeypatch.setenv("BENCH_STORE", str(store))
        monkeypatch.setenv("BENCH_REPORTS", str(tmp_path / "no_reports"))
        # A page alone: AppTest cannot follow a menu of functions.
        script = f"""
import streamlit as st
from bench.errors import BenchError
from dashboard.source import refresh, shelf
from dashboard.views.pages import PAGES
from dashboard.words import literal
st.session_state["shown"] = shelf()[0]
try:
    refresh()
    PAGES[{title!r}][1]()
except BenchError as error:
    st.error(literal(error))
"""
        page = AppTest.from_string(script, default_timeout=60)
        for key, value in params.items():
            page.query_params[key] = value
        return page.run()

    return opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make(tmp_path_factory.mktemp("made"), 12)


@pytest.fixture
def store(made: Store, tmp_path: Path) -> Store:
    """A store of its own, to be damaged."""
    shutil.copytree(made.root, tmp_path / "runs")
    return Store(tmp_path / "runs")


def words(page: Any) -> str:
    """All that a page says."""
    said = [each.value for kind in ("error", "warning", "info", "caption", "markdown") for each in getattr(page, kind)]
    return "\n".join(map(str, said)).replace("\\", "")


def test_an_empty_store_says_what_to_do(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    monkeypatch.setenv("BENCH_REPORTS", str(tmp_path))
    page = AppTest.from_file(str(repository / "dashboard" / "app.py"), default_timeout=60).run()
    assert not page.exception and "bench run suites/quickstart.yaml" in page.info[0].value


def test_without_a_store_the_published_reports_are_shown(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    monkeypatch.setenv("BENCH_REPORTS", str(repository / "reports"))
    page = AppTest.from_file(str(repository / "dashboard" / "app.py"), default_timeout=60).run()
    assert not page.exception and page.title[0].value == "Leaderboard"
    assert page.sidebar.selectbox[0].options == ["quickstart (published)", "camvid_small (published)"]
    published = json.loads((repository / "reports" / "quickstart" / "table.json").read_text(encoding="utf-8"))
    shown = page.dataframe[0].value
    assert shown["miou"].tolist() == pytest.approx([row["miou"] * 100 for row in published])


@pytest.mark.parametrize("title", PAGES)
def test_every_page_is_drawn(app: Any, made: Store, title: str) -> None:
    page = app(made.root, title)
    assert not page.exception and not page.error and page.title[0].value


def test_the_leaderboard_shows_percent_and_leaves_out_what_is_not_there(app: Any, rows: list[Row], tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    cells = [cell for row in rows for cell in row.cells]
    for cell in cells:
        store.open_cell(cell)  # as a run does
    store.note_suite("x", tmp_path / "x.yaml", cells)
    table = app(store.root).dataframe[0].value
    assert table["miou"].iloc[0] == pytest.approx((rows[0].scores["miou"] or 0) * 100)
    assert table["miou"].isna().tolist() == [False, False, True] and table["status"].iloc[2] == "1 out of memory, 1 not run"
    failed = app(store.root, "Training")
    assert not failed.exception and any("out of memory" in each.label for each in failed.expander)


def test_the_url_filters(app: Any, made: Store) -> None:
    assert len(app(made.root).dataframe[0].value) == 3
    few = app(made.root, fraction="0.5")
    assert not few.exception and len(few.dataframe[0].value) == 1


def test_rows_that_are_picked_are_tested_against_the_first(app: Any, made: Store) -> None:
    page = app(made.root)
    names = page.multiselect(key="compare").options
    page.multiselect(key="compare").set_value(list(names[:3])).run()
    assert not page.exception and "Holm" in words(page)
    assert any("field" in each.value.columns for each in page.dataframe)


def test_a_large_table_is_ranked_once(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made.root, tmp_path / "runs")
    store = Store(tmp_path / "runs")
    monkeypatch.setattr("bench.kept.WORTH_S", 0.0)
    first = view(store, "many")
    (kept,) = (store.cache / "rankings").iterdir()
    monkeypatch.setattr("dashboard.kept.ranked", None)  # would raise if it were called
    again = view(store, "many")
    assert again.frame.equals(first.frame) and (again.notes, again.warnings) == (first.notes, first.warnings)
    assert (again.frame.dtypes == first.frame.dtypes).all()
    monkeypatch.undo()
    kept.write_text("{", encoding="utf-8")
    assert view(store, "many").frame.equals(first.frame)
    (next((store.root / "cells").iterdir()) / "result.json").unlink()
    assert view(store, "many").frame["status"].eq("1 not run").sum() == 1


def test_a_running_suite_is_read_again(app: Any, store: Store) -> None:
    cell = sorted((store.root / "cells").iterdir())[0]
    (cell / "result.json").unlink()
    page = app(store.root, "Training")
    assert not page.exception and "Read again every 5 seconds" in words(page)
    assert {each.label: each.value for each in page.metric} == {"finished": "11", "started": "1"}
    (cell / "failed.json").write_text(
        json.dumps({"cell_id": cell.name, "cause": "diverged", "message": "loss is NaN", "finished": "2026-01-01"}),
        encoding="utf-8",
    )
    (cell / "log.txt").write_text("the last words", encoding="utf-8")
    failed = app(store.root, "Training")
    assert "Read again" not in words(failed) and "diverged" in failed.expander[0].label
    assert any("the last words" in each.value for each in failed.code)


@pytest.mark.parametrize(
    ("uri", "linked"),
    [("http://tracking:5000", True), ("javascript:alert(1)", False), ("sqlite:////x/mlflow.db", False), (3, False)],
)
def test_a_cell_links_to_its_run_on_a_server_alone(app: Any, store: Store, uri: object, linked: bool) -> None:
    cell = store.suite("many")["cells"][0]  # type: ignore[index]
    (store.folder(cell) / "mlflow.json").write_text(json.dumps({"x": {"uri": uri, "run": "0" * 32}}), encoding="utf-8")
    page = app(store.root, "Cell", cell=cell)
    links = [each.proto.url for each in page.get("link_button")]
    assert not page.exception and links == ([f"{uri}/#/runs/{'0' * 32}"] if linked else [])
    assert f"bench run suites/many.yaml --cell {cell}" in page.code[0].value


def test_a_port_that_is_taken_is_told_of(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BenchError, match=rf"127.0.0.1:{port} cannot be listened on.*--port {port % 65535 + 1}"):
            serve(store, address="127.0.0.1", port=port, headless=True, say=print)


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:alert(3)) `$x$` :red[y] " + "n" * 500


@pytest.mark.parametrize("title", PAGES)
def test_names_are_shown_as_text(app: Any, store: Store, title: str) -> None:
    folder = next((store.root / "cells").iterdir())
    data = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
    data["labels"] |= {"model": HOSTILE, "augmentation": HOSTILE}
    (folder / "cell.json").write_text(json.dumps(data), encoding="utf-8")
    page = app(store.root, title)
    assert not page.exception and not page.error
    for each in (*page.markdown, *page.caption, *page.warning, *page.info, *page.subheader):
        assert not getattr(each.proto, "allow_html", False) and "<script" not in each.value.replace("\\<script", "")
    figures = [json.loads(each.proto.spec) for each in page.get("plotly_chart") if each.proto.spec]
    assert all("<script" not in json.dumps(figure) and "<img" not in json.dumps(figure) for figure in figures)


def damage(store: Store, how: str) -> None:
    cells = sorted((store.root / "cells").iterdir())
    first, note = cells[0], store.root / "suites" / "many.json"
    result = json.loads((first / "result.json").read_text(encoding="utf-8"))
    match how:
        case "future":
            (first / "result.json").write_text(json.dumps({**result, "schema_version": 99}), encoding="utf-8")
        case "nan":
            result["metrics"] = dict.fromkeys(result["metrics"], float("nan"))
            (first / "result.json").write_text(json.dumps(result), encoding="utf-8")
        case "infinite":
            (first / "result.json").write_text(
                json.dumps(result).replace('"miou": 0.', '"miou": 1e999, "x": 0.', 1), encoding="utf-8"
            )
        case "half written":
            text = (first / "result.json").read_text(encoding="utf-8")
            (first / "result.json").write_text(text[: len(text) // 2], encoding="utf-8")
        case "no sums":
            (first / "per_image.npz").write_bytes(b"PK\x03\x04")
        case "outside":
            data = json.loads(note.read_text(encoding="utf-8"))
            (store.root.parent / "secret").mkdir()
            shutil.copytree(first, store.root.parent / "secret" / "cell")
            data["cells"][0] = "../../secret/cell"
            note.write_text(json.dumps(data), encoding="utf-8")
        case "link":
            shutil.move(first, store.root.parent / "elsewhere")
            first.symlink_to(store.root.parent / "elsewhere")
        case "linked file":
            shutil.move(first / "result.json", store.root.parent / "elsewhere.json")
            (first / "result.json").symlink_to(store.root.parent / "elsewhere.json")
        case "wrong types":
            data = json.loads((first / "cell.json").read_text(encoding="utf-8"))
            data["labels"]["model"] = {"a": ["list"]}
            (first / "cell.json").write_text(json.dumps(data), encoding="utf-8")
        case "long name":
            data = json.loads((first / "cell.json").read_text(encoding="utf-8"))
            data["labels"]["model"] = "n" * 10_000_000
            (first / "cell.json").write_text(json.dumps(data), encoding="utf-8")
        case "empty cell":
            shutil.rmtree(first)
            first.mkdir()


SAID = {
    "future": "newer version", "nan": "NaN stands where a number", "infinite": "1e999", "half written": "cannot be read",
    "no sums": "per_image.npz", "outside": "is no id of a cell", "link": "leads out of the store",
    "linked file": "leads out of the store", "wrong types": "not a cell",
    "long name": "a label of 10000000 characters", "empty cell": "cell.json",
}  # fmt: skip


@pytest.mark.parametrize("how", SAID)
def test_what_is_damaged_or_hostile_is_told_of_and_the_rest_is_shown(app: Any, store: Store, how: str) -> None:
    damage(store, how)
    page = app(store.root)
    assert not page.exception and not page.error and SAID[how] in words(page)
    assert len(page.dataframe[0].value) == 3
    assert max(map(len, words(page).splitlines())) < 1_500
    (note,) = [each.value for each in page.warning if "Left out here" in each.value]
    for title in ("Boundary", "Training"):
        other = app(store.root, title)
        assert not other.exception and note in [each.value for each in other.warning]


CURVES: dict[str, object] = {"trimap_iou": "abc", "error_by_distance": {"edge_strides": [1], "error": [], "share": "x"}}


def test_hostile_curves_are_told_of_and_others_drawn(app: Any, store: Store) -> None:
    folder = store.folder(store.suite("many")["cells"][0])  # type: ignore[index]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result["curves"] |= CURVES
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    page = app(store.root, "Boundary")
    assert not page.exception and not page.error and len(page.get("plotly_chart")) == 3
    assert "the curve trimap_iou is no list of numbers" in words(page) and "error_by_distance holds no list" in words(page)
    lines = ['{"step": 1, "loss": "0.5"}', '{"step": 2, "loss": [1]}', "[" * 9999, '{"step": 1e3}', "\ud800"]
    (folder / "curve.jsonl").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    for title in ("Training", "Cell"):
        page = app(store.root, title)
        assert not page.exception and not page.error and "loss is '0.5', no number" in words(page)


def test_cells_that_have_not_begun_are_no_damage(app: Any, store: Store) -> None:
    for each in store.suite("many")["cells"][:5]:  # type: ignore[index]
        shutil.rmtree(store.folder(each))
    page = app(store.root, "Training")
    assert not page.exception and "5 of 12 cells, which have not begun" in words(page) and "Remove" not in words(page)
    assert {each.label: each.value for each in page.metric} == {"finished": "7", "not begun": "5"}
    assert "Read again every 5 seconds" in words(page)


def test_a_cell_is_shown_in_words_and_units(app: Any, store: Store) -> None:
    cell = store.suite("many")["cells"][0]  # type: ignore[index]
    result = json.loads((store.folder(cell) / "result.json").read_text(encoding="utf-8"))
    result["seconds"] = {"train_s": 15.618532217002212, "evaluate_s": 4000.4}
    result["environment"] = {"device": "CPU", "training": {"device": "GPU", "threads": None}, "flags": [1, True]}
    (store.folder(cell) / "result.json").write_text(json.dumps(result), encoding="utf-8")
    page = app(store.root, "Cell", cell=cell)
    told = {}
    for each in page.dataframe:
        if "Fact" in each.value:
            told |= dict(each.value.to_numpy().tolist()[::-1])
    assert not page.exception and told["Train"] == "15.6 s" and told["Evaluate"] == "1 h 6 min"
    assert told["Device"] == "CPU" and told["training · Device"] == "GPU" and told["Flags"] == "1, yes"
    assert told["mIoU"] == f"{result['metrics']['miou'] * 100:.1f} %" and not any("{" in value for value in told.values())


@pytest.mark.parametrize("content", ["{", "[]", '{"cells": [1, {}]}', '{"cells": "x"}', '{"schema_version": 9, "cells": []}'])
def test_a_damaged_note_of_a_suite_is_told_of(app: Any, store: Store, content: str) -> None:
    (store.root / "suites" / "many.json").write_text(content, encoding="utf-8")
    page = app(store.root)
    assert not page.exception and "many.json" in words(page)


def test_text_is_escaped_and_cut() -> None:
    assert literal("<b>*x*</b>") == r"\<b\>\*x\*\<\/b\>" and len(literal("a" * 10_000_000)) < 500
    assert short("a\n  b") == "a b" and len(short("a" * 10_000_000)) == 60


def test_states_are_told_in_words() -> None:
    told = [status(each) for each in ("", "1 oom", "2 oom", "1 diverged, 1 not run")]
    assert told == ["", "out of memory", "2 out of memory", "1 diverged, 1 not run"]

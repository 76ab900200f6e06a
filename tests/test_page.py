"""The one-file page: it loads nothing, shows text of results as text, and works in a browser without a network."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.layout import Layout, chosen_rows
from bench.page import page, roomy
from bench.paper.sheet import sheet
from bench.store import Store
from tests.made_paper import HOSTILE, PLAIN, made
from tests.test_paper import WON, _rows

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CURVES = {
    "trimap_iou": np.linspace(0.3, 0.8, 40).tolist(),
    "error_by_distance": {"edge_strides": [0.25, 0.5, 1.0, None], "error": [0.4, None, 0.1, 0.0], "share": [0.2, 0.3, 0.3, 0.2]},
    "object_iou": {"side_px": [0, 2, 4], "miou": [0.1, 0.4, 0.8], "objects": [3, 5, 9], "per_class": {}},
}
OPTIONS = {"suite": "made", "metric": "miou", "convention": "fcn", "settings": []}


class Elements(HTMLParser):
    """The elements and the attributes of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def rendered(folder: Path, names: dict[str, str], layout: Layout | None = None) -> str:
    path, store = made(folder, names, {**WON, "twin": "oom"}, title="A <b>bold</b> title & more", curves=CURVES)
    rows, layout = _rows(path, store), layout or Layout()
    whole = sheet(rows, store, "A <b>bold</b> title & more", roomy(rows, layout), OPTIONS)
    return page(whole, chosen_rows(rows, layout), "bench export made --format html", "1.0")


def test_nothing_is_loaded_and_text_of_results_is_text(tmp_path: Path) -> None:
    content = rendered(tmp_path, HOSTILE)
    found = Elements(content)
    assert {tag for tag, _ in found.tags}.isdisjoint({"link", "img", "iframe", "object", "embed", "base", "form", "b"})
    for tag, attributes in found.tags:
        assert not {"src", "srcset", "data", "action", "poster", "background"} & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv"))
    assert policy and "default-src 'none'" in policy and "http" not in policy and "connect-src" not in policy
    style = content[content.index("<style>") : content.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "<script>alert" not in content and HOSTILE["ours"] in " ".join(found.texts)
    assert content.count("<script>") == 2 and content.count('<script type="application/json">') == 8


def test_the_table_is_marked_up_for_everybody(tmp_path: Path) -> None:
    content = rendered(tmp_path, PLAIN)
    assert '<html lang="en">' in content and content.count('<th scope="col"') == 9 and content.count("<th scope=row") == 3
    assert '<caption class="hidden">' in content and content.count('<button type="button">') == 9
    assert "Of 2 seeds 2 out of memory." in content and content.count('href="#note-a"') == 2 and content.count('id="note-a"') == 1
    assert re.search(r'data-value="[\d.]+" ?>?\s*<span class="best">', content) and "bench export made --format html" in content
    assert content.count('class="interval"') == 4 and "provenance <code>" in content


def test_figures_hold_the_numbers_of_the_rows(tmp_path: Path) -> None:
    content = rendered(tmp_path, PLAIN)
    figures = [json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', content, re.S)]
    points = {
        name: y
        for trace in figures[0]["data"]
        for y, (name, *_) in zip(_values(trace["y"]), trace.get("customdata", []), strict=False)
    }
    rows = _rows(tmp_path / "made.yaml", Store(tmp_path / "runs"))
    assert points["ours"] == pytest.approx((rows[0].scores["miou"] or 0) * 100) and "twin" not in points


def _values(packed: Any) -> list[float]:
    """Plotly packs some numbers as bytes."""
    return packed if isinstance(packed, list) else np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


@pytest.mark.browser
def test_in_a_browser_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("playwright", reason="Playwright is not installed")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    file = tmp_path / "page.html"
    file.write_text(rendered(tmp_path, HOSTILE), encoding="utf-8")
    said: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        for scheme, width in (("light", 1280), ("dark", 390)):
            tab = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True).new_page()  # type: ignore[arg-type]
            tab.on("console", lambda message: said.append(message.text))
            tab.on("pageerror", lambda error: said.append(str(error)))
            tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
            tab.on("request", lambda request: None if request.url == file.as_uri() else said.append(request.url))
            tab.goto(file.as_uri())
            tab.wait_for_selector("html[data-drawn='8']")
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert tab.evaluate("document.querySelectorAll('.plot .main-svg').length") >= 8
        ink = tab.evaluate("getComputedStyle(document.querySelector('.plot .xtitle')).fill")
        assert sum(map(int, re.findall(r"\d+", ink)[:3])) > 600, f"{ink} is dark on dark"
        head = tab.get_by_role("button", name="mIoU %", exact=True)
        names = "[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').textContent.trim())"
        before = tab.evaluate(names)
        head.focus()
        tab.keyboard.press("Enter")
        assert tab.evaluate(names) == [before[1], before[0], before[2]]  # rising, what is missing last
        assert tab.locator("th[aria-sort='ascending']").inner_text().startswith("mIoU")
        tab.keyboard.press("Enter")
        assert tab.evaluate(names) == before
        browser.close()
    assert not said

"""Every page of the dashboard in a real browser, on a suite that was really run, on the published reports and on many results."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import CHROMIUM, NARROW, PAGES, WIDE, chromium, served, settled, tab
from tests.made_store import make

MISSING = (
    "Playwright is not installed" if find_spec("playwright") is None else f"there is no {CHROMIUM}: BENCH_CHROMIUM names another"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None or not CHROMIUM.exists(), reason=MISSING),
]
SUITE = """\
name: tiny
datasets:
  small: {name: phantom, size: [48, 48], train_images: 16, val_images: 4, test_images: 12}
models:
  fcn32s: {name: fcn, backbone: small, width: 4, stride: 32, dropout: 0}
  fcn8s: {name: fcn, backbone: small, width: 4, stride: 8, dropout: 0}
  unet: {name: unet, width: 4, depth: 2}
augmentations: {flips: {flip: 0.5}}
matrix: {dataset: [small], model: [fcn32s, fcn8s, unet]}
include:
  - {model: unet, augmentation: flips}
train: {steps: 12, batch: 4, optimizer: adamw, lr: 0.01, schedule: constant, val_every: 6}
eval: {batch: 4, keep_predictions: true}
profile: {size: [48, 48], batch: 2, warmup: 1, rounds: 2}
"""
CHARTS = {
    "Leaderboard": 2,
    "Output stride": 3,
    "Trade-off": 1,
    "Less data": 2,
    "Boundary": 3,
    "Pictures": 1,
    "Training": 1,
    "Cell": 2,
}
"""Charts that a suite which was run draws on each page."""
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of four cells, trained for a few steps; $BENCH_TEST_STORE names another that was run before."""
    if given := os.environ.get("BENCH_TEST_STORE"):
        return Path(given)
    folder = tmp_path_factory.mktemp("real")
    (folder / "tiny.yaml").write_text(SUITE, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        str(folder / "tiny.yaml"),
        "--store",
        str(folder / "runs"),
        "--tracking",
        "off",
    ]
    subprocess.run([*command, "--device", "cpu", "--threads", "1"], check=True, capture_output=True, cwd=folder.parent)
    return folder / "runs"


@pytest.fixture(scope="module")
def url(store: Path) -> Iterator[str]:
    with served(store) as address:
        yield address


def test_every_page_draws_its_charts_wide_and_narrow_light_and_dark(browser: Any, url: str) -> None:
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        with tab(browser, size, scheme) as page:
            for title, path in PAGES.items():
                page.goto(f"{url}/{path}")
                settled(page, title)
                page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {CHARTS[title]}")
                assert page.locator(".js-plotly-plot").count() == CHARTS[title], title
                assert page.locator('[data-testid="stException"]').count() == 0
                assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), f"{title} is wider than {size}"
                labelled = page.locator('[data-testid="stPlotlyChart"][role="figure"][aria-label]')
                assert labelled.count() >= CHARTS[title], f"{title}: a chart has no name for screen readers"


def test_a_filter_takes_rows_away_and_the_url_brings_the_view_back(browser: Any, url: str) -> None:
    with tab(browser) as page:
        page.goto(f"{url}/stride")
        settled(page, "Output stride")
        lines = page.locator(".js-plotly-plot").first.locator(".legendtext")
        before = lines.count()
        page.get_by_text("Filter", exact=True).click()
        box = page.get_by_role("combobox", name="Stride (px)")
        box.wait_for()
        page.wait_for_timeout(500)  # the filter slides open
        box.press_sequentially("8")
        page.get_by_role("option", name="8", exact=True).click()
        page.wait_for_url("**output_stride=8**")
        page.keyboard.press("Escape")  # the open list hides all else from screen readers
        settled(page, "Output stride")
        page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.legendtext').length < {before}")
        # By the keyboard alone.
        page.get_by_role("switch", name="% of ceiling").focus()
        page.keyboard.press("Space")
        page.wait_for_url("**of_ceiling=true**")
        shared = page.url
    with tab(browser) as page:
        page.goto(shared)
        settled(page, "Output stride")
        page.wait_for_function(
            "document.querySelectorAll('.js-plotly-plot')[0].querySelector('.gtitle')?.textContent.includes('ceiling')"
        )
        assert page.locator(".js-plotly-plot").first.locator(".legendtext").count() < before


def test_downloads_are_the_table(browser: Any, url: str, tmp_path: Path) -> None:
    with tab(browser) as page:
        page.goto(url)
        settled(page, "Leaderboard")
        found = {}
        for name in ("CSV", "Markdown", "LaTeX"):
            with page.expect_download() as download:
                page.get_by_role("button", name=f"Download {name}").click()
            path = tmp_path / download.value.suggested_filename
            download.value.save_as(path)
            found[path.suffix] = path.read_text(encoding="utf-8")
    table = list(csv.DictReader(found[".csv"].splitlines()))
    assert len(table) >= 3 and all(0 <= float(row["miou"]) <= 1 for row in table)
    assert found[".md"].count("\n| ") >= len(table) and r"\toprule" in found[".tex"]


def test_pictures_zoom_together(browser: Any, url: str) -> None:
    with tab(browser) as page:
        page.goto(f"{url}/pictures")
        settled(page, "Pictures")
        page.wait_for_selector(".js-plotly-plot .main-svg image")
        axes = "Object.entries(document.querySelector('.js-plotly-plot')._fullLayout).filter(([name]) => /^xaxis/.test(name))"
        assert page.evaluate(f"{axes}.every(([name, axis]) => name === 'xaxis' || axis.matches === 'x')")
        assert page.evaluate(f"{axes}.length") >= 6


def test_published_reports_stand_in_for_an_empty_store(browser: Any, repository: Path, tmp_path: Path) -> None:
    with served(tmp_path / "none", repository / "reports") as address, tab(browser) as page:
        for title, path in PAGES.items():
            page.goto(f"{address}/{path}")
            settled(page, title)
            charts = 0 if title == "Pictures" else CHARTS[title]  # no pictures are published, and the page says so
            page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {charts}")
            assert page.locator(".js-plotly-plot").count() == charts, title
            assert page.get_by_role("combobox", name="Suite").input_value() == "quickstart (published)"
            if title == "Pictures":
                assert page.get_by_text("keep_predictions").is_visible()


@pytest.mark.skipif(not os.environ.get("BENCH_SCREENSHOTS"), reason="BENCH_SCREENSHOTS names the folder to write docs' pictures to")
def test_screenshots_of_every_page(browser: Any, url: str) -> None:
    from PIL import Image

    folder = Path(os.environ["BENCH_SCREENSHOTS"])
    for title, path in PAGES.items():
        for size, scheme, ending in ((WIDE, "light", ""), (WIDE, "dark", "_dark"), (NARROW, "light", "_narrow")):
            with tab(browser, (size[0], 1000 if size == WIDE else size[1]), scheme) as page:
                page.goto(f"{url}/{path}")
                settled(page, title)
                page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {CHARTS[title]}")
                page.wait_for_timeout(500)  # plotly moves into place
                picture = folder / f"{(path or 'leaderboard').replace('-', '_')}{ending}.png"
                page.screenshot(path=str(picture))
                if (path, size, scheme) == ("stride", WIDE, "light"):
                    page.locator('[data-testid="stHorizontalBlock"]').last.screenshot(path=str(folder / "stride_figures.png"))
            with Image.open(picture) as taken:
                taken.convert("RGB").quantize(128).save(picture, optimize=True)
            assert picture.stat().st_size < MOST_BYTES, f"{picture} has {picture.stat().st_size} bytes"


@pytest.mark.skipif(not os.environ.get("BENCH_TEST_EXHAUSTIVE"), reason="minutes long: BENCH_TEST_EXHAUSTIVE=1 runs it")
def test_a_thousand_results_open_at_once(browser: Any, tmp_path: Path) -> None:
    """First paint, and each page until all of its charts are drawn, in seconds; printed with -s."""
    many = make(tmp_path, 1000)
    with served(many.root) as address, tab(browser) as page:
        began = time.monotonic()
        page.goto(address)
        page.get_by_role("heading", name="Leaderboard", level=1).wait_for()
        heading = time.monotonic() - began
        settled(page, "Leaderboard")
        page.wait_for_selector('[data-testid="stDataFrame"]')
        whole = time.monotonic() - began
        first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        print(f"\nfirst paint {first:.2f} s, heading {heading:.2f} s, table {whole:.2f} s")
        assert first < 2
        for _ in range(2):
            for link, title in zip(
                ("Stride", "Trade-off", "Less data", "Boundary", "Training", "Cell", "Leaderboard"),
                (each for each in [*list(PAGES)[1:5], *list(PAGES)[6:], "Leaderboard"]),
                strict=True,
            ):
                began = time.monotonic()
                page.get_by_role("link", name=link, exact=True).click()
                settled(page, title)
                page.wait_for_selector(".js-plotly-plot .main-svg")
                print(f"{title} {time.monotonic() - began:.2f} s")

"""The dashboard in a real browser: the server in a process of its own, Debian's Chromium driven by Playwright."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path(os.environ.get("BENCH_CHROMIUM", "/usr/bin/chromium"))
PAGES = {
    "Leaderboard": "",
    "Output stride": "stride",
    "Trade-off": "trade-off",
    "Less data": "less_data",
    "Boundary": "boundary",
    "Pictures": "pictures",
    "Training": "training",
    "Cell": "cell",
}
"""Title of each page and its place in the URL."""
_PHONE = "Mozilla/5.0 (Linux; Android 14; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
WIDE, NARROW = (1280, 900), (390, 844)


@contextmanager
def served(store: Path, reports: Path | None = None) -> Iterator[str]:
    """The URL of `bench dashboard` on a store, ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench", "dashboard", "--headless", "--port", str(port), "--store", str(store)]
    more = {"BENCH_REPORTS": str(reports)} if reports else {}
    process = subprocess.Popen(
        command, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, f"the dashboard ended with {process.returncode}"
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the dashboard did not start within a minute")


@contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def _is_error(message: Any) -> bool:
    """Streamlit looks for its server below each page's address first, which is no error of ours."""
    return message.type == "error" and "/_stcore/" not in str(message.location.get("url", ""))


@contextmanager
def tab(browser: Any, size: tuple[int, int] = WIDE, scheme: str = "light") -> Iterator[Any]:
    """A page of a size and colour scheme; at its end no error may stand on its console."""
    phone = {"is_mobile": True, "has_touch": True, "user_agent": _PHONE} if size[0] < 600 else {}
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, accept_downloads=True, **phone
    )
    page = context.new_page()
    page.set_default_timeout(90_000)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(f"{message.text} {message.location}") if _is_error(message) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    assert not errors, errors


def settled(page: Any, title: str) -> None:
    """Wait until a page with this title is drawn and its script has ended."""
    page.get_by_role("heading", name=title, exact=True, level=1).wait_for(timeout=30_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000)
    page.wait_for_function('!document.querySelector(\'[data-testid="stSkeleton"], [data-stale="true"]\')', timeout=30_000)

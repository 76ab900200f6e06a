"""The dashboard's server, ready before a browser asks: modules imported, and the newest suite ranked."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError
from bench.store import Store
from bench.stored import suites
from dashboard.kept import view


def serve(store: Store, *, address: str, port: int, headless: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted; ``say`` is told what a reader should know. Raises BenchError for an address that cannot be had."""
    _check(address, port)
    from streamlit.web.cli import main

    import dashboard.views.pages  # noqa: F401  a first visitor would wait for these imports

    names = suites(store)
    if not names:
        say(f"{store.root} holds no suite; showing what is published in {os.environ.get('BENCH_REPORTS', 'reports')}")
    for name in names[:1]:
        try:
            view(store, name)
        except BenchError as error:
            say(str(error))
    os.environ["BENCH_STORE"] = str(store.root.resolve())
    flags = {
        "server.address": address,
        "server.port": port,
        "server.headless": str(headless).lower(),
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
    }
    sys.argv[0] = "streamlit"
    main(["run", str(Path(__file__).parent / "app.py"), *(f"--{key}={value}" for key, value in flags.items())])


def _check(address: str, port: int) -> None:
    """Whether the address can be listened on, told before anything is read."""
    try:
        with socket.create_server((address, port)):
            pass
    except OSError as error:
        raise BenchError(
            f"{address}:{port} cannot be listened on: {error.strerror or error}. Choose another: --port {port % 65535 + 1}"
        ) from None

"""A server on loopback that stands before another, and is slow, or answers 500, when it is told to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OWN = ("host", "connection", "accept-encoding")
"""Headers that are between two servers alone."""


class Proxy(ThreadingHTTPServer):
    """Passes every request on. ``fails`` and ``slow_s`` are asked with a request's line before it is, and before it is answered."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = port
        self.fails: Callable[[str], bool] = lambda line: False
        self.slow_s: Callable[[str], float] = lambda line: 0.0

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def _pass_on(self) -> None:
        line = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.fails(line):
            self._answer(500, b'{"error_code": "INTERNAL_ERROR", "message": "so it was told"}')
            return
        behind = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        kept = {
            name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "accept-encoding")
        }
        behind.request(self.command, self.path, body, kept)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        time.sleep(self.server.slow_s(line))  # by now the server has done what it was asked
        with suppress(OSError):  # the client has given up
            self._answer(answer.status, content, answer.headers.get_content_type())

    def _answer(self, code: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *_: object) -> None:
        """Nothing: the server behind has a log."""


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy before a server on this machine, while the block lasts."""
    with Proxy(port) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()

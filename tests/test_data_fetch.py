"""Downloads against a server that misbehaves in every way servers do, and archives that try to get out."""

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.data import DATASETS, transfer
from bench.data.fetch import fetch
from bench.data.sources import SOURCES, Download
from bench.errors import BenchError

CONTENT = bytes(range(256)) * 4000


@dataclass
class Server:
    """Serves CONTENT under paths that name how it misbehaves."""

    url: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """(path, Range header) of every request."""
    failures: dict[str, int] = field(default_factory=dict)
    """Path -> how many more requests end early."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, wanted = handler.path, handler.headers.get("Range")
        self.requests.append((path, wanted))
        if path.startswith("/gone"):
            handler.send_error(404)
            return
        body = CONTENT[::-1] if path.startswith("/wrong") else CONTENT
        begin = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
        stale = handler.headers.get("If-Range") not in (None, '"one"')
        if path.startswith("/norange") or stale:
            begin = 0
        if begin >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if not path.startswith("/untagged"):
            handler.send_header("ETag", '"one"')
        handler.send_header("Content-Length", str(len(body) - begin))
        handler.end_headers()
        part = body[begin:]
        if self.failures.get(path, 0):
            self.failures[path] -= 1
            part = part[: len(part) // 2]
        handler.wfile.write(part)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the client has hung up, as some tests make it
                served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield served
        http.shutdown()


def plain(server: Server, *paths: str, checksum: bool = True) -> Download:
    """A file that is no archive, at some addresses of the server."""
    sha256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    mirrors = tuple(path if "://" in path else server.url + path for path in paths)
    return Download(name="x.bin", mirrors=mirrors, provides=("set/x.bin",), to="set", checksum=sha256 if checksum else None)


def got(download: Download, root: Path, **options: bool) -> tuple[bool, list[str]]:
    notes: list[str] = []
    return fetch(download, root, progress=lambda done, total: None, note=notes.append, **options), notes


def test_a_file_is_downloaded_checked_and_put_in_its_place_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    assert fetch(plain(server, "/a"), tmp_path, progress=lambda done, total: seen.append((done, total)), note=print)
    assert (tmp_path / "set/x.bin").read_bytes() == CONTENT and seen[-1] == (len(CONTENT), len(CONTENT))
    assert not [each for each in (tmp_path / ".downloads").iterdir() if not each.name.endswith(".lock")]
    assert got(plain(server, "/a"), tmp_path) == (False, []) and len(server.requests) == 1
    assert got(plain(server, "/a"), tmp_path, force=True)[0] and len(server.requests) == 2


def test_mirrors_are_tried_in_turn(server: Server, tmp_path: Path) -> None:
    done, notes = got(plain(server, "http://127.0.0.1:9/a", "/gone", "/wrong", "/a"), tmp_path)
    assert done and (tmp_path / "set/x.bin").read_bytes() == CONTENT
    assert [note.rpartition("/")[2] for note in notes] == ["gone", "wrong", "a"]


def test_no_mirror_has_it(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        BenchError, match=r"(?s)could not be downloaded.*refused.*404 Not Found.*sha256 is .* instead of.*by hand as"
    ):
        got(plain(server, "http://127.0.0.1:9/a", "/gone", "/wrong"), tmp_path)
    assert not (tmp_path / "set").exists() and not (tmp_path / ".downloads/x.bin").exists()


@pytest.mark.parametrize("path", ["/a", "/norange", "/untagged"])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(server: Server, tmp_path: Path, path: str, checksum: bool) -> None:
    server.failures[path] = 1
    if path == "/norange" or (
        path == "/untagged" and not checksum
    ):  # from nothing again, which brings no further bytes than before
        got(plain(server, path, checksum=checksum), tmp_path)
    else:
        got(plain(server, path, checksum=checksum), tmp_path)
        assert server.requests == [(path, None), (path, f"bytes={len(CONTENT) // 2}-")]
    assert (tmp_path / "set/x.bin").read_bytes() == CONTENT


def test_a_download_is_resumed_by_the_next_call_and_from_another_mirror(server: Server, tmp_path: Path) -> None:
    server.failures["/a"] = 100
    with pytest.raises(BenchError, match=r"the connection ended after [\d,]+ of 1,024,000 bytes"):
        got(plain(server, "/a"), tmp_path)
    there = (tmp_path / ".downloads/x.bin.part").stat().st_size
    assert there > len(CONTENT) * 0.9
    got(plain(server, "/b"), tmp_path)
    assert server.requests[-1] == ("/b", f"bytes={there}-") and (tmp_path / "set/x.bin").read_bytes() == CONTENT


def test_without_a_checksum_another_mirror_begins_anew(server: Server, tmp_path: Path) -> None:
    server.failures["/a"] = 100
    done, _ = got(plain(server, "/a", "/b", checksum=False), tmp_path)
    assert done and server.requests[-1] == ("/b", None) and (tmp_path / "set/x.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("rest", [b"rubbish", CONTENT + b"too long", CONTENT[:-1] + b"?"])
def test_a_rest_of_something_else_is_thrown_away(server: Server, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads/x.bin.part").write_bytes(rest)
    assert got(plain(server, "/a"), tmp_path)[0] and (tmp_path / "set/x.bin").read_bytes() == CONTENT


def test_a_file_got_by_hand_is_checked_and_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".downloads").mkdir()
    place = tmp_path / ".downloads/x.bin"
    place.write_bytes(b"a page that says sorry")
    with pytest.raises(BenchError, match=r"x\.bin: the file's sha256 is .* Delete it"):
        got(plain(server, "/gone"), tmp_path)
    place.write_bytes(CONTENT)
    assert got(plain(server, "/gone"), tmp_path)[0] and (tmp_path / "set/x.bin").read_bytes() == CONTENT and not server.requests


def test_a_wrong_size_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has 1,024,000 bytes instead of 5"):
        got(replace(plain(server, "/a"), size_bytes=5), tmp_path)


def test_a_full_disk_is_told_before_anything_is_written(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = transfer.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(BenchError, match="needs 1,024,000 bytes more and 1,000 are free"):
        got(plain(server, "/a"), tmp_path)


def test_a_disk_that_fills_up_is_no_fault_of_the_mirror(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".downloads/x.bin.part").mkdir(parents=True)  # every write fails
    with pytest.raises(BenchError, match="cannot be written"):
        got(plain(server, "/a", "/b"), tmp_path)
    assert len(server.requests) == 1


def tarred(members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def unpacked(root: Path, name: str, content: bytes, **fields: object) -> None:
    """Fetch an archive that lies there already."""
    (root / ".downloads").mkdir(exist_ok=True, parents=True)
    (root / ".downloads" / name).write_bytes(content)
    download = Download(name=name, mirrors=("http://127.0.0.1:9/",), **{"provides": ("set",), "to": "set", **fields})  # type: ignore[arg-type]
    assert got(download, root)[0]


@pytest.mark.parametrize(("name", "packed"), [("x.tar.gz", tarred), ("x.tgz", tarred), ("x.zip", zipped)])
def test_archives_are_unpacked_merged_and_cleared_away(
    tmp_path: Path, name: str, packed: Callable[[dict[str, bytes]], bytes]
) -> None:
    (tmp_path / "set/deep").mkdir(parents=True)
    (tmp_path / "set/deep/mine.txt").write_text("kept")
    (tmp_path / "set/deep/a.txt").write_text("old")
    content = packed({"top-123/want/deep/a.txt": b"new", "top-123/want/b.txt": b"b", "top-123/rest.txt": b"not wanted"})
    unpacked(tmp_path, name, content, inside="top-123/want")
    found = {path.relative_to(tmp_path / "set").as_posix(): path.read_text() for path in (tmp_path / "set").rglob("*.txt")}
    assert found == {"deep/mine.txt": "kept", "deep/a.txt": "new", "b.txt": "b"}
    assert not [each for each in (tmp_path / ".downloads").iterdir() if not each.name.endswith(".lock")]


def test_single_files_are_found_wherever_they_stand(tmp_path: Path) -> None:
    unpacked(tmp_path, "x.zip", zipped({"some/where/a.tif": b"a", "some/c.tif": b"c", "b.tif": b"b"}), only=("a.tif", "b.tif"))
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["a.tif", "b.tif"]


def test_an_archive_without_what_it_should_hold_is_kept_and_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"x\.zip: is unpacked, and .*set/wanted is still not there.*delete it"):
        unpacked(tmp_path, "x.zip", zipped({"other.txt": b"a"}), provides=("set/wanted",))
    assert (tmp_path / ".downloads/x.zip").exists()


def test_words_after_a_failure_promise_only_what_will_happen(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="again later: it begins anew"):
        got(plain(server, "/wrong"), tmp_path)
    server.failures["/a"] = 9
    with pytest.raises(BenchError, match="again later: it goes on where it stopped"):
        got(plain(server, "/a"), tmp_path)


def test_a_folder_that_refuses_is_named_with_fitting_advice(tmp_path: Path) -> None:
    (tmp_path / ".downloads").write_text("a file")
    with pytest.raises(BenchError, match=r"\.downloads: cannot be written: File exists\. Name a --data-root that you may write"):
        got(Download(name="x", mirrors=(), provides=("x",)), tmp_path)


def link(info: tarfile.TarInfo) -> None:
    info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tar", tarred({"../out.txt": b"x"})),
        ("x.tar", tarred({"in/../../../out.txt": b"x"})),
        ("x.tar", tarred({"out.txt": b"x"}, link)),
        ("x.zip", zipped({"../out.txt": b"x"})),
        ("x.zip", zipped({"/out.txt": b"x"})),
        ("x.zip", zipped({"C:\\out.txt": b"x"})),
        ("x.zip", b"no archive"),
        ("x.tar", b"no archive"),
        ("x.tgz", tarred({"a": b"x" * 100_000})[:120]),
        ("x.zip", zipped({"a": b"x" * 1000})[:-30]),
        ("x.zip", zipped({"other.txt": b"x"})),
    ],
    ids=map(str, range(11)),  # the archives hold the time of their making, and so would the names made of them
)
def test_an_archive_that_is_not_what_it_should_be_changes_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    root = tmp_path / "inner" / "root"
    with pytest.raises(BenchError, match=re.escape(name)):
        unpacked(root, name, content, inside="top")
    assert not list(tmp_path.rglob("out.txt")) and not (root / "set").exists()
    assert not list((root / ".downloads").glob("*.unpacked"))


def test_the_table_of_sources_is_whole() -> None:
    assert set(SOURCES) >= set(DATASETS) - {"phantom", "folder"}
    lengths = {"md5": 32, "sha256": 64}
    for name, source in SOURCES.items():
        assert source.downloads or source.steps, name
        for download in source.downloads:
            assert download.mirrors and download.provides, name
            if download.checksum:
                algorithm, _, digits = download.checksum.partition(":")
                assert re.fullmatch(rf"[0-9a-f]{{{lengths[algorithm]}}}", digits), name
            for path in (download.to, download.inside, *download.provides):
                assert not path.startswith("/") and ".." not in path, name

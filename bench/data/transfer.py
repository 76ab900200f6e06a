"""One file from one address: resumed where it broke off, and written so that the next attempt can go on.

A file being downloaded has a note beside it of the address and version it comes from. It is resumed from another address only if a
checksum can tell afterwards that both served the same bytes.
"""

import errno
import http.client
import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data.sources import Download
from bench.errors import BenchError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and those there are in all where the server says so."""

TIMEOUT_S = 30.0
_CHUNK = 1 << 20
_TRIES = 4
"""Attempts on one address, each of which brought some bytes, before it is given up."""


class Failed(Exception):
    """This address does not have the file, or not now."""


def complete(url: str, download: Download, part: Path, progress: Progress) -> None:
    """Ask for what ``part`` lacks, again after every break that brought some bytes."""
    reason: str | None = None
    for _ in range(_TRIES):
        before = length_of(part)
        try:
            reason = _request(url, download, part, progress)
        except urllib.error.HTTPError as error:
            raise Failed(f"the server says {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if reason is None:
            return
        if length_of(part) <= before:
            break
    raise Failed(str(reason))


def _request(url: str, download: Download, part: Path, progress: Progress) -> str | None:
    """One request: append to ``part`` what it lacks, or write it anew when the server sends all. None, or why it is not whole."""
    have, version = _resumable(url, download, part)
    headers = {"User-Agent": "stridebench", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    headers |= {"If-Range": version} if have and version else {}
    try:
        response: Any = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing comes after what is there, so it is whole, or another file; the checks will tell
            return None
        raise
    with response:
        match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
        if response.status != 206 or not match or int(match[1]) != have:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else download.size_bytes
        _reserve(part, download.name, total, have)
        _write(note_of(part), json.dumps({"url": url, "version": _validator(response.headers)}).encode(), "wb")
        if not have:
            _write(part, b"", "wb")
        while chunk := response.read(_CHUNK):
            _write(part, chunk, "ab")
            have += len(chunk)
            progress(have, total)
    return None if total is None or have >= total else f"the connection ended after {have:,} of {total:,} bytes"


def _resumable(url: str, download: Download, part: Path) -> tuple[int, str | None]:
    """How many bytes of ``part`` a request to this address may build on, and the version they are of where it is known."""
    have = length_of(part)
    try:
        known = json.loads(note_of(part).read_text(encoding="utf-8"))
        version = str(known["version"]) if known["version"] and known["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        version = None
    return (have if version or download.checksum else 0), version


def _validator(headers: Any) -> str | None:
    """What a server calls this version of a file, fit for If-Range: weak tags are not."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _reserve(part: Path, name: str, total: int | None, have: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and free < total - have:
        raise BenchError(
            f"{part.parent}: {name} needs {total - have:,} bytes more and {free:,} are free. "
            "Free some space, or name another --data-root."
        )


def _write(path: Path, content: bytes, mode: str) -> None:
    """Write, and tell the disk's errors from the network's."""
    try:
        with path.open(mode) as file:
            file.write(content)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> BenchError:
    """The error for a file or folder below the data root that a machine refuses, with the advice its reason asks for."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "Free some space, or name another --data-root." if full else "Name a --data-root that you may write to."
    return BenchError(f"{path}: cannot be written: {error.strerror or error}. {advice}")


def note_of(part: Path) -> Path:
    """The note beside a file that is being downloaded."""
    return part.with_name(f"{part.name}.json")


def length_of(path: Path) -> int:
    """Bytes of a file, 0 for one that is not there."""
    return path.stat().st_size if path.exists() else 0

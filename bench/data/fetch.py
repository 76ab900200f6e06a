"""Files of data sets: from the first mirror that has them whole, checked before they are used, and unpacked in their place.

A file is ``<name>.part`` below ``<data root>/.downloads`` until it is whole and checked, and is gone from there once unpacked.
"""

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path

from bench.data.sources import Download
from bench.data.transfer import Failed, Progress, complete, length_of, note_of, unwritable
from bench.data.unpack import unpack
from bench.errors import BenchError


def fetch(download: Download, root: Path, *, progress: Progress, note: Callable[[str], None], force: bool = False) -> bool:
    """Bring one file below the data root and unpack it there; False when its content was there already.

    Raises BenchError when no mirror has it whole, when the disk is full, and for an archive that reaches out of its folder.
    What was downloaded stays, so that the next call goes on from there.
    """
    archive = root / ".downloads" / download.name
    part = archive.with_name(f"{archive.name}.part")
    begun = archive.exists() or part.exists()
    if not force and not begun and all((root / each).exists() for each in download.provides):
        return False
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with archive.with_name(f".{archive.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if archive.exists():  # got by hand, or an unpacking was cut short
                if fault := _fault(download, archive):
                    raise BenchError(f"{archive}: {fault}. Delete it and run the command again.")
            else:
                _download(download, part, progress, note)
                part.rename(archive)
            unpack(archive, download, root)
            if lacking := [each for each in download.provides if not (root / each).exists()]:
                raise BenchError(
                    f"{archive}: is unpacked, and {root / lacking[0]} is still not there: it is not the file expected. "
                    "It is kept; delete it and run the command again, or get it by hand."
                )
            archive.unlink()
    except OSError as error:
        raise unwritable(Path(error.filename or root), error) from None
    return True


def _download(download: Download, part: Path, progress: Progress, note: Callable[[str], None]) -> None:
    """Fill ``part`` from the first mirror that has the file whole."""
    reasons: list[str] = []
    for url in download.mirrors:
        if reasons:
            note(f"{download.name}: not from there; trying {url}")
        try:
            _from_mirror(url, download, part, progress)
        except Failed as error:
            reasons.append(f"  {url}: {error}")
        else:
            note_of(part).unlink(missing_ok=True)
            return
    then = "goes on where it stopped" if length_of(part) else "begins anew"
    raise BenchError(
        "\n".join([f"{download.name} could not be downloaded:", *reasons])
        + f"\nRun the command again later: it {then}. Or get the file by hand as {part.with_suffix('')}, and run it again."
    )


def _from_mirror(url: str, download: Download, part: Path, progress: Progress) -> None:
    """Fill ``part`` from one mirror and check it; raises Failed."""
    resumed = length_of(part) > 0
    complete(url, download, part, progress)
    fault = _fault(download, part)
    if fault and resumed:  # what an earlier attempt left was of another version, or damaged: once more from nothing
        part.unlink()
        complete(url, download, part, progress)
        fault = _fault(download, part)
    if fault:
        part.unlink()
        raise Failed(fault)


def _fault(download: Download, path: Path) -> str | None:
    """What is wrong with a whole file, or None."""
    if download.size_bytes is not None and length_of(path) != download.size_bytes:
        return f"the file has {length_of(path):,} bytes instead of {download.size_bytes:,}"
    if download.checksum is None:
        return None
    algorithm, _, wanted = download.checksum.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    return None if found == wanted else f"the file's {algorithm} is {found} instead of {wanted}"

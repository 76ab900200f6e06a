"""Archives opened safely: nothing in them may land outside their folder, and nothing lands at its place before all is out."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from bench.data.sources import Download
from bench.errors import BenchError


def unpack(archive: Path, download: Download, root: Path) -> None:
    """Bring an archive's content, or a plain file, to ``root``/``download.to``; files of the same name are replaced.

    Raises BenchError for an archive that is damaged, that reaches out of its folder, or that lacks what it should hold.
    """
    target = root / download.to
    if not archive.name.endswith((".tar", ".tar.gz", ".tgz", ".zip")):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, target / archive.name)
        return
    beside = archive.with_name(f".{archive.name}.unpacked")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        _extract(archive, beside)
        for source, place in _wanted(archive, download, beside):
            _move(source, target / place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as file:
                for info in file.infolist():
                    _refuse_outside(info)
                file.extractall(folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise BenchError(f"{archive}: {error}. Nothing was put in its place. Delete the file and fetch it again.") from None
    except OSError as error:
        if error.errno:
            raise
        raise BenchError(f"{archive}: is damaged: {error}. Delete the file and fetch it again.") from None  # gzip says it so


def _refuse_outside(info: zipfile.ZipInfo) -> None:
    """`zipfile` would bend such a path back into the folder; an archive that has one is not the one we expect."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in info.filename or stat.S_ISLNK(info.external_attr >> 16):
        raise zipfile.BadZipFile(f"{info.filename!r} leads out of its folder or is a link")


def _wanted(archive: Path, download: Download, folder: Path) -> list[tuple[Path, str]]:
    """What to move, and its place below the target."""
    if download.only:
        found = {name: sorted(folder.rglob(name)) for name in download.only}
        lacking = [name for name, paths in found.items() if not paths]
        pairs = [(paths[0], name) for name, paths in found.items() if paths]
    else:
        inside = folder / download.inside
        lacking = [] if inside.is_dir() else [download.inside]
        pairs = [(path, path.name) for path in sorted(inside.iterdir())] if not lacking else []
    if lacking:
        raise BenchError(f"{archive}: holds no {lacking[0]}, so it is not the archive expected. Get it from {download.mirrors[0]}.")
    return pairs


def _move(source: Path, place: Path) -> None:
    """Rename where nothing is in the way; merge into a folder that exists."""
    if source.is_dir() and not source.is_symlink() and place.is_dir():
        for each in source.iterdir():
            _move(each, place / each.name)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    source.replace(place)

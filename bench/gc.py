"""Freeing what `bench.waste` found: under the claim of its cell or the lock of its cache, so that nobody else is at it."""

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.claims import hold
from bench.errors import BenchError
from bench.litter import Waste
from bench.store import Store


@dataclass(frozen=True)
class File:
    """A file as the disk sees it: names that are hard links of one file are one."""

    device: int
    inode: int
    links: int
    size_bytes: int


class Sizes:
    """How much room the removal of things gives back, from the files as they were before."""

    def __init__(self, items: Iterable[Waste]) -> None:
        self._files = {item: list(_files(item.paths)) for item in items}

    def freed_bytes(self, items: Iterable[Waste]) -> dict[Waste, int]:
        """Bytes by item if just these go. A file counts once, for the first that names it, and only if all its names go."""
        chosen = list(items)
        names: dict[File, int] = {}
        for item in chosen:
            for file in self._files[item]:
                names[file] = names.get(file, 0) + 1
        gone = {file for file, count in names.items() if count >= file.links}
        sizes = {}
        for item in chosen:
            mine = gone & set(self._files[item])
            sizes[item] = sum(file.size_bytes for file in mine)
            gone -= mine
        return sizes


def free(store: Store, item: Waste) -> str | None:
    """Remove something; None, or why it was left. Raises BenchError when the store cannot be written."""
    try:
        if item.cell_id is not None:
            with hold(store.claims, item.cell_id) as mine:
                if not mine:
                    return "is being run"
                if item.kind in ("checkpoints", "weights") and store.state(item.cell_id) != "finished":
                    return "is no longer finished"
                _remove(item.paths)
        elif store.cache in item.paths[0].parents:
            with _alone(store.cache, item.paths[0]) as mine:
                if not mine:
                    return "is being prepared"
                _remove(item.paths)
        else:
            _remove(item.paths)
    except OSError as error:
        raise BenchError(f"{error.filename or store.root}: cannot be removed: {error.strerror or error}") from None
    return None


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _alone(cache: Path, path: Path) -> Iterator[bool]:
    """The lock under which a cache is prepared, if nobody has it."""
    name = path.relative_to(cache).parts[0].removeprefix(".").removesuffix(".tmp")
    with (cache / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _files(paths: Iterable[Path]) -> Iterator[File]:
    for top in paths:
        inside = [top, *top.rglob("*")] if top.is_dir() and not top.is_symlink() else [top]
        for path in inside:
            status = path.lstat()
            if not path.is_dir() or path.is_symlink():
                yield File(status.st_dev, status.st_ino, status.st_nlink, status.st_size)

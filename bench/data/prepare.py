"""Decode a split once into a packed cache that opens at once.

A cache is a folder: ``pixels.u8`` and ``labels.u8`` hold all images one behind the other, ``index.npz`` their sizes and
per-image class counts, ``manifest.json`` what they were made from: the content's fingerprint, the classes' pixels, and the size
and time of every source file. The folder's name contains the fingerprint, so a data set that changes on disk gets another cache,
and a cache is never updated. It is built beside its place and renamed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.cell import digest
from bench.data.border import border_file, border_term, object_ids
from bench.data.samples import Sample
from bench.errors import BenchError
from bench.registry import DatasetEntry, load
from bench.specs import BorderSpec, DatasetSpec
from bench.store import read_json, write_json

PREPARE_VERSION = 2
_STATED = ("fingerprint", "dataset", "class_counts", "bytes", "index_sha256", "ids", "sources")
Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Made = TypeVar("Made")


def cache_folder(spec: DatasetSpec, split: str, fingerprint: str, root: Path) -> Path:
    """Where the cache of a split with this content lies, or will."""
    resize = list(spec.resize) if spec.resize else None
    key = digest({"version": PREPARE_VERSION, "fingerprint": fingerprint, "resize": resize})
    return root / f"{spec.name.replace(':', '.')}-{split}-{key[:16]}"


def is_current(folder: Path, fingerprint: str) -> bool:
    """Whether a folder holds a whole cache of the content with this fingerprint, which a run would take as it is."""
    return is_complete(folder) and bool(read_json(folder / "manifest.json")["fingerprint"] == fingerprint)


def prepare_split(
    samples: list[Sample],
    entry: DatasetEntry,
    spec: DatasetSpec,
    split: str,
    fingerprint: str,
    root: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The cache of a split below ``root``, made unless it is there: the one way of `bench run` and of `bench data prepare`.

    Raises BenchError as `prepare` does.
    """
    folder = cache_folder(spec, split, fingerprint, root)
    return prepare(samples, entry, spec, folder, fingerprint=fingerprint, progress=progress)


def prepare(
    samples: list[Sample],
    entry: DatasetEntry,
    spec: DatasetSpec,
    folder: Path,
    *,
    fingerprint: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Decode all samples into ``folder`` unless it holds them already, and return it.

    A cache with the ``fingerprint`` given is taken as it is; without one, its files' sizes and times must be those it was made
    from. Safe against a second process, a kill and a full disk. Raises BenchError for input that cannot be used, naming the
    file, for files that change while they are read, and for a cache that cannot be written.
    """

    def current() -> bool:
        if fingerprint:
            return is_current(folder, fingerprint)
        return is_complete(folder) and bool(read_json(folder / "manifest.json")["sources"] == _sources(samples))

    if current():
        return folder
    with _alone(folder):
        if current():  # the other process was faster
            return folder
        beside = folder.parent / f".{folder.name}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        _clear_dead(folder)
        shutil.rmtree(folder, ignore_errors=True)  # damaged or of other files, or it would have been current
        try:
            beside.mkdir()
            _pack(samples, entry, spec, beside, fingerprint, progress)
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return folder


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a whole cache: its manifest is written last, and its files have the sizes and the hash it states.

    The hash is the index's. Bits that rot inside the packed pixels and labels, some gigabytes, are not looked for.
    """
    if not (folder / "manifest.json").exists():
        return False
    try:
        manifest = read_json(folder / "manifest.json")
        if manifest["version"] != PREPARE_VERSION or not all(key in manifest for key in _STATED):
            return False
        sizes = [(folder / name).stat().st_size == size for name, size in dict(manifest["bytes"]).items()]
        return len(sizes) == 3 and all(sizes) and _sha256(folder / "index.npz") == manifest["index_sha256"]
    except (BenchError, OSError, KeyError, TypeError, ValueError):
        return False  # damaged, and made again


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _clear_dead(folder: Path) -> None:
    """Remove what killed processes left of other caches of the same split: an owner that lives holds its lock."""
    for left in folder.parent.glob(f".{folder.name.rpartition('-')[0]}-*.tmp"):
        with left.with_name(f"{left.name.removesuffix('.tmp')}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(left, ignore_errors=True)


def prepare_border(folder: Path, entry: DatasetEntry, spec: BorderSpec, *, progress: Progress = lambda done, total: None) -> Path:
    """Compute the border terms of a prepared cache into a packed float16 file of its folder, unless it is there; its path.

    As safe as `prepare`. Raises BenchError for a class the data set does not have and for a file that cannot be written.
    """
    objects, path = object_ids(spec, entry.class_names), folder / border_file(spec, entry.class_names)
    with np.load(folder / "index.npz", allow_pickle=False) as index:
        sizes = index["sizes"]
    areas = sizes.prod(axis=1)
    if path.exists() and path.stat().st_size == 2 * areas.sum():
        return path
    packed = np.memmap(folder / "labels.u8", np.uint8, "r")
    labels = [part.reshape(size) for part, size in zip(np.split(packed, np.cumsum(areas)[:-1]), sizes, strict=True)]
    with _alone(folder):
        if path.exists() and path.stat().st_size == 2 * areas.sum():  # the other process was faster
            return path
        beside = folder / f".{path.name}.tmp"
        try:
            with beside.open("wb") as file:
                made = _in_order(lambda label: border_term(label, objects, spec.sigma_px).astype(np.float16), labels)
                for done, term in enumerate(made, start=1):
                    file.write(term.tobytes())
                    progress(done, len(labels))
                _to_disk(file)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    return path


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a cache against other processes, and turn what a machine refuses into a BenchError. A dead owner's hold is dropped."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        reason = f"the cache {folder} cannot be written: {error.strerror or error}."
        raise BenchError(f"{reason} Nothing is left of it. Free some space, or choose another store with --store.") from None
    except MemoryError as error:
        raise BenchError(
            f"{folder.name}: an image does not fit in memory: {error}. Make dataset.size or dataset.resize smaller."
        ) from None


def _pack(
    samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, folder: Path, fingerprint: str | None, progress: Progress
) -> None:
    sizes, counts, sources = [], [], _sources(samples)
    decode = load(entry.decode)
    with (folder / "pixels.u8").open("wb") as pixels, (folder / "labels.u8").open("wb") as labels:
        decoded = _in_order(lambda sample: decode(sample, entry, spec), samples)
        for done, (image, label) in enumerate(decoded, start=1):
            pixels.write(image.tobytes())
            labels.write(label.tobytes())
            sizes.append(label.shape)
            counts.append(np.bincount(label.ravel(), minlength=256)[: entry.num_classes])
            progress(done, len(samples))
        _to_disk(pixels)
        _to_disk(labels)
    _unchanged(samples, sources)
    with (folder / "index.npz").open("wb") as index:
        np.savez(index, sizes=np.array(sizes, np.int64), class_counts=np.array(counts, np.int64))
        _to_disk(index)
    stated = {name: (folder / name).stat().st_size for name in ("pixels.u8", "labels.u8", "index.npz")}
    manifest = {
        "version": PREPARE_VERSION,
        "fingerprint": fingerprint,
        "dataset": spec.model_dump(mode="json"),
        "class_counts": dict(zip(entry.class_names, np.sum(counts, axis=0).tolist(), strict=True)),
        "bytes": stated,
        "index_sha256": _sha256(folder / "index.npz"),
        "ids": [sample.id for sample in samples],
        "sources": sources,
    }
    write_json(folder / "manifest.json", manifest)


def _sources(samples: list[Sample]) -> list[list[int]]:
    """[bytes, ns of its last change, …] of each sample's files; raises BenchError for one that is gone."""
    try:
        known = {file: file.stat() for sample in samples for file in sample.files}
    except OSError as error:
        raise BenchError(f"{error.filename}: cannot be read: {error.strerror}. Unpack the data set again.") from None
    return [[value for file in sample.files for value in (known[file].st_size, known[file].st_mtime_ns)] for sample in samples]


def _unchanged(samples: list[Sample], sources: list[list[int]]) -> None:
    """Refuse what was read from files that were being written: it would be kept under a fingerprint that it does not have."""
    for sample, before, after in zip(samples, sources, _sources(samples), strict=True):
        if before != after:
            raise BenchError(f"{sample.files[0]}: it, or its label, changed while it was read. Run again when it is whole.")


def _to_disk(file: Any) -> None:
    """Have the bytes on the disk before a name promises them; a disk that is full says so here at the latest."""
    file.flush()
    os.fsync(file.fileno())


def _in_order(make: Callable[[Item], Made], items: list[Item]) -> Iterator[Made]:
    """What all cores make of the items, in their order, never more than a few ahead of the reader."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting = iter(items)
        ahead = [pool.submit(make, item) for item in islice(waiting, 4 * workers)]
        try:
            while ahead:
                yield ahead.pop(0).result()
                ahead += [pool.submit(make, item) for item in islice(waiting, 1)]
        finally:
            pool.shutdown(cancel_futures=True)

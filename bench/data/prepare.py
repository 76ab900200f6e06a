"""Decode a split once into a packed cache that opens at once.

A cache is a folder: ``pixels.u8`` and ``labels.u8`` hold all images one behind the other, ``index.npz`` their sizes and
per-image class counts, ``manifest.json`` what they were made from. Its name contains the hash of its content's sources, so a
data set that changes on disk gets another cache, and a cache is never updated. It is built beside its place and renamed.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from bench.cell import digest
from bench.data.samples import Sample
from bench.errors import BenchError
from bench.registry import DatasetEntry, load
from bench.specs import DatasetSpec
from bench.store import read_json, write_json

PREPARE_VERSION = 1
Progress = Callable[[int, int], None]


def cache_folder(spec: DatasetSpec, split: str, fingerprint: str, root: Path) -> Path:
    """Where the cache of a split with this content lies, or will."""
    resize = list(spec.resize) if spec.resize else None
    key = digest({"version": PREPARE_VERSION, "fingerprint": fingerprint, "resize": resize})
    return root / f"{spec.name.replace(':', '.')}-{split}-{key[:16]}"


def prepare(
    samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, folder: Path, *, progress: Progress = lambda done, total: None
) -> Path:
    """Decode all samples into ``folder`` unless it holds them already, and return it.

    Safe against a second process, a kill and a full disk. Raises BenchError naming the file for input that cannot be used.
    """
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete(folder):  # the other process was faster
            return folder
        beside = folder.parent / f".{folder.name}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been complete
        try:
            beside.mkdir()
            _pack(samples, entry, spec, beside, progress)
            beside.rename(folder)
        except OSError as error:
            reason = f"the cache {folder} cannot be written: {error.strerror or error}."
            raise BenchError(f"{reason} Free some space, or choose another store with --store.") from None
        except MemoryError as error:
            raise BenchError(
                f"{spec.name}: an image does not fit in memory: {error}. Make dataset.size or dataset.resize smaller."
            ) from None
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return folder


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a whole cache: its manifest is written last, and the packed files have the sizes it states."""
    if not (folder / "manifest.json").exists():
        return False
    stated = read_json(folder / "manifest.json")["bytes"]
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in stated.items())


def _pack(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, folder: Path, progress: Progress) -> None:
    sizes, counts = [], []
    with (folder / "pixels.u8").open("wb") as pixels, (folder / "labels.u8").open("wb") as labels:
        for done, (image, label) in enumerate(_decoded(samples, entry, spec), start=1):
            pixels.write(image.tobytes())
            labels.write(label.tobytes())
            sizes.append(label.shape)
            counts.append(np.bincount(label.ravel(), minlength=256)[: entry.num_classes])
            progress(done, len(samples))
    with (folder / "index.npz").open("wb") as index:
        np.savez(index, sizes=np.array(sizes, np.int64), class_counts=np.array(counts, np.int64))
    stated = {name: (folder / name).stat().st_size for name in ("pixels.u8", "labels.u8", "index.npz")}
    manifest = {
        "version": PREPARE_VERSION,
        "dataset": spec.model_dump(mode="json"),
        "ids": [sample.id for sample in samples],
        "bytes": stated,
    }
    write_json(folder / "manifest.json", manifest)


def _decoded(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and labels in order, decoded by all cores, never more than a few ahead of the writer."""
    decode = load(entry.decode)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting = iter(samples)
        ahead = [pool.submit(decode, sample, entry, spec) for sample in islice(waiting, 4 * workers)]
        try:
            while ahead:
                yield ahead.pop(0).result()
                ahead += [pool.submit(decode, sample, entry, spec) for sample in islice(waiting, 1)]
        finally:
            pool.shutdown(cancel_futures=True)

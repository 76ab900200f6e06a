"""The labels of a split, from files or from a prepared cache, and the hash that ceilings are filed under."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.ceilings import known_labels, note_labels
from bench.data.cache import Cache
from bench.data.decode import label_of
from bench.data.fingerprint import fingerprint
from bench.data.samples import Sample, list_samples
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec
from bench.store import Store

Read = Callable[[int], Tensor]


@dataclass(frozen=True)
class Labels:
    """The labels of a split: how many, how to read one as (H, W) uint8 with void as 255, and the hash of all of them."""

    images: int
    num_classes: int
    read: Read
    digest: str


def labels_of_cache(cache: Cache, num_classes: int, digest: str | None = None) -> Labels:
    """The labels of a prepared split, on whatever device it lies; ``digest`` is their hash where it is known."""

    def read(index: int) -> Tensor:
        return cache.image(index)[1].cpu()

    return Labels(len(cache), num_classes, read, digest or digest_of(map(read, range(len(cache)))))


def labels_of_files(entry: DatasetEntry, spec: DatasetSpec, root: Path, split: str, store: Store) -> Labels:
    """The labels of a split below the data root, whose photographs need not be there; decoded only when they are new to the store.

    Raises BenchError for labels that are missing or cannot be read.
    """
    samples = list_samples(entry, root, spec, split, images=False)
    files = [replace(sample, files=sample.files[1:]) for sample in samples]
    return labels_of_samples(samples, entry, spec, fingerprint(files, entry, spec, root, store.cache / "fingerprints"), store)


def labels_of_samples(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, print_: str, store: Store) -> Labels:
    """The labels of samples whose label files have the fingerprint ``print_``."""

    def read(index: int) -> Tensor:
        return torch.from_numpy(label_of(samples[index], entry, spec))

    known = known_labels(store, print_, spec.resize)
    if known is None:
        known = digest_of(ahead(read, len(samples)))
        with writing(store):
            note_labels(store, print_, spec.resize, known)
    return Labels(len(samples), entry.num_classes, read, known)


def digest_of(labels: Iterator[Tensor]) -> str:
    """SHA-256 over the sizes and the bytes of label maps in order."""
    hashed = hashlib.sha256()
    for each in labels:
        hashed.update(np.array(each.shape, "<i8").tobytes())
        hashed.update(each.contiguous().numpy().data)
    return hashed.hexdigest()


def ahead(task: Callable[[int], Any], count: int) -> Iterator[Any]:
    """The results of a task for 0 … count - 1 in order, by as many threads as torch would use within one of them.

    Images are small: one a thread is faster than all threads on one.
    """
    threads = torch.get_num_threads()
    indices = iter(range(count))
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting = [pool.submit(task, index) for index in islice(indices, 4 * threads)]
            try:
                while waiting:
                    yield waiting.pop(0).result()
                    waiting += [pool.submit(task, index) for index in islice(indices, 1)]
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        torch.set_num_threads(threads)


@contextmanager
def writing(store: Store, turn: str | None = None) -> Iterator[None]:
    """Write below ``ceilings/``, alone with these labels if ``turn`` names them; the kernel drops a dead process's lock."""
    folder = store.root / "ceilings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if turn is None:
            yield
            return
        with (folder / f".{turn[:24]}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise BenchError(
            f"the store {store.root} cannot be written: {error.strerror or error}. Choose another with --store DIR or BENCH_STORE."
        ) from None

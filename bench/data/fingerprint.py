"""What a split of a data set contains, as one hash of its files' bytes.

Hashing gigabytes for every `bench plan` would be slow, so the hash is kept beside the names, sizes and modification times it
was made from, and made again when any of those changed.
"""

import hashlib
from pathlib import Path
from typing import Any

from bench.cell import digest
from bench.data.samples import Sample
from bench.errors import FileError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec
from bench.store import read_json, write_json


def fingerprint(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, root: Path, kept: Path) -> str:
    """Hash of the ids and file contents of a split's samples, in order; ``kept`` is a folder for remembered hashes.

    Raises BenchError for a file that cannot be read.
    """
    return str(_record(samples, entry, spec, root, kept)["fingerprint"])


def image_hashes(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, root: Path, kept: Path) -> list[str]:
    """Hash of the first file's bytes of each sample, from what `fingerprint` remembers; empty for a generated data set."""
    return list(_record(samples, entry, spec, root, kept)["images"])


def _record(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, root: Path, kept: Path) -> dict[str, Any]:
    """The fingerprint and the images' hashes of a split, remembered or made."""
    options = spec.model_dump(mode="json", exclude={"train", "val", "test", "resize"})
    head = {"name": spec.name, "version": entry.version, "options": options}
    names = [[sample.id, sample.index, [_name(file, root) for file in sample.files]] for sample in samples]
    if not any(sample.files for sample in samples):
        return {"fingerprint": digest({**head, "samples": names}), "images": []}
    signature = digest({**head, "samples": names, "stat": [_stat(file) for sample in samples for file in sample.files]})
    memo = kept / f"{digest([str(root.resolve()), head, names])[:24]}.json"
    if memo.exists():
        known = read_json(memo)
        if known.get("signature") == signature and "images" in known:
            return dict(known)
    hashes = _contents(samples)
    content = [hashes[file] for sample in samples for file in sample.files]
    made = {
        "signature": signature,
        "fingerprint": digest({**head, "samples": names, "content": content}),
        "images": [hashes[sample.files[0]] for sample in samples if sample.files],
    }
    try:
        kept.mkdir(parents=True, exist_ok=True)
        write_json(memo, made)
    except OSError:
        pass  # a store that cannot be written costs a second hashing, nothing else
    return made


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _stat(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from None
    return [status.st_size, status.st_mtime_ns]


def _unreadable(file: Path, error: OSError) -> FileError:
    kind = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
    what = "is a link that leads nowhere" if file.is_symlink() else f"cannot be read: {error.strerror}"
    return FileError(kind, file, what, "Put the file in its place, or take its name out of the split.")


def _contents(samples: list[Sample]) -> dict[Path, str]:
    """Hash of every file, each read once however many samples share it."""
    known: dict[Path, str] = {}
    for file in (file for sample in samples for file in sample.files):
        if file not in known:
            try:
                with file.open("rb") as stream:
                    known[file] = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(file, error) from None
    return known

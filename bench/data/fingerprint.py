"""What a split of a data set contains, as one hash of its files' bytes.

Hashing gigabytes for every `bench plan` would be slow, so the hash is kept beside the names, sizes and modification times it
was made from, and made again when any of those changed.
"""

import hashlib
from pathlib import Path

from bench.cell import digest
from bench.data.samples import Sample
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec
from bench.store import read_json, write_json


def fingerprint(samples: list[Sample], entry: DatasetEntry, spec: DatasetSpec, root: Path, kept: Path) -> str:
    """Hash of the ids and file contents of a split's samples, in order; ``kept`` is a folder for remembered hashes."""
    options = spec.model_dump(mode="json", exclude={"train", "val", "test", "resize"})
    head = {"name": spec.name, "version": entry.version, "options": options}
    names = [[sample.id, sample.index, [_name(file, root) for file in sample.files]] for sample in samples]
    if not any(sample.files for sample in samples):
        return digest({**head, "samples": names})
    signature = digest({**head, "samples": names, "stat": [_stat(file) for sample in samples for file in sample.files]})
    memo = kept / f"{digest([str(root.resolve()), head, names])[:24]}.json"
    if memo.exists():
        known = read_json(memo)
        if known.get("signature") == signature:
            return str(known["fingerprint"])
    made = digest({**head, "samples": names, "content": _contents(samples)})
    try:
        kept.mkdir(parents=True, exist_ok=True)
        write_json(memo, {"signature": signature, "fingerprint": made})
    except OSError:
        pass  # a store that cannot be written costs a second hashing, nothing else
    return made


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _stat(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _contents(samples: list[Sample]) -> list[str]:
    """Hash of every file, each read once however many samples share it."""
    known: dict[Path, str] = {}
    for file in (file for sample in samples for file in sample.files):
        if file not in known:
            with file.open("rb") as stream:
                known[file] = hashlib.file_digest(stream, "sha256").hexdigest()
    return [known[file] for sample in samples for file in sample.files]

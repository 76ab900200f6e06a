"""The leak guard: no image is trained on and scored, whatever its name."""

from collections.abc import Mapping
from pathlib import Path

from bench.data.fingerprint import image_hashes
from bench.data.samples import Sample
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec


def no_leak(
    label: str,
    entry: DatasetEntry,
    spec: DatasetSpec,
    splits: Mapping[str, str],
    samples: Mapping[str, list[Sample]],
    root: Path,
    kept: Path,
) -> None:
    """Raise BenchError when an image of the split trained on stands in a scored one; ``splits`` is role -> split.

    Files with the same bytes are one image too, where the split is the user's own. A published split is scored as it is, its
    duplicates are a matter for `bench data check`. ``kept`` is the folder of remembered hashes.
    """
    if "train" not in splits:
        return
    train = splits["train"]
    for role in ("val", "test"):
        if role not in splits:
            continue
        scored = splits[role]
        shared = sorted({sample.id for sample in samples[train]} & {sample.id for sample in samples[scored]})
        if shared:
            raise BenchError(
                f"dataset {label}: {len(shared)} images stand both in {train!r}, which is trained on, "
                f"and in {scored!r}, which is scored: {', '.join(shared[:3])}. "
                f"Choose other splits (dataset.train, dataset.{role})."
            )
        if entry.splits[train] is None and entry.splits[scored] is None:
            hashes = [image_hashes(samples[each], entry, spec, root, kept) for each in (train, scored)]
            twins = _twins(samples[train], samples[scored], *hashes)
            if twins:
                one, other = twins[0]
                raise BenchError(
                    f"dataset {label}: {len(twins)} images of {scored!r}, which is scored, are the same files as images "
                    f"of {train!r}, which is trained on: {other} is {one}. Take one of each pair out; `bench data check` lists all."
                )


def _twins(one: list[Sample], other: list[Sample], hashes: list[str], other_hashes: list[str]) -> list[tuple[str, str]]:
    """Ids of images with the same bytes in two files; one file that holds many images, as a stack does, is no twin of itself."""
    known = {content: sample for sample, content in zip(one, hashes, strict=False)}
    pairs = [(known[content], sample) for sample, content in zip(other, other_hashes, strict=False) if content in known]
    return [(first.id, second.id) for first, second in pairs if first.files[0] != second.files[0]]

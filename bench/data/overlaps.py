"""Images that stand in the training and in a scored split: by name, by content, and by looks."""

from pathlib import Path

import numpy as np

from bench.data.duplicates import NEAR_BITS, count_near, nearest
from bench.data.report import Listing, Report, named
from bench.data.samples import Sample
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec


def overlaps(entry: DatasetEntry, spec: DatasetSpec, listings: list[Listing], root: Path, report: Report) -> None:
    """Compare the splits that a suite would train on, choose on and report, and look for repetitions within each split."""
    by_split = {listing.split: listing for listing in listings}
    for listing in listings:
        _within(listing, root, report)
    roles: dict[str, str | None] = {role: getattr(spec, role) or entry.roles[role] for role in ("train", "val", "test")}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        first, second = by_split.get(roles[one] or ""), by_split.get(roles[other] or "")
        if first and second and first is not second:
            _between(first, second, root, report)


def _between(one: Listing, other: Listing, root: Path, report: Report) -> None:
    split = f"{one.split} / {other.split}"
    ids = {sample.id: sample for sample in one.samples}
    shared = [sample for sample in other.samples if sample.id in ids]
    for sample in shared:
        report.defect("leak", split, named(sample, root), f"{sample.id!r} stands in both splits")
    told = {sample.id for sample in shared}
    contents = {inspection.content: sample for sample, inspection in one.seen.items() if inspection.content}
    for sample, inspection in other.seen.items():
        twin = contents.get(inspection.content) if inspection.content else None
        if twin and sample.id not in told:
            told.add(sample.id)
            report.defect("duplicate", split, named(sample, root), f"the same pixels as {named(twin, root)}")
    looked_at, looks = _looks(one)
    others, other_looks = _looks(other)
    if not looked_at:
        return
    index, bits = nearest(looks, other_looks)
    for sample, at, distance in zip(others, index, bits, strict=True):
        if distance <= NEAR_BITS and sample.id not in told:
            report.note("near-duplicate", split, named(sample, root), f"{distance} of 64 bits from {named(looked_at[at], root)}")


def _within(listing: Listing, root: Path, report: Report) -> None:
    first: dict[bytes, Sample] = {}
    for sample, inspection in listing.seen.items():
        if inspection.content is None:
            continue
        twin = first.setdefault(inspection.content, sample)
        if twin is not sample:
            report.note(
                "duplicate", listing.split, named(sample, root), f"the same pixels as {named(twin, root)}: it weighs double"
            )
    pairs = count_near(_looks(listing)[1])
    if pairs:
        report.note(
            "near-duplicate", listing.split, listing.place(root), f"{pairs} pairs within {NEAR_BITS} of 64 bits, as in video"
        )


def _looks(listing: Listing) -> tuple[list[Sample], np.ndarray]:
    """The samples whose images could be read, and their (N,) look hashes."""
    known = [(sample, inspection.look) for sample, inspection in listing.seen.items() if inspection.look is not None]
    return [sample for sample, _ in known], np.array([look for _, look in known], np.uint64)

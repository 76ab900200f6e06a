"""Reads a whole data set and tells everything that is wrong with it, so that no training is the first to find out."""

import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from bench.data.inspection import Inspection, Inspector, is_picture
from bench.data.overlaps import overlaps
from bench.data.report import Listing, Report, SplitCount, name
from bench.data.samples import MissingError, Obstacle, Sample, list_samples, present, tolerating
from bench.data.strays import strays
from bench.errors import BenchError, FileError, nearest
from bench.registry import DatasetEntry, load
from bench.specs import DatasetSpec

KINDS = ("missing", "list", "unreadable", "size", "values", "count", "empty class", "leak", "duplicate")
"""Kinds of defects, in the order of their seriousness for a reader."""


def check(
    entry: DatasetEntry,
    spec: DatasetSpec,
    root: Path,
    *,
    splits: Iterable[str] = (),
    labels_only: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Read every file of a data set below ``root`` at its own size; ``splits`` limits it to some of the splits.

    Raises BenchError for a split the data set does not have, and when nothing of the data set is there.
    """
    chosen = _chosen(entry, spec, splits)
    spec = spec.model_copy(update={"resize": None})
    report = Report()
    listings = [_listing(entry, spec, root, split, report) for split in chosen]
    if not report.defects and not any(listing.samples for listing in listings):
        list_samples(entry, root, spec, chosen[0])  # raises, and says what is missing and how to get it
    images = {sample.files[0] for listing in listings for sample in listing.samples if sample.files}
    ignored = images | {image.parent for image in images} if labels_only else set()
    whole = {listing.split: _whole(listing, ignored, root, report) for listing in listings}
    unique = list(dict.fromkeys(sample for samples in whole.values() for sample in samples))
    one_each = len({sample.files for sample in unique}) == len(unique)
    if labels_only and not (one_each and all(len(sample.files) == 2 and is_picture(sample.files[1]) for sample in unique)):
        raise BenchError(f"--labels-only: not every image of {spec.name} has a picture of its own for its label. Check it without.")
    seen: dict[Sample, Inspection] = {}
    with warnings.catch_warnings(), Inspector(entry, spec, labels_only=labels_only) as inspector:
        warnings.filterwarnings("ignore", module="PIL")  # of metadata that no reader uses
        for sample, inspection in _inspected(unique, inspector):
            seen[sample] = inspection
            progress(len(seen), len(unique))
    told: set[Sample] = set()
    for listing in listings:
        listing.seen = {sample: seen[sample] for sample in whole[listing.split]}
        for sample, inspection in listing.seen.items():
            for fault in () if sample in told else inspection.faults:
                slice_ = "" if one_each else f" [{sample.id}]"
                report.defect(fault.kind, listing.split, f"{name(fault.file, root)}{slice_}", fault.message)
        told |= listing.seen.keys()
        _count(listing, entry, root, report)
    if one_each and set(chosen) == set(entry.splits):
        strays(listings, root, labels_only, report)
    overlaps(entry, spec, listings, root, report)
    return report


def _chosen(entry: DatasetEntry, spec: DatasetSpec, splits: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(splits)) or list(entry.splits)
    for split in chosen:
        if split not in entry.splits:
            known = ", ".join(entry.splits)
            raise BenchError(f"data set {spec.name!r} has no split {split!r}.{nearest(split, entry.splits)} It has {known}.")
    return chosen


def _listing(entry: DatasetEntry, spec: DatasetSpec, root: Path, split: str, report: Report) -> Listing:
    """The samples of a split with all that stands in their way."""
    with tolerating() as findings:
        try:
            samples = load(entry.samples)(root, split, spec)
            present(samples, spec.name, root)
            listing = Listing(split, samples, findings)
            if not samples and not findings.obstacles:
                report.defect("list", split, listing.place(root), "has no images, and a run that uses the split is refused")
            return listing
        except MissingError as error:
            findings.obstacles.append(Obstacle("missing", error.file, "is not there"))
        except FileError as error:
            report.defect(error.kind, split, name(error.file, root), error.fault)
        except BenchError as error:
            place = Listing(split, [], findings).place(root)
            words = str(error).removeprefix(f"{root / place}: ").removeprefix(f"the split {split!r} ")
            report.defect("list", split, place, words.splitlines()[0])
        return Listing(split, [], findings)


def _whole(listing: Listing, ignored: set[Path], root: Path, report: Report) -> list[Sample]:
    """The samples whose files are there; what is not becomes a defect, and a whole folder becomes one alone."""
    obstacles = list(dict.fromkeys(each for each in listing.findings.obstacles if each.file not in ignored))
    gone = {each.file for each in obstacles if each.kind == "missing"}
    for obstacle in obstacles:
        if gone.isdisjoint(obstacle.file.parents):
            report.defect(obstacle.kind, listing.split, name(obstacle.file, root), obstacle.message)
    return [sample for sample in listing.samples if gone.isdisjoint(set(sample.files) - ignored)]


def _inspected(samples: list[Sample], inspector: Inspector) -> Iterator[tuple[Sample, Inspection]]:
    """Samples in order, looked at by all cores, never more than a few ahead."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting = ((each, pool.submit(inspector.inspect, each)) for each in samples)
        ahead = deque(islice(waiting, 4 * workers))
        try:
            while ahead:
                sample, future = ahead.popleft()
                yield sample, future.result()
                ahead.extend(islice(waiting, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _count(listing: Listing, entry: DatasetEntry, root: Path, report: Report) -> None:
    """Sum up a split, and hold it against what is published and against its classes."""
    counts = [inspection.counts for inspection in listing.seen.values() if inspection.counts is not None]
    kinds = [*range(entry.num_classes), 255]
    table = np.array(counts, np.int64).reshape(len(counts), 256)[:, kinds]
    count = SplitCount(
        split=listing.split,
        published=entry.splits[listing.split],
        listed=len(listing.samples),
        readable=sum(not inspection.faults for inspection in listing.seen.values()),
        sizes=Counter(inspection.size for inspection in listing.seen.values() if inspection.size),
        pixels=table.sum(axis=0),
        images=(table > 0).sum(axis=0),
        there=bool(listing.samples) or not listing.findings.obstacles,
    )
    report.splits.append(count)
    place = listing.place(root)
    told = not count.there
    if count.published is not None and count.listed != count.published and not told:
        report.defect("count", listing.split, place, f"lists {count.listed} images, published are {count.published}")
    for label in np.flatnonzero(count.pixels[:-1] == 0) if counts else ():
        report.defect("empty class", listing.split, place, f"no pixel of class {label}, {entry.class_names[label]!r}")
    blank = [sample for sample, each in listing.seen.items() if each.counts is not None and not each.counts[:255].any()]
    for sample in blank:
        report.note("unlabelled", listing.split, name(sample.files[-1], root) if sample.files else sample.id, "every pixel is void")

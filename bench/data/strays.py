"""Files that lie in a data set's folders and belong to no sample of any split."""

import os
import re
from collections import defaultdict
from itertools import takewhile
from pathlib import Path

from bench.data.report import Listing, Report, name


def strays(listings: list[Listing], root: Path, labels_only: bool, report: Report) -> None:
    """Note what no list names: sets with lists may hold more than they use (VOC's photographs for other tasks).

    Where a split is all that its folders hold, a file without its partner is a missing pair, and a defect.
    """
    samples = {sample for listing in listings for sample in listing.samples if sample.files}
    by_list = any(listing.findings.lists for listing in listings)
    missing = {each.file.name for listing in listings for each in listing.findings.obstacles if each.kind == "missing"}
    columns = list(zip(*(sample.files for sample in samples), strict=False))
    endings = [_ending(sorted({file.name for file in files})) for files in columns]
    told = {each.removesuffix(ending) for each in missing for ending in endings}
    for files, ending in list(zip(map(set, columns), endings, strict=True))[1 if labels_only else 0 :]:
        known: dict[Path, set[str]] = defaultdict(set)
        for file in files:
            known[file.parent].add(file.name)
        for folder, names in sorted(known.items()):
            extra = sorted({each for each in _in(folder) if each.endswith(ending)} - names)
            if by_list and extra:
                message = f"{len(extra)} files that no list names, {extra[0]} the first"
                report.note("stray", "", name(folder, root), message)
            elif not by_list:
                for each in (each for each in extra if each.removesuffix(ending) not in told):
                    report.defect(
                        "missing", "", name(folder / each, root), "has no partner: an image without label, or the reverse"
                    )


def _ending(names: list[str]) -> str:
    """What all names end with, from its first separator on: `.png`, `_gtFine_labelIds.png`."""
    backwards = takewhile(lambda letters: len(set(letters)) == 1, zip(*(each[::-1] for each in names), strict=False))
    shared = "".join(letters[0] for letters in backwards)[::-1] if len(names) > 1 else Path(names[0]).suffix
    found = re.search(r"[._-].*", shared)
    return found[0] if found else ""


def _in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith(".")]
    except OSError:
        return []  # a folder that is not there has been told of

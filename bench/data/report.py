"""What a check of a data set has found, and the splits it looked at."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.inspection import Inspection
from bench.data.samples import Findings, Sample


@dataclass(frozen=True)
class Finding:
    """One thing a check found, and the file it found it in."""

    kind: str
    split: str
    file: str
    message: str


@dataclass
class SplitCount:
    """What a split holds."""

    split: str
    published: int | None
    """Number of images its authors state."""
    listed: int
    readable: int
    sizes: Counter[tuple[int, int]]
    """Images by (height, width)."""
    pixels: NDArray[np.int64]
    """(C + 1,) pixels by class, void last."""
    images: NDArray[np.int64]
    """(C + 1,) images that show a class, void last."""
    there: bool = True
    """Whether its list could be read; counts of a split that is not there are no counts."""


@dataclass
class Report:
    """The outcome of a check: defects spoil numbers or end a run, notes are worth knowing."""

    splits: list[SplitCount] = field(default_factory=list)
    defects: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    def defect(self, kind: str, split: str, file: str, message: str) -> None:
        """Add a defect. What is wrong with a file is told once, for the first split it concerns."""
        if kind in ("missing", "list", "unreadable"):
            key = (kind, file, "" if kind == "missing" else message)  # one missing file may be named in two lists
            if key in self._told:
                return
            self._told.add(key)
        self.defects.append(Finding(kind, split, file, message))

    def note(self, kind: str, split: str, file: str, message: str) -> None:
        """Add a note."""
        self.notes.append(Finding(kind, split, file, message))


@dataclass
class Listing:
    """A split as its reader lists it, and later what its samples hold."""

    split: str
    samples: list[Sample]
    findings: Findings
    seen: dict[Sample, Inspection] = field(default_factory=dict)
    """By sample, for all whose files are there."""

    def place(self, root: Path) -> str:
        """The file that says what belongs to the split, or its name where there is none."""
        return name(self.findings.lists[0], root) if self.findings.lists else self.split


def name(file: Path, root: Path) -> str:
    """A file relative to the data root."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def named(sample: Sample, root: Path) -> str:
    """A sample's image file relative to the data root, or its id where it has none."""
    return name(sample.files[0], root) if sample.files else sample.id

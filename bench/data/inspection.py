"""One sample looked at closely: everything that is wrong with its files, and what they hold."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.decode import Array, read_image
from bench.data.duplicates import content_hash, look_hash
from bench.data.samples import Sample
from bench.errors import BenchError, FileError
from bench.registry import DatasetEntry, load
from bench.specs import DatasetSpec

PLAIN = "bench.data.decode:files"
"""The decoder of samples whose image and label have one size on disk."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one file."""

    kind: str
    file: Path
    message: str


@dataclass(frozen=True)
class Inspection:
    """What a sample is made of; fields are None where the file they come from cannot be read."""

    faults: tuple[Fault, ...] = ()
    size: tuple[int, int] | None = None
    """(height, width) of the image, or of the label where only labels are looked at."""
    counts: NDArray[np.int64] | None = field(default=None, compare=False)
    """(256,) pixels by label in memory: classes from 0, void at 255."""
    content: bytes | None = None
    look: int | None = None


class Inspector:
    """Looks at samples of one data set, from several threads at once."""

    def __init__(self, entry: DatasetEntry, spec: DatasetSpec, *, labels_only: bool = False) -> None:
        self.entry, self.spec, self.labels_only = entry, spec, labels_only
        self._decode = load(entry.decode)
        self._folder = tempfile.TemporaryDirectory(prefix="bench-blank-")
        self._lock = Lock()

    def __enter__(self) -> "Inspector":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def inspect(self, sample: Sample) -> Inspection:
        """Decode a sample as a run would and describe it; where that fails, look for all that is wrong. Never raises."""
        place = sample.files[-1] if sample.files else Path(sample.id)
        if self.labels_only:
            label, fault = _tried(lambda: self._label(sample), place)
            return _described(None, label, fault)
        pair, fault = _tried(lambda: self._decode(sample, self.entry, self.spec), place)
        if fault is None:
            return _described(*pair)
        if len(sample.files) != 2 or fault.kind == "missing":
            return _described(None, None, fault)
        return self._each_for_itself(sample, fault)

    def _each_for_itself(self, sample: Sample, first: Fault) -> Inspection:
        """The two files of a sample that does not decode, each for itself and then their sizes."""
        files = sample.files
        image, image_fault = _tried(lambda: read_image(files[0]), files[0])
        if not is_picture(files[1]):
            return _described(image, None, *dict.fromkeys((image_fault, first)))
        label, label_fault = _tried(lambda: self._label(sample), files[1])
        sizes, _ = _tried(lambda: [_header_size(file) for file in files], files[0])
        faults = [fault for fault in (image_fault, label_fault) if fault]
        if self.entry.decode == PLAIN and sizes and sizes[0] != sizes[1]:
            one, other = (f"{height}x{width}" for height, width in sizes)
            faults.append(Fault("size", files[0], f"is {one} (height x width), but its label {files[1].name} is {other}"))
        return _described(image, label, *(faults or [first]))

    def _label(self, sample: Sample) -> Array:
        """The label of a sample, read by the data set's own decoder beside a blank image."""
        size = _header_size(sample.files[1])
        blank = Path(self._folder.name) / f"{size[0]}x{size[1]}.png"
        with self._lock:
            if not blank.exists():
                Image.new("L", (size[1], size[0])).save(blank)
        label: Array = self._decode(replace(sample, files=(blank, *sample.files[1:])), self.entry, self.spec)[1]
        return label


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of a picture, whose size can be told without the data set's own decoder."""
    return path.suffix.lower() in Image.registered_extensions()


def _header_size(path: Path) -> tuple[int, int]:
    """(height, width) as a picture's header has it; raises FileError for what is no picture."""
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except FileNotFoundError:
        raise FileError("missing", path, "is not there", "Unpack the data set again.") from None
    except OSError as error:
        raise FileError("unreadable", path, f"cannot be read as an image: {error}", "Unpack this file again.") from None


def _described(image: Any, label: Any, *faults: Fault | None) -> Inspection:
    first = image if image is not None else label
    return Inspection(
        faults=tuple(fault for fault in faults if fault),
        size=(int(first.shape[0]), int(first.shape[1])) if first is not None else None,
        counts=np.bincount(label.ravel(), minlength=256) if label is not None else None,
        content=content_hash(image) if image is not None else None,
        look=look_hash(image) if image is not None else None,
    )


def _tried(action: Callable[[], Any], file: Path) -> tuple[Any, Fault | None]:
    """The result of an action, or the fault it ran into."""
    try:
        return action(), None
    except FileError as error:
        return None, Fault(error.kind, error.file, error.fault)
    except BenchError as error:
        return None, Fault("unreadable", file, str(error).removeprefix(f"{file}: ").splitlines()[0])
    except Exception as error:  # a picture library may fail in any way on a broken file, and the check goes on to the next
        return None, Fault("unreadable", file, f"cannot be read: {type(error).__name__}: {error}")

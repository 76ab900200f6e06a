"""The images of a split, by name and file: what every reader returns, and the errors every reader raises."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError, nearest
from bench.registry import DatasetEntry, load
from bench.specs import DatasetSpec


@dataclass(frozen=True)
class Sample:
    """One image and its label: files to read, or a number to generate from."""

    id: str
    files: tuple[Path, ...] = ()
    """The image, then the label, then whatever else the data set's own decoder reads."""
    index: int = 0
    source: Path | None = field(default=None, compare=False)
    """The list that names the files, for the words about one that is not there; None for files that were found by looking."""


def list_samples(entry: DatasetEntry, root: Path, spec: DatasetSpec, split: str, *, images: bool = True) -> list[Sample]:
    """The samples of a split below the data root, in the order of the data set's list.

    Without ``images`` the photographs may be absent: labels are enough to score predictions.
    Raises BenchError for a split the data set does not have, for files that are not there and for a split without images.
    """
    if split not in entry.splits:
        raise BenchError(
            f"data set {spec.name!r} has no split {split!r}.{nearest(split, entry.splits)} It has {', '.join(entry.splits)}."
        )
    samples: list[Sample] = load(entry.samples)(root, split, spec)
    if not samples:
        raise BenchError(
            f"the split {split!r} of data set {spec.name!r} below {root} has no images. Choose another, or fill its list."
        )
    _present(samples, spec.name, root, images)
    return samples


def missing(name: str, root: Path, lacking: Path) -> BenchError:
    """The error for a data set that is not below the data root, or not all of it: what is missing, how to get it, where it goes."""
    from bench.data import entry_named  # the table is read when needed: it names the readers, and they import this module

    return BenchError(
        f"data set {name!r} is not complete below the data root {root}:\n"
        f"  missing    {lacking}\n"
        f"  get it     {entry_named(name).obtain}\n"
        f"  data root  name another with --data-root DIR or BENCH_DATA"
    )


def require(folders: Iterable[Path], name: str, root: Path) -> None:
    """Raise `missing` for the first of some files or folders that does not exist."""
    for path in folders:
        if not path.exists():
            raise missing(name, root, path)


def listed(path: Path, name: str, root: Path) -> list[str]:
    """The lines of a split's list without the empty ones; raises BenchError for a list that is missing or no text."""
    require([path], name, root)
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: the list of the split cannot be read: {error}. Fetch it again.") from None


def paired(ids: list[str], files: Callable[[str], tuple[Path, Path]], source: Path) -> list[Sample]:
    """One sample for every id, its (image, label) given by ``files``; `list_samples` sees that the files are there.

    Raises BenchError for an id that the list ``source`` names twice.
    """
    repeated = [each for each, times in Counter(ids).items() if times > 1]
    if repeated:
        raise BenchError(f"{source}: names {repeated[0]!r} more than once, and it would weigh double. Remove the surplus lines.")
    return [Sample(id=each, files=files(each), source=source) for each in ids]


def _present(samples: list[Sample], name: str, root: Path, images: bool) -> None:
    """See that every listed file exists; folders are listed once rather than files probed one by one."""
    first = 0 if images else 1
    listed = [sample for sample in samples if sample.source]
    folders = dict.fromkeys(file.parent for sample in listed for file in sample.files[first:])
    require(folders, name, root)
    present = {folder: names_in(folder) for folder in folders}
    for sample in listed:
        for kind, file in list(zip(("image", "label"), sample.files, strict=True))[first:]:
            if file.name not in present[file.parent]:
                raise BenchError(f"{file}: this {kind} is named in {sample.source} and is not there. Unpack the data set again.")


def names_in(folder: Path) -> set[str]:
    """The names in a folder; raises BenchError when it cannot be listed."""
    try:
        return {file.name for file in folder.iterdir()}
    except OSError as error:
        raise BenchError(f"{folder}: cannot be listed: {error.strerror}. It must be a folder you may read.") from None

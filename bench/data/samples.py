"""The images of a split, by name and file: what every reader returns, and the errors every reader raises."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bench.errors import BenchError, nearest
from bench.registry import DatasetEntry, load
from bench.specs import DatasetSpec, FolderSpec


@dataclass(frozen=True)
class Sample:
    """One image and its label: files to read, or a number to generate from."""

    id: str
    files: tuple[Path, ...] = ()
    """The image, then the label, then whatever else the data set's own decoder reads."""
    index: int = 0
    source: Path | None = field(default=None, compare=False)
    """The list that names the files, for the words about one that is not there; None for files that were found by looking."""


@dataclass(frozen=True)
class Obstacle:
    """What a reader met that would end a run: a file that is not there, or a list that makes no sense."""

    kind: str
    """"missing" or "list"."""
    file: Path
    message: str


@dataclass
class Findings:
    """What readers met while `tolerating`, and the lists they read."""

    obstacles: list[Obstacle] = field(default_factory=list)
    lists: list[Path] = field(default_factory=list)


_findings: ContextVar[Findings | None] = ContextVar("findings", default=None)


@contextmanager
def tolerating() -> Iterator[Findings]:
    """Let readers go past obstacles and note them: `bench data check` wants all of them, a run ends at the first."""
    findings = Findings()
    token = _findings.set(findings)
    try:
        yield findings
    finally:
        _findings.reset(token)


def meet(obstacle: Obstacle, error: BenchError) -> None:
    """Note an obstacle where somebody is `tolerating`, and raise its error where nobody is."""
    findings = _findings.get()
    if findings is None:
        raise error
    findings.obstacles.append(obstacle)


@contextmanager
def labelled(label: str, spec: DatasetSpec) -> Iterator[None]:
    """Put the name that a suite gives a data set before the words about it, where that is another than its own."""
    try:
        yield
    except BenchError as error:
        raise error if label == spec.name else BenchError(f"dataset {label}: {error}") from None


def list_samples(entry: DatasetEntry, root: Path, spec: DatasetSpec, split: str, *, images: bool = True) -> list[Sample]:
    """The samples of a split below the data root, in the order of the data set's list.

    Without ``images`` the photographs may be absent: labels are enough to score predictions.
    Raises BenchError for a split the data set does not have, for files that are not there and for a split without images.
    """
    if split not in entry.splits:
        raise BenchError(
            f"data set {spec.name!r} has no split {split!r}.{nearest(split, entry.splits)} It has {', '.join(entry.splits)}."
        )
    samples: list[Sample] = load(entry.samples)(root, split, spec if images else _without_images(spec, root))
    samples = [sample for sample in samples if stays_below(sample.id, sample.source)]
    if not samples:
        raise BenchError(
            f"the split {split!r} of data set {spec.name!r} below {root} has no images. Choose another, or see that its files are "
            "there."
        )
    present(samples, spec.name, root, images)
    return samples


def stays_below(name: str, source: Path | None) -> bool:
    """Whether a name that the list ``source`` gives leads to no other folder: files are read, and pictures kept, under it."""
    if name and not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\0" not in name:
        return True
    place = source or Path("the data set")
    reason = f"names {name[:80]!r}, which leads out of the data set's folders"
    meet(Obstacle("list", place, reason), BenchError(f"{place}: {reason}. Correct the line, or fetch the list again."))
    return False


def _without_images(spec: DatasetSpec, root: Path) -> DatasetSpec:
    """A folder's spec for its labels alone where its images are not there; where they are, they say what its splits hold."""
    if not isinstance(spec, FolderSpec) or spec.images is None:
        return spec
    folder = spec.images.partition("*")[0].rpartition("/")[0] if "*" in spec.images else spec.images
    return spec if (root / folder).is_dir() else spec.model_copy(update={"images": None})


class MissingError(BenchError):
    """A data set is not below the data root, or not all of it."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file = file


def missing(name: str, root: Path, lacking: Path) -> MissingError:
    """The error for a data set that is not below the data root, or not all of it: what is missing, how to get it, where it goes."""
    from bench.data import entry_named  # the table is read when needed: it names the readers, and they import this module

    return MissingError(
        f"data set {name!r} is not complete below the data root {root}:\n"
        f"  missing    {lacking}\n"
        f"  get it     {entry_named(name).obtain}\n"
        f"  data root  name another with --data-root DIR or BENCH_DATA",
        lacking,
    )


def require(folders: Iterable[Path], name: str, root: Path) -> None:
    """Raise `missing` for the first of some files or folders that does not exist."""
    for path in folders:
        if not path.exists():
            meet(Obstacle("missing", path, "is not there"), missing(name, root, path))


def listed(path: Path, name: str, root: Path) -> list[str]:
    """The lines of a split's list without the empty ones; raises BenchError for a list that is missing or no text."""
    require([path], name, root)
    if findings := _findings.get():
        findings.lists.append(path)
        if not path.exists():
            return []
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(
            f"{path}: the list of the split cannot be read: {error}. Save it as UTF-8 text, or fetch it again."
        ) from None


def paired(ids: list[str], files: Callable[[str], tuple[Path, Path]], source: Path) -> list[Sample]:
    """One sample for every id, its (image, label) given by ``files``; `list_samples` sees that the files are there.

    Raises BenchError for an id that the list ``source`` names twice.
    """
    for repeated in [each for each, times in Counter(ids).items() if times > 1]:
        reason = f"names {repeated!r} more than once, and it would weigh double"
        meet(Obstacle("list", source, reason), BenchError(f"{source}: {reason}. Remove the surplus lines."))
    return [Sample(id=each, files=files(each), source=source) for each in dict.fromkeys(ids)]


def present(samples: list[Sample], name: str, root: Path, images: bool = True) -> None:
    """See that every listed file exists, or every label; folders are listed once rather than files probed one by one."""
    first = 0 if images else 1
    listed = [sample for sample in samples if sample.source]
    folders = dict.fromkeys(file.parent for sample in listed for file in sample.files[first:])
    require(folders, name, root)
    there = {folder: names_in(folder) for folder in folders}
    for sample in listed:
        for kind, file in list(zip(("image", "label"), sample.files, strict=True))[first:]:
            if file.name not in there[file.parent]:
                reason = f"this {kind} is named in {sample.source} and is not there"
                meet(Obstacle("missing", file, reason), BenchError(f"{file}: {reason}. Unpack the data set again."))


def names_in(folder: Path) -> set[str]:
    """The names in a folder; raises BenchError when it cannot be listed."""
    if _findings.get() and not folder.exists():  # told of by `require`
        return set()
    try:
        return {file.name for file in folder.iterdir()}
    except OSError as error:
        raise BenchError(f"{folder}: cannot be listed: {error.strerror}. It must be a folder you may read.") from None

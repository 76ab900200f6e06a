"""Files of a cell's folder on their way between two machines that share no file system.

A `Parcel` carries what has changed since the last one, and the names of everything there is. The receiver writes each file
whole, the result last, so that the folder is at no moment one that a run on the spot could not have left.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.cell import Cell
from bench.predictions import NAME as PREDICTIONS
from bench.store import Store, write_whole

LAST, PREVIOUS, FINAL = "last.pt", "previous.pt", "final.pt"
"""As in `bench.checkpoint`, which imports torch."""
Files = dict[str, NDArray[np.uint8]]
"""Name -> (bytes,) content, uint8."""
_LATE = (LAST, "trained.json", "per_image.npz", "failed.json", "result.json")
"""Files that make earlier ones count, in the order in which they are written."""

_RECORDS = ("cell.json", "result.json", PREDICTIONS)
_TRAINING = ("trained.json", "train_ids.json", "curve.jsonl", FINAL)


@dataclass(frozen=True)
class Parcel:
    """What has changed in a folder, and the names of all that is in it."""

    files: Files
    names: frozenset[str]


@dataclass
class Packer:
    """Packs one folder again and again, each file only when it is another than the last time."""

    folder: Path
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def known(self) -> None:
        """Take what is there now for sent: the receiver has it."""
        self._sent = _stamps(self.folder)

    def saved(self) -> bool:
        """Whether there is another checkpoint than the last time."""
        return any(_stamps(self.folder).get(name) not in (None, self._sent.get(name)) for name in (LAST, "trained.json"))

    def pack(self) -> Parcel | None:
        """What has changed; None when the cell saved in this moment, so that the files may not belong together."""
        before = _stamps(self.folder)
        try:
            files = {name: _read(self.folder / name) for name, stamp in before.items() if self._sent.get(name) != stamp}
        except FileNotFoundError:
            return None
        if any(_stamps(self.folder).get(name) != before.get(name) for name in _LATE):
            return None
        self._sent = before
        return Parcel(files, frozenset(before))


def unpack(parcel: Parcel, folder: Path) -> None:
    """Make a folder what the sender's is; the checkpoint that was there is kept as the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(parcel.files, key=lambda name: _LATE.index(name) if name in _LATE else -1)
    for name in order:
        if name == LAST and (folder / LAST).exists():
            (folder / LAST).replace(folder / PREVIOUS)
        write_whole(folder / Path(name).name, parcel.files[name].data)
    kept = parcel.names | ({PREVIOUS} if LAST in parcel.names else set())
    for name in _stamps(folder, all_=True).keys() - kept:
        (folder / name).unlink(missing_ok=True)


def lend(store: Store, cell: Cell) -> dict[str, Files]:
    """Cell id -> files that a cell goes on from: its own, the weights it starts from, and what its like has left."""
    own = store.folder(cell.id)
    lent = {cell.id: _files(own, lambda name: name != "failed.json")}
    trained = "trained.json" in lent[cell.id]
    for folder in sorted(own.parent.glob(f"{cell.train_id}-*")):
        if folder != own and (folder / "trained.json").exists():
            names = _RECORDS if trained else (*_RECORDS, *_TRAINING)
            lent[folder.name] = _files(folder, lambda name, names=names: name in names or (names != _RECORDS and "best-" in name))  # type: ignore[misc]
    if cell.start is not None and not trained:
        start = next(iter(sorted(own.parent.glob(f"{cell.start.train_id}-*/trained.json"))), None)
        if start is not None:
            lent[start.parent.name] = _files(start.parent, lambda name: name in ("trained.json", FINAL))
    return lent


def _files(folder: Path, wanted: Callable[[str], bool]) -> Files:
    return {name: _read(folder / name) for name in _stamps(folder) if wanted(name)}


def _stamps(folder: Path, *, all_: bool = False) -> dict[str, tuple[int, int]]:
    """Name -> what changes with a file's content, of whole files; the previous checkpoint is the receiver's own matter."""
    return {name: stamp for name, stamp in _walk(folder) if all_ or name != PREVIOUS}


def _walk(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    for file in folder.iterdir() if folder.is_dir() else ():
        if not file.name.startswith("."):
            try:
                found = file.stat()
            except FileNotFoundError:
                continue
            yield file.name, (found.st_mtime_ns, found.st_size)


def _read(path: Path) -> NDArray[np.uint8]:
    return np.fromfile(path, dtype=np.uint8)

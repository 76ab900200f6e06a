"""The store: one folder a cell, and the folder is the truth.

``<root>/cells/<cell id>/`` holds ``cell.json``, the checkpoints, ``curve.jsonl``, ``per_image.npz`` and, at the end, either
``result.json`` or ``failed.json``. Both appear whole or not at all, so their presence is the cell's state.
"""

import errno
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bench.cell import Cell, cell_from_json
from bench.errors import BenchError

SCHEMA_VERSION = 1
Record = TypeVar("Record", "Result", "Failure")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
"""Ids come from files that may be anyone's: nothing in them leads out of the store."""


_NUMBERS = {
    "model": ("output_stride", "parameters"),
    "profile": ("images_per_s", "latency_ms", "latency_p95_ms", "peak_memory_gib", "flops"),
    "ceiling": ("miou", "boundary_iou"),
    "data": ("train_images", "test_images"),
}
_LARGEST = 1e30
"""Nothing that is measured or counted is larger; the sum of a few such numbers still is one."""


class Result(BaseModel):
    """One finished cell. Scores are in [0, 1]; None is a score that has no value, never 0."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    schema_version: int = SCHEMA_VERSION
    cell_id: str
    cell: dict[str, Any]
    metrics: dict[str, float | None]
    """Scores on the reported split, by the names of `bench list metrics`."""
    per_class: dict[str, dict[str, float | None]]
    """Metric -> class name -> score."""
    curves: dict[str, Any] = {}
    """Scores over the distance to the boundary and over the size of objects: see `bench.summary.Summary`."""
    ceiling: dict[str, Any] | None = None
    """What prediction at this output stride could score on the same labels: a `bench.ceilings.Ceiling`, protocol and all."""
    chosen: dict[str, Any]
    """The checkpoint reported: its step, the rule that chose it, and its validation score."""
    model: dict[str, Any]
    """Output stride, receptive field in pixels, parameters."""
    profile: dict[str, Any] | None
    data: dict[str, Any]
    """Images by role, the hash of the ids in ``train_ids.json``, the horizon in steps and in epochs, where the cache of the
    training lay ("device" or "streamed"), and the band width of the boundary score."""
    seconds: dict[str, float]
    """Wall time of each stage."""
    environment: dict[str, Any]
    predicted: dict[str, Any] | None = None
    """What `bench plan --measure` had foretold on such a device: a `bench.costs.Cost`."""
    finished: str

    @model_validator(mode="after")
    def _holds_numbers(self) -> "Result":
        """What tables and figures calculate with are numbers, whoever wrote the file."""
        for block, names in _NUMBERS.items():
            for name in names:
                value = (getattr(self, block) or {}).get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST
                if value is not None and not number:
                    raise ValueError(f"{block}.{name} is no number: {str(value)[:40]!r}")
        for name, score in self.metrics.items():
            if score is not None and not 0 <= score <= 1:
                raise ValueError(f"metrics.{name} is {score:g}, and a score is in [0, 1]")
        return self


class Failure(BaseModel):
    """Why a cell has no result."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    cell_id: str
    cause: str
    """"oom", "diverged", "timeout", "crashed", "input" or "error"."""
    message: str
    step: int | None = None
    traceback: str = ""
    environment: dict[str, Any] = {}
    finished: str


class Store:
    """The results below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def cache(self) -> Path:
        """Where prepared data lives."""
        return self.root / "cache"

    def folder(self, cell_id: str) -> Path:
        """The folder of a cell, whether it exists or not; raises BenchError for what could name no folder, or one elsewhere."""
        return Path(self._folder(cell_id))

    def _folder(self, cell_id: str) -> str:
        # As text: joining paths would take longer than looking into them, ten thousand times over.
        if not _ID.fullmatch(cell_id):
            raise BenchError(f"{cell_id[:80]!r} is no id of a cell")
        return os.path.join(self.root, "cells", cell_id)  # noqa: PTH118

    def writable(self) -> None:
        """Create the store if need be; raises BenchError when nothing can be written there."""
        try:
            (self.root / "cells").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root / "cells"):
                pass
        except OSError as error:
            reason = error.strerror or error
            raise BenchError(
                f"the store {self.root} cannot be written: {reason}. Choose another with --store DIR or BENCH_STORE."
            ) from None

    def state(self, cell_id: str) -> str:
        """ "finished", "failed", "started" (a checkpoint or a curve is there) or "new"."""
        folder = self._folder(cell_id)
        if os.path.exists(f"{folder}/result.json"):  # noqa: PTH110  most cells of a large store, and the quickest question
            return "finished"
        try:
            names = set(os.listdir(folder))  # noqa: PTH208  one system call for the other questions
        except (FileNotFoundError, NotADirectoryError):
            names = set()
        if "result.json" in names:
            return "finished"
        if "failed.json" in names:
            return "failed"
        return "started" if names & {"last.pt", "previous.pt", "curve.jsonl"} else "new"

    def result(self, cell_id: str) -> Result | None:
        """The result of a cell, or None; raises BenchError for a file that is not one."""
        return _read(self.folder(cell_id) / "result.json", Result)

    def failure(self, cell_id: str) -> Failure | None:
        """The failure of a cell, or None; raises BenchError for a file that is not one."""
        return _read(self.folder(cell_id) / "failed.json", Failure)

    def cell(self, cell_id: str) -> Cell:
        """The spec a cell's folder was opened with; raises BenchError for one that cannot be read."""
        path = self.folder(cell_id) / "cell.json"
        try:
            return replace(cell_from_json(read_json(path)), filed=cell_id)
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(
                f"{path}: not a cell of this version ({str(error).splitlines()[0]}). Remove the folder and run or score it again."
            ) from None

    def find(self, prefix: str) -> str:
        """The full id of the one cell whose id begins so; raises BenchError for none or several."""
        cells = self.root / "cells"
        known = sorted(each.name for each in cells.iterdir() if each.is_dir()) if cells.is_dir() else []
        found = [each for each in known if each.startswith(prefix)] if prefix else []
        if len(found) == 1:
            return found[0]
        if not found:
            raise BenchError(f"no cell {prefix!r} in {self.root}. `bench status SUITE` prints the ids.")
        raise BenchError(f"{prefix!r} could be {len(found)} cells, {found[0]} and {found[1]} among them; give more of the id")

    def open_cell(self, cell: Cell) -> Path:
        """The cell's folder with its ``cell.json``, created if need be."""
        folder = self.folder(cell.id)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "cell.json").exists():
            write_json(folder / "cell.json", cell.to_json())
        return folder

    def note_suite(self, name: str, source: Path, cells: list[Cell], contests: Sequence[dict[str, Any]] = ()) -> None:
        """Remember which cells and contests a suite had when it was last run, for readers that have no data at hand."""
        path = self.root / "suites" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        note = {"schema_version": SCHEMA_VERSION, "name": name, "source": source.name, "cells": [cell.id for cell in cells]}
        prints = {split_key(cell, split): print_ for cell in cells for split, print_ in (cell.fingerprints or {}).items()}
        write_json(path, {**note, "fingerprints": prints, "contests": list(contests)})

    def suite(self, name: str) -> dict[str, Any] | None:
        """What `note_suite` wrote, or None."""
        path = self.root / "suites" / f"{name}.json"
        return read_json(path, "Remove it and run the suite again.") if path.exists() else None

    @property
    def claims(self) -> Path:
        """Where the claims on cells that are being run lie: see `bench.claims`."""
        return self.root / "claims"

    def looks_whole(self, cell_id: str) -> bool:
        """Whether a finished cell's result is at least not cut off, without the cost of reading all of it."""
        path = f"{self._folder(cell_id)}/result.json"
        if not os.path.isfile(path):  # noqa: PTH113  a pipe would be waited for
            return False
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123
                begin = file.read(1)
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2))
                return begin == b"{" and file.read() == b"}\n"
        except OSError:
            return False  # `result` says why


def is_full(error: BaseException, root: Path) -> bool:
    """Whether an error means that the store below ``root`` cannot be written, which no cell is to blame for."""
    if not isinstance(error, OSError):
        return False
    below = error.filename is not None and str(error.filename).startswith(str(root))
    always = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE)
    return error.errno in always or (below and error.errno in (errno.EIO, errno.EACCES, errno.EPERM))


def clear_torn(folder: Path) -> None:
    """Remove what killed processes left half written in a cell's folder; for the owner of its claim alone."""
    for file in folder.glob(".*"):
        if not file.name.startswith(".mlflow"):  # the mirror's, which holds no claim
            file.unlink(missing_ok=True)


def split_key(cell: Cell, split: str) -> str:
    """The name under which a suite's note keeps the fingerprint of a split of a cell's data set."""
    return json.dumps([cell.dataset.model_dump(mode="json", exclude={"train", "val", "test", "resize"}), split], sort_keys=True)


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_whole(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def write_whole(path: Path, content: "bytes | memoryview[int]") -> None:
    """Write a file beside its place and rename it there, so that no reader ever sees half of it.

    A link stays, and what it points to is written; a device or pipe is written to, never replaced.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as device:
            device.write(content)
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read_json(path: Path, mend: str = "Remove its folder and run the suite again.") -> Any:
    """Parse a JSON file; raises BenchError naming it, and how to ``mend`` it, when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number, parse_float=_finite)
    except (OSError, ValueError, RecursionError) as error:
        raise BenchError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}. {mend}") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} stands where a number or null belongs")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_number(text)


def _read(path: Path, kind: type[Record]) -> Record | None:
    if path.exists() and not path.is_file():
        raise BenchError(f"{path}: is no file. Remove it and run the suite again.")  # a pipe would be waited for
    try:
        record = kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        pass  # parsed again below, for words that say what is wrong
    else:
        if record.schema_version <= SCHEMA_VERSION:
            return record
    data = read_json(path)
    version = data.get("schema_version") if isinstance(data, Mapping) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BenchError(
            f"{path}: written by a newer version (schema {version}, this one reads {SCHEMA_VERSION}); update stridebench"
        )
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"])) or "the file"
        again = "Remove the cell's folder and run the suite again."
        mend = "Score the cell again, without training: bench rescore SUITE" if "a score is in" in first["msg"] else again
        raise BenchError(f"{path}: not a {kind.__name__.lower()} ({what}: {first['msg']}). {mend}") from None

"""Scoring what others predicted: check a folder of label maps, count, and enter the model into the store."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.ceilings.compute import ceilings
from bench.ceilings.labels import labels_of_samples
from bench.cell import Cell
from bench.contest import Contest
from bench.data.decode import label_of
from bench.data.samples import Sample
from bench.data.submitted import Defect, Defective, checked, match
from bench.entrants import enter
from bench.evaluate import Batch, gather
from bench.experiment import environment
from bench.per_image import PerImage, readable
from bench.store import Result, Store, write_json
from bench.summary import scored, summarise

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Entry:
    """What came of one model: its cell, or all that is wrong with its files."""

    cell: Cell | None
    defects: list[Defect]
    matched: int
    """Files that have an image's name."""
    new: bool = False
    """Whether it was scored now; False when the same files had been scored before."""
    replaced: str | None = None
    """The cell that bore the model's name until now."""


def score(
    name: str,
    folder: Path,
    contest: Contest,
    samples: list[Sample],
    store: Store,
    *,
    stride: int | None = None,
    suffix: str = "",
    progress: Progress = lambda done, total: None,
) -> Entry:
    """Score a folder of label maps, one `<id><suffix>.png` an image, and enter it under ``name``.

    With any defect nothing is written. ``contest`` has seen its labels and ``samples`` are theirs.
    Raises BenchError for labels that cannot be read.
    """
    begin = time.perf_counter()
    found, defects = match(folder, samples, suffix)
    content = hashlib.sha256()
    pairs = _read(found, folder, contest, samples, defects, content, progress)
    first = next(pairs, None)
    ids, rules = tuple(sample.id for sample in samples), contest.eval
    sums = gather(chain([first], pairs), ids, rules.boundary_ratio, contest.entry.num_classes) if first else None
    if sums is None or defects:
        return Entry(None, sorted(defects, key=lambda defect: defect.file), len(found))
    cell = contest.cell(name, content.hexdigest(), stride)
    new = store.state(cell.id) != "finished" or not readable(store.folder(cell.id) / "per_image.npz")
    if new:
        folder = store.open_cell(cell)
        sums = replace(sums, seconds=time.perf_counter() - begin)
        sums.write(folder / "per_image.npz")
        write_json(folder / "result.json", _result(cell, contest, sums, _ceiling(cell, contest, samples, store)).model_dump())
    return Entry(cell, [], len(found), new, enter(store, name, contest, cell))


def _read(
    found: dict[str, Path],
    folder: Path,
    contest: Contest,
    samples: list[Sample],
    defects: list[Defect],
    content: "hashlib._Hash",
    progress: Progress,
) -> Iterator[Batch]:
    """The images in the order of the split. Defects are added to the list, and everything read to the hash ``content``."""
    for done, sample in enumerate(samples, start=1):
        label = label_of(sample, contest.entry, contest.dataset)
        if sample.id in found:
            try:
                ids = checked(found[sample.id], label, contest.entry)
            except Defective as reason:
                defects.append(Defect(found[sample.id].relative_to(folder).as_posix(), str(reason)))
            else:
                content.update(f"{sample.id} {ids.shape}".encode() + ids.tobytes())
                yield np.array([done - 1]), torch.from_numpy(ids)[None], torch.from_numpy(label)[None]
        progress(done, len(samples))


def _ceiling(cell: Cell, contest: Contest, samples: list[Sample], store: Store) -> dict[str, Any] | None:
    """What prediction at the stated stride could score; None where no stride is stated."""
    if cell.model.stride is None:
        return None
    assert contest.truth is not None
    labels = labels_of_samples(samples, contest.entry, contest.dataset, contest.truth, store)
    return ceilings(store, labels, [cell.model.stride], boundary_ratio=cell.eval.boundary_ratio)[0].model_dump()


def _result(cell: Cell, contest: Contest, sums: PerImage, ceiling: dict[str, Any] | None) -> Result:
    """The record of an external model: its scores, and nothing that only its makers know."""
    summary = summarise(sums, contest.entry.class_names, cell.model.stride)
    return Result(
        cell_id=cell.id,
        cell=cell.to_json(),
        metrics=summary.metrics,
        per_class=summary.per_class,
        curves=summary.curves,
        ceiling=ceiling,
        chosen={"rule": "external", "step": None, "val_miou": None},
        model={"output_stride": cell.model.stride, "receptive_field_px": None, "parameters": None},
        profile=None,
        data=scored(sums, cell.eval),
        seconds={"evaluate_s": sums.seconds},
        environment=environment(torch.device("cpu")),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )

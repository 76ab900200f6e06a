"""Computing ceilings, each protocol and stride once a store."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.ceilings import (
    DEFAULT,
    PROTOCOL_VERSION,
    PROTOCOLS,
    TRIMAP_PX,
    Ceiling,
    Protocol,
    cached,
    checked_protocol,
    checked_strides,
    known_labels,
    note_labels,
    path_of,
)
from bench.ceilings.calibrate import calibrate
from bench.ceilings.labels import Labels, ahead, labels_of_cache, writing
from bench.cell import Cell
from bench.data import entry_of
from bench.data.cache import Cache
from bench.metrics import scores
from bench.metrics.ceiling import ceiling_maps
from bench.metrics.measure import measure
from bench.store import Store, write_json

Progress = Callable[[int, int], None]


def ceilings(
    store: Store,
    labels: Labels,
    strides: Sequence[int],
    protocol: str = DEFAULT,
    boundary_ratio: float = 0.02,
    progress: Progress = lambda done, total: None,
) -> list[Ceiling]:
    """The ceilings of a split by rising stride: from the store where it has them, computed and kept there where not.

    Two processes that want the same labels take turns, so the second finds the first one's work. Raises BenchError for an
    unknown protocol, a stride below 1 and a store that cannot be written.
    """
    strides, rule = checked_strides(strides), PROTOCOLS[checked_protocol(protocol)]

    def lookup() -> dict[int, Ceiling | None]:
        return {each: cached(store, labels.digest, labels.num_classes, each, protocol, boundary_ratio) for each in strides}

    found = lookup()
    if not all(found.values()):
        with writing(store, labels.digest):
            found = lookup()
            lacking = [stride for stride, each in found.items() if each is None]
            totals = _totals(labels, lacking, rule, boundary_ratio, progress) if lacking else []
            for stride, sums in zip(lacking, totals, strict=True):
                made = _ceiling(labels, stride, protocol, boundary_ratio, sums)
                write_json(path_of(store, labels.digest, labels.num_classes, stride, protocol, boundary_ratio), made.model_dump())
                found[stride] = made
    return [each for each in found.values() if each is not None]


def cell_ceiling(store: Store, cell: Cell, cache: Cache, stride: int) -> dict[str, Any]:
    """The default ceiling of a cell's reported split at its model's output stride, as plain data for a result: a `Ceiling`.

    ``cache`` is that split, prepared. The first cell of a suite computes, the others read.
    """
    split, resize = cell.dataset.test, cell.dataset.resize
    assert split is not None and cell.fingerprints is not None
    print_ = cell.fingerprints[split]
    labels = labels_of_cache(cache, entry_of(cell.dataset).num_classes, known_labels(store, print_, resize))
    with writing(store):
        note_labels(store, print_, resize, labels.digest)
    return ceilings(store, labels, [stride], boundary_ratio=cell.eval.boundary_ratio)[0].model_dump()


Sums = tuple[np.ndarray, np.ndarray, np.ndarray]


def _totals(labels: Labels, strides: list[int], rule: Protocol, boundary_ratio: float, progress: Progress) -> list[Sums]:
    """Counts (C, C), bands (C, 2) and trimap sums (R + 1, 3, C) over the split, for every stride."""

    weights = calibrate(labels, strides, rule) if rule.calibrated else None

    def one(index: int) -> Sums:
        truth = labels.read(index)
        maps = ceiling_maps(truth, strides, rule, weights)
        sums = measure(
            maps,
            truth.expand(len(strides), -1, -1),
            labels.num_classes,
            boundary_ratio=boundary_ratio,
            radius=TRIMAP_PX,
            contours=False,
        )
        return sums.counts.numpy(), sums.bands.numpy(), sums.trimap.numpy()

    totals: Sums | None = None
    for done, sums in enumerate(ahead(one, labels.images), start=1):
        totals = sums if totals is None else (totals[0] + sums[0], totals[1] + sums[1], totals[2] + sums[2])
        progress(done, labels.images)
    assert totals is not None, "a split has images"
    return list(zip(*totals, strict=True))


def _ceiling(labels: Labels, stride: int, protocol: str, boundary_ratio: float, sums: Sums) -> Ceiling:
    counts, bands, trimap = sums
    return Ceiling(
        labels=labels.digest,
        images=labels.images,
        num_classes=labels.num_classes,
        stride=stride,
        protocol=protocol,
        protocol_version=PROTOCOL_VERSION,
        boundary_ratio=boundary_ratio,
        miou=scores.number(scores.miou(counts)),
        boundary_iou=scores.number(scores.class_mean(scores.boundary_iou(bands))),
        trimap_iou_3px=scores.number(scores.trimap_curve(trimap)[TRIMAP_PX - 1]),
        class_iou=[scores.number(value) for value in scores.iou(counts)],
    )

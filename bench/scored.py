"""The sums of a scored cell that images can be resampled from, and the scores that are made of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError, unknown
from bench.metrics.dialects import DIALECTS, areas, set_sums
from bench.metrics.scores import Floats, boundary_iou, class_mean, contour_f, number, ratio
from bench.per_image import RESCORE, damaged, read_arrays
from bench.stated import contradiction, denied, differ
from bench.statistics import Finish, band_sums, class_ratios
from bench.store import Result, Store


@dataclass(frozen=True)
class Scored:
    """The sums of one cell, image by image, in the order of ``ids``."""

    ids: tuple[str, ...]
    areas: Floats
    """(N, 3, C) pixels: hits, truth, prediction."""
    bands: Floats
    """(N, C, 2) pixels: intersection and union of the boundary bands."""
    path: Path
    """The file with the other sums, each read when it is asked for: a leaderboard needs few of them, and they are large."""
    mend: str
    """What to do when it cannot be read."""
    stated: Result | None = None
    """The result whose scores must be those of the sums."""

    @cached_property
    def trimap(self) -> Floats:
        """(N, 3, C) pixels at most 3 px from a true boundary, as ``areas``."""
        return self._borne_out("trimap_iou_3px", self._read("trimap")[:, :3].sum(1), _over_the_set)

    @cached_property
    def bf(self) -> Floats:
        """(N, C, 4) contour pixels of the BF score."""
        return self._borne_out("boundary_f1", self._read("bf"), _mean_contour)

    @cached_property
    def davis(self) -> Floats:
        """(N, C, 4) contour pixels of DAVIS' F."""
        return self._borne_out("davis_f", self._read("davis"), _mean_contour)

    def _read(self, name: str) -> Floats:
        found: Floats = _arrays(self.path, ("ids", name), self.mend)[name].astype(np.float64)
        return found

    def _borne_out(self, metric: str, sums: Floats, finish: Finish) -> Floats:
        """The sums themselves; raises BenchError when the score that the result states is not theirs."""
        metrics = self.stated.metrics if self.stated else {}
        if metric in metrics and differ(metrics[metric], value := number(finish(sums))):
            raise _contradicts(self.path, denied(metric, metrics[metric], value), self.mend)
        return sums

    @cached_property
    def truth(self) -> str:
        """What was scored: hash of the images' ids and of the labelled pixels of each class in each.

        Ids alone do not tell a set from the same set at another size, or drawn from another seed.
        """
        hashed = hashlib.sha256("\0".join(self.ids).encode())
        hashed.update(self.areas[:, 1].astype("<i8").tobytes())
        return hashed.hexdigest()

    def scores(self) -> dict[str, Floats]:
        """Scores of every image on its own, (N,) each; NaN where an image has none."""
        return {
            "miou": class_mean(ratio(*np.moveaxis(set_sums(self.areas), 1, 0))),
            "boundary_iou": class_mean(boundary_iou(self.bands)),
            "trimap_iou_3px": class_mean(ratio(*np.moveaxis(set_sums(self.trimap), 1, 0))),
            "boundary_f1": class_mean(contour_f(self.bf)),
            "davis_f": class_mean(contour_f(self.davis)),
            "pixel_accuracy": ratio(self.areas[:, 0].sum(-1), self.areas[:, 1].sum(-1)),
        }


@dataclass(frozen=True)
class Statistic:
    """A score whose images can be resampled: sums (N, P, C) of a cell, and the rule from summed sums to the score."""

    sums: Callable[[Scored], Floats]
    finish: Finish

    def table(self, cells: list[Scored]) -> Floats:
        """All seeds of a row: (S, N, P, C)."""
        return np.stack([self.sums(cell) for cell in cells])

    def scores(self, cells: list[Scored]) -> Floats:
        """Score of every seed: (S,)."""
        return np.array([self.finish(self.sums(cell).sum(0)) for cell in cells])


def _weighted(sums: Floats) -> Floats:
    """IoU weighted with the true pixels: (..., 3, C) -> (...)."""
    hits, truth, preds = np.moveaxis(sums, -2, 0)
    weighted = np.where(truth > 0, truth * ratio(hits, truth + preds - hits), 0.0)
    return ratio(weighted.sum(-1), truth.sum(-1))


def _contours(sums: Floats) -> Floats:
    """F of every image and class, and 1 where there is one: (N, C, 4) -> (N, 2, C)."""
    scores = contour_f(sums)
    there = ~np.isnan(scores)
    return np.stack([np.where(there, scores, 0.0), there], axis=1)


def _over_the_set(sums: Floats) -> Floats:
    return class_ratios(set_sums(sums).sum(0))


def _mean_contour(sums: Floats) -> Floats:
    return class_ratios(_contours(sums).sum(0))


STATISTICS = {
    "trimap_iou_3px": Statistic(lambda cell: set_sums(cell.trimap), class_ratios),
    "boundary_f1": Statistic(lambda cell: _contours(cell.bf), class_ratios),
    "davis_f": Statistic(lambda cell: _contours(cell.davis), class_ratios),
    "boundary_iou": Statistic(lambda cell: band_sums(cell.bands), class_ratios),
    "fwiou": Statistic(lambda cell: cell.areas, _weighted),
    "pixel_accuracy": Statistic(lambda cell: cell.areas[:, :2].sum(-1, keepdims=True), class_ratios),
    "mean_accuracy": Statistic(lambda cell: cell.areas[:, :2], class_ratios),
}
"""Scores with one convention each; mIoU has many."""


def statistic(metric: str, convention: str = "fcn") -> Statistic:
    """How a score is summed over images; ``convention`` is that of mIoU. Raises BenchError for an unknown convention."""
    if metric != "miou":
        return STATISTICS[metric]
    if convention not in DIALECTS:
        raise unknown("convention", convention, DIALECTS)
    dialect = DIALECTS[convention]
    return Statistic(lambda cell: dialect.sums(cell.areas), dialect.finish)


def read(store: Store, cell_id: str, mend: str = RESCORE, stated: Result | None = None) -> Scored:
    """The sums of a finished cell.

    Raises BenchError, which says how to ``mend`` them, when they cannot be read, or deny the scores of the result ``stated``.
    """
    path = store.folder(cell_id) / "per_image.npz"
    saved = _arrays(path, ("ids", "counts", "bands"), mend)
    ids, bands = tuple(map(str, saved["ids"])), saved["bands"].astype(np.float64)
    found = Scored(ids, areas(saved["counts"]), bands, path, mend, stated)
    if stated and (why := contradiction(stated, found.areas, bands)):
        raise _contradicts(path, why, mend)
    return found


def sound(store: Store, cell_id: str) -> bool:
    """Whether a finished cell's result and sums can be read and agree in every score."""
    try:
        found = read(store, cell_id, stated=store.result(cell_id))
        return all(len(each) == len(found.ids) for each in (found.trimap, found.bf, found.davis))
    except BenchError:
        return False


def _contradicts(path: Path, why: str, mend: str) -> BenchError:
    return BenchError(f"{path.with_name('result.json')} {why}: one of the two files is damaged. {mend}")


def _arrays(path: Path, names: tuple[str, ...], mend: str) -> dict[str, Any]:
    saved = read_arrays(path, names, mend)
    lengths = {name: len(each) for name, each in saved.items()}
    if len(set(lengths.values())) > 1:
        raise damaged(path, f"arrays of different lengths {lengths}", mend)
    return saved

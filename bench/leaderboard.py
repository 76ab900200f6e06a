"""From results to ranked rows: seeds grouped, intervals over seeds and images, nothing that is not there shown as 0."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.cell import Cell
from bench.judge import judge
from bench.metrics.dialects import same_as
from bench.per_image import RESCORE
from bench.scored import Scored, read, statistic
from bench.statistics import Interval
from bench.store import Failure, Result, Store

if TYPE_CHECKING:
    from bench.published import Published

PERCENT = ("miou", "boundary_iou", "trimap_iou_3px", "boundary_f1", "davis_f", "fwiou", "pixel_accuracy", "mean_accuracy")
"""Scores in [0, 1]; each is a sum over images, so each can be ranked with an interval."""
BOUNDED = ("miou", "boundary_iou")
"""Scores shown as a share of what prediction at the row's output stride could reach."""
SPEED = ("images_per_s", "latency_ms", "latency_p95_ms", "peak_memory_gib")
"""Comparable only within one device, precision, resolution and batch."""
COST = ("parameters", "flops", "output_stride", "receptive_field_px")


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard: all seeds of one combination."""

    cells: list[Cell]
    results: list[Result]
    failures: list[Failure]
    scores: dict[str, float | None]
    intervals: dict[str, Interval] = field(default_factory=dict)
    rank: int | None = None
    p_leader: float | None = None
    """Against the leader, with Holm's correction."""
    undefined: dict[str, float] = field(default_factory=dict)
    """Metric -> share of the bootstrap draws that have no score, where some have none."""
    convention: str = "fcn"
    """That of ``scores["miou"]`` and its interval."""
    ranked_by: str = "miou"
    published: Mapping[str, "Published"] = field(default_factory=dict)
    """Published scores by metric, which `bench.published` puts beside the row."""
    images: list[Scored] = field(default_factory=list, repr=False, compare=False)
    """The sums of each result, image by image; ranked rows have them."""

    @property
    def external(self) -> bool:
        """Whether the model was trained elsewhere: its recipe, data and speed are not known here."""
        return self.cells[0].external

    @property
    def status(self) -> str:
        """What is there of the row, in words: "" when every seed has its result."""
        missing = len(self.cells) - len(self.results) - len(self.failures)
        words = [f"{count} {cause}" for cause, count in Counter(failure.cause for failure in self.failures).items()]
        return ", ".join([*words, *([f"{missing} not run"] if missing else [])])

    def to_json(self) -> dict[str, Any]:
        """The documented keys of `--json` and of every export."""
        return dict(self._record)

    @cached_property
    def _record(self) -> dict[str, Any]:
        # A table asks once for each of its columns.
        first = self.cells[0]
        row: dict[str, Any] = {
            "rank": self.rank,
            "dataset": first.dataset_label,
            "model": first.model_label,
            "external": self.external,
            "augmentation": None if self.external else first.augmentation_label,
            "fraction": None if self.external else first.fraction,
            **dict(first.axes),
            "seeds": None if self.external else len(self.results),
            "train_images": self.results[0].data.get("train_images") if self.results else None,
            "convention": self.convention,
        }
        for metric in PERCENT:
            interval = self.intervals.get(metric)
            row[metric] = self.scores.get(metric)
            row[f"{metric}_low"], row[f"{metric}_high"] = (interval.low, interval.high) if interval else (None, None)
        row |= {f"{name}_of_ceiling": self.scores.get(f"{name}_of_ceiling") for name in BOUNDED}
        row["p_leader"] = self.p_leader
        row |= {name: self.scores.get(name) for name in (*COST, *SPEED)}
        profile = self.results[0].profile if self.results and self.results[0].profile else {}
        row |= {key: profile.get(key) for key in ("device", "precision", "height_px", "width_px", "batch")}
        for metric, each in self.published.items():
            row |= {f"{metric}_published": each.expectation.value, f"{metric}_tolerance": each.expectation.tolerance}
            row |= {f"{metric}_published_source": each.expectation.source, f"{metric}_verdict": each.verdict}
        return {**row, "status": self.status, "cells": [cell.id for cell in self.cells]}


def collect(cells: Iterable[Cell], store: Store, damaged: Mapping[str, str] | None = None) -> list[Row]:
    """The rows of a suite in its own order, without intervals and ranks.

    ``damaged`` has the cells whose files are not to be read, and why: their rows lack them, and say so.
    """
    broken = damaged or {}
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    rows = []
    for members in groups.values():
        states = {cell.id: "damaged" if cell.id in broken else store.state(cell.id) for cell in members}
        results = [result for cell in members if states[cell.id] == "finished" and (result := store.result(cell.id))]
        failures = [failure for cell in members if states[cell.id] == "failed" and (failure := store.failure(cell.id))]
        failures += [
            Failure(cell_id=cell.id, cause="damaged", message=broken[cell.id], finished="") for cell in members if cell.id in broken
        ]
        rows.append(Row(members, results, failures, _means(results)))
    return rows


def rank(rows: list[Row], store: Store, *, metric: str = "miou", convention: str = "fcn", draws: int = 2000) -> list[Row]:
    """Rows with 95 % intervals, best first within each set of test images; rows without a score come last, unranked.

    A rank is 1 + the number of rows that are significantly better (paired over images, Holm's correction). ``convention`` is that
    of mIoU, one of `bench list conventions`. Raises BenchError for an unknown convention and for sums that cannot be read.
    """
    loaded = [_load(row, store, metric, convention) for row in rows]
    placed: list[Row] = []
    for dataset in dict.fromkeys(row.cells[0].dataset_label for row in rows):
        members = [row for row in loaded if row.cells[0].dataset_label == dataset]
        for group in on_same_images(row for row in members if row.scores.get(metric) is not None):
            verdict = judge([row.images for row in group], pools(group), metric=metric, convention=convention, draws=draws)
            judged = zip(group, verdict.intervals, verdict.ranks, verdict.undefined, verdict.p_leader, strict=True)
            ranked = [
                replace(row, intervals=bounds, rank=place, undefined=share, p_leader=p) for row, bounds, place, share, p in judged
            ]
            placed += sorted(ranked, key=lambda row: -(row.scores[metric] or 0.0))
        placed += [row for row in members if row.scores.get(metric) is None]
    return placed


def on_same_images(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows grouped by the data set, its images and the labels of these: only within a group can they be compared."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.cells[0].dataset_label, *(cell.truth for cell in row.images[:1])), []).append(row)
    return list(groups.values())


def pools(rows: Iterable[Row]) -> list[str]:
    """What each row shares the noise between its seeds with: architectures differ in how much a seed matters."""
    return [row.cells[0].model.name for row in rows]


def mend_of(row: Row) -> str:
    """What to do about sums of the row that are damaged."""
    return "Score its predictions again: bench score" if row.external else RESCORE


def _load(row: Row, store: Store, metric: str, convention: str) -> Row:
    """The row with its sums per image and its mIoU under a convention."""
    rule = statistic("miou", convention)
    images = [read(store, result.cell_id, mend_of(row), result) for result in row.results]
    if images and same_as(convention) != "fcn":
        value = float(rule.scores(images).mean())
        # The ceiling is FCN's mIoU, and a share of it in another convention would be no share of anything.
        row = replace(row, scores={**row.scores, "miou": value if np.isfinite(value) else None, "miou_of_ceiling": None})
    return replace(row, images=images, convention=convention, ranked_by=metric)


def _means(results: list[Result]) -> dict[str, float | None]:
    """Mean over seeds of every number; speeds only when all were measured alike."""
    if not results:
        return {}
    merged = [{**(result.profile or {}), **result.model, **result.metrics} for result in results]
    alike = len({_conditions(result) for result in results}) == 1
    means: dict[str, float | None] = {}
    for name in (*PERCENT, *COST, *SPEED):
        values = [each.get(name) for each in merged]
        known = [float(value) for value in values if value is not None]
        means[name] = sum(known) / len(known) if len(known) == len(values) and (alike or name not in SPEED) else None
    for name in BOUNDED:
        shares = [_share(result, name) for result in results]
        known = [share for share in shares if share is not None]
        means[f"{name}_of_ceiling"] = sum(known) / len(known) if len(known) == len(shares) else None
    return means


def _share(result: Result, name: str) -> float | None:
    score, ceiling = result.metrics.get(name), (result.ceiling or {}).get(name)
    return score / ceiling if score is not None and ceiling else None


def _conditions(result: Result) -> tuple[Any, ...]:
    profile = result.profile or {}
    return tuple(profile.get(key) for key in ("device", "precision", "height_px", "width_px", "batch", "threads"))

"""From results to ranked rows: seeds grouped, intervals over seeds and images, nothing that is not there shown as 0."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.cell import Cell
from bench.per_image import read_arrays
from bench.statistics import Interval, area_sums, band_sums, bootstrap, ranks
from bench.store import Failure, Result, Store

PERCENT = ("miou", "boundary_iou", "trimap_iou_3px", "boundary_f1", "davis_f", "fwiou", "pixel_accuracy", "mean_accuracy")
"""Scores in [0, 1]."""
SPEED = ("images_per_s", "latency_ms", "latency_p95_ms", "peak_memory_gib")
"""Comparable only within one device, precision, resolution and batch."""
RESAMPLED = ("miou", "boundary_iou")
"""Scores with an interval: sums over images are stored for them."""
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
        }
        for metric in PERCENT:
            row[metric] = self.scores.get(metric)
            interval = self.intervals.get(metric)
            if metric in RESAMPLED:
                row[f"{metric}_low"] = interval.low if interval else None
                row[f"{metric}_high"] = interval.high if interval else None
        row |= {name: self.scores.get(name) for name in (*COST, *SPEED)}
        profile = self.results[0].profile if self.results and self.results[0].profile else {}
        row |= {key: profile.get(key) for key in ("device", "precision", "height_px", "width_px", "batch")}
        return {**row, "status": self.status, "cells": [cell.id for cell in self.cells]}


def collect(cells: Iterable[Cell], store: Store) -> list[Row]:
    """The rows of a suite in its own order, without intervals and ranks."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    rows = []
    for members in groups.values():
        states = {cell.id: store.state(cell.id) for cell in members}
        results = [result for cell in members if states[cell.id] == "finished" and (result := store.result(cell.id))]
        failures = [failure for cell in members if states[cell.id] == "failed" and (failure := store.failure(cell.id))]
        rows.append(Row(members, results, failures, _means(results)))
    return rows


def rank(rows: list[Row], store: Store, *, metric: str = "miou", draws: int = 2000) -> list[Row]:
    """Rows with 95 % intervals, best first within each data set; rows without a result come last, unranked.

    A rank is 1 + the number of rows that are significantly better (paired over images, Holm's correction), so rows that cannot
    be told apart share one. Scores without per-image sums are ranked by their order alone.
    """
    placed: list[Row] = []
    for dataset in dict.fromkeys(row.cells[0].dataset_label for row in rows):
        members = [row for row in rows if row.cells[0].dataset_label == dataset]
        scored = [row for row in members if row.scores.get(metric) is not None]
        placed += sorted(_judged(scored, store, metric, draws), key=lambda row: -(row.scores[metric] or 0.0))
        placed += [row for row in members if row.scores.get(metric) is None]
    return placed


def _judged(rows: list[Row], store: Store, metric: str, draws: int) -> list[Row]:
    """The rows of one data set with intervals and ranks."""
    if not rows:
        return []
    sums = [[per_image(store, result.cell_id) for result in row.results] for row in rows]
    # Architectures differ in how much a seed matters, so the noise between trainings is pooled within each.
    pools = [row.cells[0].model.name for row in rows]
    tables = {name: [np.stack([each[name] for each in row]) for row in sums] for name in RESAMPLED}
    samples = {name: bootstrap(table, draws=draws, pools=pools) for name, table in tables.items()}
    order = sorted(range(len(rows)), key=lambda index: -(rows[index].scores[metric] or 0.0))
    places = ranks(samples[metric]) if metric in samples else np.argsort(order) + 1
    return [
        replace(row, intervals={name: each.interval(index) for name, each in samples.items()}, rank=int(places[index]))
        for index, row in enumerate(rows)
    ]


def per_image(store: Store, cell_id: str) -> dict[str, np.ndarray]:
    """Sufficient statistics of each image: "miou" (N, 2, C) hits and unions, "boundary_iou" alike for the bands."""
    saved = read_arrays(store.folder(cell_id) / "per_image.npz", ("counts", "bands"))
    return {"miou": area_sums(saved["counts"]), "boundary_iou": band_sums(saved["bands"])}


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
    return means


def _conditions(result: Result) -> tuple[Any, ...]:
    profile = result.profile or {}
    return tuple(profile.get(key) for key in ("device", "precision", "height_px", "width_px", "batch", "threads"))

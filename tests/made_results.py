"""Results written by hand into a store, for tests of what is made of them."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.cell import Cell
from bench.expand import expand
from bench.metrics.scores import accuracy, boundary_iou, iou, miou
from bench.per_image import PerImage
from bench.store import Result, Store, write_json
from bench.suite import load_suite

PRINTS = {"train": "a", "val": "b", "test": "c"}


def suite(folder: Path, text: str) -> tuple[list[Cell], Store]:
    """The cells of a suite file and an empty store, with the suite noted so that the command line finds its fingerprints."""
    path = folder / "made.yaml"
    path.write_text(text, encoding="utf-8")
    store = Store(folder / "runs")
    cells = [cell.seen(PRINTS) for cell in expand(load_suite(path))]
    return cells, store


def confusions(truth: np.ndarray, accuracy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, C, C) counts in which a share (N,) of the true pixels (N, C) is right and the rest falls on any class."""
    classes = truth.shape[1]
    table = np.zeros((*truth.shape, classes), np.int64)
    for image, row in enumerate(truth):
        for label, pixels in enumerate(row):
            right = rng.binomial(pixels, np.clip(accuracy[image], 0, 1))
            table[image, label] = rng.multinomial(pixels - right, np.full(classes, 1 / classes))
            table[image, label, label] += right
    return table


def write_sums(path: Path, ids: list[str], counts: np.ndarray, bands: np.ndarray) -> None:
    """The sums of a cell without contours: trimaps hold what the counts hold, every pixel at a boundary."""
    count, classes = len(counts), counts.shape[-1]
    trimap = np.zeros((count, 41, 3, classes), np.int64)
    trimap[:, 0] = np.stack([np.diagonal(counts, axis1=1, axis2=2), counts.sum(2), counts.sum(1)], axis=1)
    none = np.zeros((count, classes, 4), np.int64)
    objects = np.zeros((count, 9, 4, classes), np.int64)
    PerImage(tuple(ids), counts, bands, trimap, none, none, objects, np.full(count, 3), 1.0).write(path)


def put(
    store: Store,
    cell: Cell,
    counts: np.ndarray,
    *,
    ids: list[str] | None = None,
    stride: int = 1,
    train_s: float = 1.0,
    train_images: int = 5,
    profile: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """A finished cell with these counts; its bands are a tenth of its areas, rounded up."""
    count, classes = len(counts), counts.shape[-1]
    hits = np.diagonal(counts, axis1=1, axis2=2)
    bands = -(-np.stack([hits, counts.sum(1) + counts.sum(2) - hits], axis=-1) // 10)
    names = ids or [f"image{place}" for place in range(count)]
    folder = store.open_cell(cell)
    write_sums(folder / "per_image.npz", names, counts, bands)
    total, band = counts.sum(0), bands.sum(0)
    per_class = {
        metric: {f"class{c}": None if np.isnan(value) else float(value) for c, value in enumerate(values)}
        for metric, values in (("iou", iou(total)), ("boundary_iou", boundary_iou(band)), ("accuracy", accuracy(total)))
    }
    metrics = {"miou": float(miou(total)), "boundary_iou": float(np.nanmean(boundary_iou(band)))}
    result = Result(
        cell_id=cell.id, cell=cell.to_json(), metrics=metrics, per_class=per_class, chosen={},
        model={"output_stride": stride, "parameters": 1000}, profile=profile,
        data={"test_images": count, "train_images": train_images, "boundary_width_px": [3, 3]},
        seconds={"train_s": train_s}, environment={}, finished="2026-01-01", **more,
    )  # fmt: skip
    assert classes == len(per_class["iou"])
    write_json(folder / "result.json", result.model_dump())

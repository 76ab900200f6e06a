"""A store of 10,000 finished cells, and how long planning, status and the leaderboard take on it.

    python tests/faults/many_cells.py [--cells 10000] [--store DIR] [--limit-s 2]

Results have the real format: they differ in their scores and are small, 12 images each. Ends with code 1 when a command takes
longer than the limit. `bench run`, which finds nothing to do, makes the leaderboard's table as it does at the end of every run;
what that costs is printed, and so is a leaderboard that has to do it itself, as in the middle of a run.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.cell import Cell
from bench.expand import expand
from bench.metrics.scores import accuracy, boundary_iou, iou, miou
from bench.per_image import PerImage
from bench.plan import survey
from bench.store import Result, Store, write_json
from bench.suite import load_suite

SUITE = """\
name: many
datasets:
  small: {{name: phantom, size: [64, 64], train_images: 8, val_images: 4, test_images: 12}}
models:
  fcn32s: {{name: fcn, backbone: small, width: 4, stride: 32}}
  fcn16s: {{name: fcn, backbone: small, width: 4, stride: 16}}
  fcn8s: {{name: fcn, backbone: small, width: 4, stride: 8}}
  unet: {{name: unet, width: 4, depth: 2}}
augmentations:
  flips: {{flip: 0.5}}
matrix:
  dataset: [small]
  model: [fcn32s, fcn16s, fcn8s, unet]
  augmentation: [none, flips]
  fraction: [1, 1/2, 1/4, 1/8, 1/16]
  train.lr: {rates}
  seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
train: {{steps: 60, batch: 4}}
"""
IMAGES, CLASSES, KINDS = 12, 6, 64
COMMANDS = (("plan",), ("status",), ("leaderboard",))


def write_suite(folder: Path, cells: int) -> Path:
    """A suite file of at least so many cells."""
    rates = [round(0.001 * (place + 1), 6) for place in range(-(-cells // 400))]
    path = folder / "many.yaml"
    path.write_text(SUITE.format(rates=rates), encoding="utf-8")
    return path


def fill(store: Store, cells: list[Cell]) -> None:
    """Write a finished result for each cell: one of `KINDS` sets of sums, better the finer the stride."""
    rng = np.random.default_rng(0)
    truth = rng.integers(20, 400, (IMAGES, CLASSES))
    made = {(model, kind): sums_and_result(truth, skill, rng) for model, skill in _skills(cells).items() for kind in range(KINDS)}
    store.writable()
    for place, cell in enumerate(cells):
        sums, result = made[cell.model_label, place % KINDS]
        folder = store.folder(cell.id)
        folder.mkdir(exist_ok=True)
        write_json(folder / "cell.json", cell.to_json())
        (folder / "per_image.npz").write_bytes(sums)
        full = Result(cell_id=cell.id, cell=cell.to_json(), **result)
        (folder / "result.json").write_text(full.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _skills(cells: list[Cell]) -> dict[str, float]:
    labels = list(dict.fromkeys(cell.model_label for cell in cells))
    return {label: 0.5 + 0.4 * place / len(labels) for place, label in enumerate(labels)}


def sums_and_result(truth: np.ndarray, skill: float, rng: np.random.Generator) -> tuple[bytes, dict[str, Any]]:
    """The sums of one cell as they lie on the disk, and its result without the cell."""
    counts = np.zeros((IMAGES, CLASSES, CLASSES), np.int64)
    for image in range(IMAGES):
        for label in range(CLASSES):
            right = rng.binomial(truth[image, label], skill)
            counts[image, label] = rng.multinomial(truth[image, label] - right, np.full(CLASSES, 1 / CLASSES))
            counts[image, label, label] += right
    hits = np.diagonal(counts, axis1=1, axis2=2)
    bands = -(-np.stack([hits, counts.sum(1) + counts.sum(2) - hits], axis=-1) // 10)
    trimap = np.zeros((IMAGES, 41, 3, CLASSES), np.int64)
    trimap[:, 0] = np.stack([hits, counts.sum(2), counts.sum(1)], axis=1)
    contours, objects = np.zeros((IMAGES, CLASSES, 4), np.int64), np.zeros((IMAGES, 9, 4, CLASSES), np.int64)
    ids = tuple(f"image{place}" for place in range(IMAGES))
    sums = PerImage(ids, counts, bands, trimap, contours, contours, objects, np.full(IMAGES, 3), 1.0)
    with tempfile.TemporaryDirectory() as folder:
        sums.write(Path(folder) / "sums.npz")
        written = (Path(folder) / "sums.npz").read_bytes()
    total, band = counts.sum(0), bands.sum(0)
    values = {"iou": iou(total), "boundary_iou": boundary_iou(band), "accuracy": accuracy(total)}
    result = {
        "metrics": {"miou": float(miou(total)), "boundary_iou": float(np.nanmean(boundary_iou(band)))},
        "per_class": {name: {f"class{at}": float(value) for at, value in enumerate(row)} for name, row in values.items()},
        "curves": {"trimap_iou": [0.5] * 41, "error_by_distance": None, "object_iou": None},
        "chosen": {"rule": "best", "step": 60, "val_miou": 0.5},
        "model": {"output_stride": 8, "receptive_field_px": 61, "parameters": 1000},
        "profile": {"device": "cpu", "precision": "fp32", "height_px": 64, "width_px": 64, "batch": 1, "images_per_s": 9.0},
        "data": {"test_images": IMAGES, "train_images": 8, "boundary_width_px": [3, 3]},
        "seconds": {"train_s": 1.0, "evaluate_s": 0.1, "profile_s": 0.1},
        "environment": {"device": "cpu", "threads": 1, "torch": "2"},
        "finished": "2026-01-01T00:00:00+00:00",
    }
    return written, result


def build(folder: Path, cells: int) -> Path:
    """A suite file and, beside it, the store ``runs`` with a result for each of its cells; returns the file."""
    path = write_suite(folder, cells)
    store = Store(folder / "runs")
    plan = survey(expand(load_suite(path)), folder, store)
    fill(store, plan.cells)
    return path


def timed(suite: Path, *command: str) -> float:
    """Seconds of wall time that a command takes, its process and output included."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "bench", *command, str(suite), "--store", str(suite.parent / "runs")],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--limit-s", type=float, default=2.0)
    parser.add_argument("--store", type=Path, help="Folder to keep what is made. Unset: a temporary one.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.store or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        suite = folder / "many.yaml" if (folder / "many.yaml").exists() else build(folder, asked.cells)
        shutil.rmtree(suite.parent / "runs/cache/tables", ignore_errors=True)
        print(f"leaderboard of results that no run has ended with: {timed(suite, 'leaderboard'):.2f} s")
        shutil.rmtree(suite.parent / "runs/cache/tables", ignore_errors=True)  # a table that was made at once is not kept
        print(f"run, which finds nothing to do: {timed(suite, 'run', '--tracking', 'off'):.2f} s")
        slow = 0
        for command in COMMANDS:
            seconds = sorted(timed(suite, *command) for _ in range(3))
            slow += seconds[1] > asked.limit_s
            print(f"{' '.join(command)}: median {seconds[1]:.2f} s of {', '.join(f'{each:.2f}' for each in seconds)}")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()

"""Tiny suites, the command that runs them, and what two stores are compared by."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FEW = """\
name: few
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  fcn: {name: fcn, backbone: small, width: 4, stride: 8, dropout: 0.1}
  unet: {name: unet, width: 4, depth: 2}
matrix:
  dataset: [small]
  model: [fcn, unet]
train: {steps: 12, batch: 4, optimizer: adamw, lr: 0.003, val_every: 4}
eval: {batch: 4}
profile: {size: [32, 32], batch: 1, warmup: 0, rounds: 1}
"""


def command(*arguments: object) -> list[str]:
    """The command line of `bench`."""
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def environment(*folders: Path) -> dict[str, str]:
    """One thread a process, and further folders to import from."""
    clean = {key: value for key, value in os.environ.items() if key not in ("BENCH_STORE", "BENCH_DATA", "MLFLOW_TRACKING_URI")}
    return {**clean, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders)))}


def scores(store: Path) -> dict[str, Any]:
    """Everything about results that must not depend on how the run went."""
    table = {}
    for path in sorted(store.glob("cells/*/result.json")):
        result = json.loads(path.read_text())
        with np.load(path.parent / "per_image.npz") as sums:
            arrays = {name: sums[name].tobytes() for name in sums.files if name != "seconds"}
        lines = [json.loads(line) for line in (path.parent / "curve.jsonl").read_text().splitlines()]
        curve = [(line["step"], line.get("loss"), line.get("val_miou")) for line in lines]
        table[path.parent.name] = (result["metrics"], result["per_class"], result["chosen"], arrays, curve)
    return table


def files(store: Path) -> set[str]:
    """The files of a store, by path."""
    return {path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()}

"""A suite of three models on made results, for tests of what is exported: scores chosen, names as hostile as one likes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.plan import survey
from bench.store import Failure, Store, write_json
from tests.made_results import confusions, put, suite

HOSTILE = {
    "ours": r"[a] & b% \input{/etc/passwd} $x_1^2$ {#1} ~ <script>alert('x')</script> | -- *",
    "twin": "é ß µ 中文 \"quoted\" 'q' `b` ?` \u202e",
    "poor": "42",
}
PLAIN = {name: name for name in HOSTILE}
SPEED = {
    "device": "CPU: <X>", "precision": "fp32", "height_px": 96, "width_px": 96, "batch": 8, "threads": 2, "images_per_s": 100.25,
    "latency_ms": 5.0, "flops": 7e7, "peak_memory_gib": 0.5,
}  # fmt: skip


def made(
    folder: Path, names: Mapping[str, str], right: Mapping[str, float | str], *, title: str = "A made suite", **more: Any
) -> tuple[Path, Store]:
    """A suite file and its store: ``right`` is each model's share of right pixels, or why all its seeds failed.

    Models with the same share have the same results, image by image.
    """
    fcn = {"name": "fcn", "backbone": "small"}
    models = {
        names["ours"]: {**fcn, "stride": 8},
        names["twin"]: {"name": "unet", "width": 4},
        names["poor"]: {**fcn, "stride": 32},
    }
    matrix = {"dataset": ["phantom"], "model": list(models), "seed": [0, 1]}
    folder.mkdir(exist_ok=True)
    cells, store = suite(folder, json.dumps({"name": "made", "title": title, "models": models, "matrix": matrix}))
    truth = np.random.default_rng(9).integers(50, 400, (40, 3))
    by_label = {names[key]: key for key in names}
    for cell in survey(cells, folder, store).cells:
        share = right[by_label[cell.model_label]]
        if isinstance(share, str):
            failure = Failure(cell_id=cell.id, cause=share, message="x", finished="2026-01-01").model_dump()
            write_json(store.open_cell(cell) / "failed.json", failure)
        else:
            counts = confusions(truth, np.full(40, share), np.random.default_rng([int(share * 1000), cell.seed]))
            put(store, cell, counts, stride=getattr(cell.model, "stride", 1), profile=SPEED, **more)
    return folder / "made.yaml", store

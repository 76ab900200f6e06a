"""A store as large as one likes, drawn from a seed: for tests and timings of what reads many results."""

import json
from pathlib import Path

import numpy as np

from bench.expand import expand
from bench.store import Store, write_json
from bench.suite import load_suite
from tests.made_results import PRINTS, confusions, put

SUITE = """\
name: many
models:
  fcn32s: {name: fcn, backbone: small, width: 8, stride: 32}
  fcn16s: {name: fcn, backbone: small, width: 8, stride: 16}
  fcn8s: {name: fcn, backbone: small, width: 8, stride: 8}
  fcn4s: {name: fcn, backbone: small, width: 8, stride: 4}
  wide32s: {name: fcn, backbone: resnet18, stride: 32}
  wide16s: {name: fcn, backbone: resnet18, stride: 16}
  wide8s: {name: fcn, backbone: resnet18, stride: 8}
  unet: {name: unet, width: 8, depth: 4}
  unet2: {name: unet, width: 8, depth: 4, stride: 2}
  unet4: {name: unet, width: 8, depth: 4, stride: 4}
augmentations:
  flips: {flip: 0.5}
  colours: {colour: 0.2}
  standard: {flip: 0.5, scale: [0.8, 1.25], colour: 0.2}
  elastic: {elastic_px: 4}
matrix:
  dataset: [phantom]
  model: [fcn32s, fcn16s, fcn8s, fcn4s, wide32s, wide16s, wide8s, unet, unet2, unet4]
  augmentation: [none, flips, colours, standard, elastic]
  fraction: [1, 1/2, 1/4, 1/8, 1/16]
  seed: [0, 1, 2, 3]
"""
CLASSES, IMAGES = 7, 120


def make(folder: Path, cells: int = 1000) -> Store:
    """A store with so many finished cells of one suite, and a training curve each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "many.yaml"
    path.write_text(SUITE, encoding="utf-8")
    store, chance = Store(folder / "runs"), np.random.default_rng(0)
    truth = chance.integers(0, 3000, (IMAGES, CLASSES))
    chosen = [cell.seen(PRINTS) for cell in expand(load_suite(path))][:cells]
    for cell in chosen:
        stride = getattr(cell.model, "stride", 1)
        level = 0.9 - 0.06 * np.log2(stride) - 0.02 * np.log2(1 / cell.fraction) + 0.02 * (cell.augmentation_label != "none")
        right = np.clip(chance.normal(level + 0.01 * chance.normal(), 0.05, IMAGES), 0, 1)
        widths = {"trimap_iou": np.linspace(level / 2, level, 40).tolist()}
        widths["error_by_distance"] = {
            "edge_strides": [0.25, 0.5, 1.0, None],
            "error": [0.4, 0.2, 0.1, 0.0],
            "share": [0.2, 0.3, 0.3, 0.2],
        }
        widths["object_iou"] = {"side_px": [0, 2, 4], "miou": [0.1, level / 2, level], "objects": [3, 5, 9], "per_class": {}}
        ceiling = {
            "stride": stride,
            "protocol": "calibrated",
            "miou": 1 - 0.02 * np.log2(stride),
            "boundary_iou": 1 - 0.1 * np.log2(stride),
        }
        speed = {"device": "CPU: X", "precision": "fp32", "height_px": 96, "width_px": 96, "batch": 8, "threads": 2}
        speed |= {
            "images_per_s": 200 + 20 * np.log2(stride),
            "latency_ms": 5.0 + 3 / stride,
            "flops": 7e7 + 1e8 / stride,
            "peak_memory_gib": 0.5,
        }
        put(
            store, cell, confusions(truth, right, chance), stride=stride, curves=widths, ceiling=ceiling, profile=speed,
            train_images=round(400 * cell.fraction),
        )  # fmt: skip
        lines = [{"step": step, "loss": 2 * 0.99**step, "lr": 0.01, "seconds": 0.3} for step in range(10, 351, 10)]
        lines += [{"step": step, "val_miou": level * step / 350} for step in range(70, 351, 70)]
        (store.folder(cell.id) / "curve.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        write_json(store.folder(cell.id) / "train_ids.json", [f"train_{place:06}" for place in range(round(400 * cell.fraction))])
    store.note_suite("many", path, chosen)
    return store

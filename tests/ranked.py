"""Trainings in miniature that a single process and several ranks do alike; `python -m tests.ranked FOLDER` is one rank of them."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.checkpoint import TrainState
from bench.data.batches import Batches
from bench.data.cache import Cache
from bench.evaluate import count, evaluate
from bench.models import build_model
from bench.ranks import Ranks, join_ranks
from bench.specs import AugmentationSpec, EvalSpec, FcnSpec, TrainSpec, UnetSpec
from bench.train import build_optimizer, train
from tests.test_data_augment import packed

IMAGES, SIDE, CLASSES, COUNT = 7, 40, 4, 2
BORDER: Any = {"objects": ["b"], "w0": 5.0}
UNET = UnetSpec(name="unet", width=4, depth=2, norm="none")
FCN = FcnSpec(name="fcn", backbone="vgg11", stride=8, head_width=8, dropout=0.0)


class Idle(nn.Module):
    """A model with a parameter that its output does not depend on."""

    output_stride, margin = 1, 0

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Conv2d(3, CLASSES, 3, padding=1), nn.Conv2d(3, CLASSES, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.used(images)


SCENES: dict[str, tuple[Any, dict[str, Any]]] = {
    "unet": (UNET, {}),
    "fcn": (FCN, {"optimizer": "sgd", "lr": 0.01}),
    "border, weights, smoothing": (
        UNET,
        {"border_weights": BORDER, "class_weights": "median_frequency", "label_smoothing": 0.1},
    ),
    "sum": (UNET, {"loss": "sum", "lr": 1e-5, "optimizer": "sgd"}),
    "valid": (UnetSpec(name="unet", width=2, depth=1, norm="none", padding="valid"), {}),
    "unused": (Idle, {"weight_decay": 0.5}),
}


def cache() -> Cache:
    """Seven images; one is void but for its corner, so that no two slices of a batch have as many annotated pixels."""
    chance = np.random.default_rng(3)
    labels = [chance.integers(0, CLASSES, (SIDE, SIDE), np.uint8) for _ in range(IMAGES)]
    for index, label in enumerate(labels):
        label[index * 5 :] = 255
        label[0] = index % CLASSES
    images = [chance.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(IMAGES)]
    terms = torch.from_numpy(chance.random(IMAGES * SIDE * SIDE).astype(np.float16))
    return replace(packed(images, labels), border=terms)


def trained(scene: str, ranks: Ranks) -> dict[str, Any]:
    """Losses, weights and counts of a few steps."""
    spec, fields = SCENES[scene]
    base = {"steps": 5, "batch": 4, "crop": 32, "optimizer": "adamw", "lr": 1e-3, "devices": ranks.size}
    recipe = TrainSpec(**{**base, **fields})
    data = cache() if recipe.border_weights else replace(cache(), border=None)
    augmentation = AugmentationSpec(flip=0.5, scale=(0.8, 1.25), colour=0.2, noise=3.0, elastic_px=2.0)
    torch.manual_seed(0)
    model = spec() if isinstance(spec, type) else build_model(spec, CLASSES)
    batches = Batches(data, np.arange(IMAGES), recipe, augmentation, 0, ranks.part(recipe.batch))
    lines: list[dict[str, Any]] = []
    weights = torch.tensor([0.5, 2.0, 1.0, 4.0]) if recipe.class_weights != "none" else None
    state = TrainState(model, build_optimizer(model, recipe))
    silent: Any = {"save": lambda state: None, "should_save": lambda: False, "should_stop": lambda: ranks.any(False)}
    train(state, batches, recipe, seed=0, class_weights=weights, log=lines.append, validate=None, ranks=ranks, **silent)
    return {"losses": [line["loss"] for line in lines], "weights": {k: v.cpu() for k, v in model.state_dict().items()}}


def scored(ranks: Ranks, batch: int) -> dict[str, np.ndarray]:
    """All sums of the seven images under weights that the seed has drawn."""
    torch.manual_seed(1)
    model, spec = build_model(UNET, CLASSES), EvalSpec(batch=batch)
    kept: list[str] = []
    sums = evaluate(model, cache(), spec, num_classes=CLASSES, keep=lambda name, labels: kept.append(name), ranks=ranks)
    arrays = {name: value for name, value in vars(sums).items() if isinstance(value, np.ndarray)}
    counted = count(model, cache(), spec, num_classes=CLASSES, ranks=ranks)
    return {**arrays, "validation": counted, "kept": np.array(kept, dtype=int)}


def work(ranks: Ranks) -> dict[str, Any]:
    """Everything that is compared."""
    found: dict[str, Any] = {scene: trained(scene, ranks) for scene in SCENES}
    found |= {f"scored by {batch}": scored(ranks, batch) for batch in (1, 2, 16)}
    return {**found, "agreed": ranks.any(ranks.rank == ranks.size - 1), "nobody": ranks.any(False)}


def by_ranks(folder: Path) -> list[dict[str, Any]]:
    """The work of two ranks, begun as torchrun begins them; what each of them found."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = str(Path(__file__).resolve().parents[1])
    shared = {"WORLD_SIZE": str(COUNT), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    line = [sys.executable, "-m", "tests.ranked", str(folder)]
    started = [
        subprocess.Popen(
            line, cwd=root, env={**os.environ, **shared, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "RANK": str(rank)}
        )
        for rank in range(COUNT)
    ]
    assert [each.wait(timeout=240) for each in started] == [0] * COUNT
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(COUNT)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    mine = join_ranks(torch.device("cpu"))
    torch.save(work(mine), Path(sys.argv[1]) / f"{mine.rank}.pt")
    torch.distributed.destroy_process_group()

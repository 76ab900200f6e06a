"""Scoring a model, or label maps that were kept of it, on a split at native resolution."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.data.batches import by_size, whole_images
from bench.data.cache import Cache
from bench.errors import BenchError
from bench.metrics.boundary import boundary_width
from bench.metrics.confusion import confusion
from bench.metrics.measure import measure
from bench.models.tiles import overlap_tiles
from bench.per_image import PerImage
from bench.predictions import read_predictions
from bench.ranks import ALONE, Ranks
from bench.specs import EvalSpec

TRIMAP_PX = 40
"""Widest trimap of the curve."""
Batch = tuple[np.ndarray, Tensor, Tensor]
"""Indices of the images, their predictions and their labels, (B, H, W) uint8 both."""
Keep = Callable[[str, np.ndarray], None]


def evaluate(
    model: nn.Module,
    cache: Cache,
    spec: EvalSpec,
    *,
    num_classes: int,
    keep: Keep | None = None,
    heed: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> PerImage:
    """Predict every image of a cache at its own size, in groups of one size, and sum all that scores are made of.

    The model is left in evaluation mode. Pixels in the margin of a model without padding are scored by mirrored borders.
    ``keep`` is handed the name and the (H, W) uint8 label map of every image; ``heed`` is called between batches and may raise.

    Several ``ranks`` share out the batches, whole, so that each image is scored once and in the company it has in one process;
    every rank returns all sums, and is handed the label maps of its own images to keep.
    """
    batches = _predicted(model, cache, spec, heed, ranks)
    return gather(batches, cache.ids, spec.boundary_ratio, num_classes, keep, ranks)


def rescore(kept: Path, cache: Cache, spec: EvalSpec, *, num_classes: int) -> PerImage:
    """The same sums from label maps that an earlier evaluation kept; raises BenchError for maps that do not fit the labels."""
    return gather(_kept(kept, cache, spec), cache.ids, spec.boundary_ratio, num_classes)


def count(
    model: nn.Module,
    cache: Cache,
    spec: EvalSpec,
    *,
    num_classes: int,
    heed: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> np.ndarray:
    """Confusion counts (N, C, C) alone: what a validation needs. ``heed`` and ``ranks`` are as for `evaluate`."""
    counts = np.zeros((len(cache), num_classes, num_classes), np.int64)
    for indices, preds, labels in _predicted(model, cache, spec, heed, ranks):
        counts[indices] = confusion(preds, labels, num_classes).cpu()
    return ranks.summed({"counts": counts})["counts"]


def gather(
    batches: Iterable[Batch],
    ids: tuple[str, ...],
    boundary_ratio: float,
    num_classes: int,
    keep: Keep | None = None,
    ranks: Ranks = ALONE,
) -> PerImage:
    """The sums of all images, which the batches bring in any order; on the device until the last one is in."""
    gathered: dict[str, Tensor] = {}
    widths = np.zeros(len(ids), np.int64)
    for indices, preds, labels in batches:
        sums = measure(preds, labels, num_classes, boundary_ratio=boundary_ratio, radius=TRIMAP_PX, objects=True)
        height, width = labels.shape[1:]
        widths[indices] = boundary_width(height, width, boundary_ratio)
        where = torch.from_numpy(indices).to(labels.device)
        for name, batch in vars(sums).items():
            if name not in gathered:
                gathered[name] = batch.new_zeros(len(ids), *batch.shape[1:])
            gathered[name][where] = batch
        if keep:
            for index, each in zip(indices, preds.cpu().numpy(), strict=True):
                keep(ids[int(index)], each)
    own = {name: each.cpu().numpy() for name, each in gathered.items()}
    arrays: dict[str, Any] = ranks.summed({"widths_px": widths, **own})
    return PerImage(ids, **arrays)


def _predicted(model: nn.Module, cache: Cache, spec: EvalSpec, heed: Callable[[], None], ranks: Ranks) -> Iterator[Batch]:
    model.eval()
    device = next(model.parameters()).device
    groups = list(by_size(cache.sizes, spec.batch))
    for begin in range(0, len(groups), ranks.size):
        heed()  # by all ranks equally often, though the last round may have nothing for some
        for indices in groups[begin + ranks.rank : begin + ranks.rank + 1]:
            images, labels = whole_images(cache, indices, device)
            yield indices, predict(model, images, spec.precision, spec.tile), labels


def _kept(path: Path, cache: Cache, spec: EvalSpec) -> Iterator[Batch]:
    for indices in by_size(cache.sizes, spec.batch):
        labels = cache.whole(indices)[1]
        maps = read_predictions(path, [cache.ids[index] for index in indices])
        for index, each in zip(indices, maps, strict=True):
            if each.shape != tuple(cache.sizes[index]):
                raise BenchError(f"{path}: {cache.ids[index]} is {each.shape} pixels and its labels {tuple(cache.sizes[index])}")
        yield indices, torch.from_numpy(np.stack(maps)).to(labels.device), labels


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, precision: str, tile: tuple[int, int] | None = None) -> Tensor:
    """(B, H, W) uint8 class map of a (B, 3, H, W) batch, in tiles of (height, width) px where a model has a margin."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        # The maximum's index is argmax's, up to four times as fast on a CPU.
        if not getattr(model, "margin", 0):
            return model(images).max(1).indices.to(torch.uint8)
        preds = torch.empty(images.shape[0], *images.shape[-2:], dtype=torch.uint8, device=images.device)
        for rows, columns, logits in overlap_tiles(model, images, tile):
            preds[:, rows, columns] = logits.max(1).indices.to(torch.uint8)
    return preds

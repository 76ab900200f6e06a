"""Scoring a model on a split at native resolution."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.data.batches import by_size, whole_images
from bench.data.cache import Cache
from bench.metrics.boundary import boundary_iou_sums, boundary_width
from bench.metrics.confusion import confusion
from bench.specs import EvalSpec


@dataclass(frozen=True)
class Scores:
    """Per-image sums, in the order of the cache, from which every score is made without the model."""

    counts: np.ndarray
    """(N, C, C) pixels by (truth, prediction)."""
    boundary: np.ndarray | None
    """(N, C, 2) intersection and union of the boundary bands in pixels, or None where they were not asked for."""
    widths_px: np.ndarray | None
    """(N,) width of the band in each image."""


@torch.inference_mode()
def evaluate(model: nn.Module, cache: Cache, spec: EvalSpec, *, num_classes: int, boundary: bool = True) -> Scores:
    """Predict every image of a cache at its own size, in groups of one size, and count.

    The model is left in evaluation mode. Pixels in the margin of a model without padding are scored by mirrored borders.
    """
    model.eval()
    device = next(model.parameters()).device
    count = len(cache)
    counts = torch.zeros(count, num_classes, num_classes, dtype=torch.int64, device=device)
    bands = torch.zeros(count, num_classes, 2, dtype=torch.int64, device=device)
    widths = np.zeros(count, np.int64)
    for indices in by_size(cache.sizes, spec.batch):
        images, labels = whole_images(cache, indices)
        images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        preds = predict(model, images, spec.precision)
        where = torch.from_numpy(indices).to(device)
        counts[where] = confusion(preds, labels, num_classes)
        if boundary:
            height, width = labels.shape[1:]
            widths[indices] = boundary_width(height, width, spec.boundary_ratio)
            bands[where] = boundary_iou_sums(preds, labels, num_classes, int(widths[indices[0]]))
    return Scores(counts.cpu().numpy(), bands.cpu().numpy() if boundary else None, widths if boundary else None)


def predict(model: nn.Module, images: Tensor, precision: str) -> Tensor:
    """(B, H, W) uint8 class map of a (B, 3, H, W) batch."""
    margin = int(getattr(model, "margin", 0))
    if margin:
        images = nn.functional.pad(images, (margin,) * 4, mode="reflect")
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = model(images)
    return logits.argmax(1).to(torch.uint8)

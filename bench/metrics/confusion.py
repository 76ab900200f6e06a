"""Confusion counts per image: what every area-based score is summed from."""

import torch
from torch import Tensor


def confusion(preds: Tensor, labels: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """Count pixels by (truth, prediction) in every image: (N, H, W) twice -> (N, C, C) int64, rows = truth.

    Maps are uint8 (fastest) or any signed integer type. Pixels whose label is ``ignore_index`` are left out, whatever is
    predicted there. Integer counts, so the result does not depend on the device, the order or the split into batches.
    AssertionError for shapes that differ, and for labels or counted predictions outside [0, C).
    """
    assert preds.shape == labels.shape and labels.ndim == 3, f"preds {tuple(preds.shape)}, labels {tuple(labels.shape)}"
    truth, guess = encode_labels(labels, num_classes, ignore_index), encode_preds(preds, num_classes)
    counts = joint_counts(truth, guess, rows=num_classes + 2, columns=num_classes + 1)
    # The spare row and column hold what lies outside the classes: looking there spares a pass over the pixels.
    strays = counts[:, num_classes + 1].sum() + counts[:, 1:-1, num_classes].sum()
    assert not strays, f"{int(strays)} pixels have a label or prediction outside [0, {num_classes})"
    return counts[:, 1:-1, :-1].contiguous()


def encode_labels(labels: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """Labels as 0 for void, class + 1 for a class, and C + 1 for anything else."""
    if labels.dtype == torch.uint8 and ignore_index == 255:
        return (labels + 1).clamp_(max=min(num_classes + 1, 255))  # 255 wraps round to 0: no mask, ten times faster
    wide = labels.to(torch.int64)
    wide = torch.where((wide < 0) | (wide >= num_classes), num_classes + 1, wide + 1)
    return wide.masked_fill_(labels == ignore_index, 0)


def encode_preds(preds: Tensor, num_classes: int) -> Tensor:
    """Predictions as they are, with C for anything that is no class."""
    if num_classes > 255:
        return torch.where(preds < 0, num_classes, preds.clamp(max=num_classes))
    if preds.dtype != torch.uint8:
        preds = preds.clamp(-1, 255).to(torch.uint8)  # -1 wraps round to 255
    return preds.clamp(max=num_classes)


def joint_counts(first: Tensor, second: Tensor, rows: int, columns: int) -> Tensor:
    """Histogram of value pairs in every image: (N, H, W) in [0, rows) and in [0, columns) -> (N, rows, columns) int64."""
    dtype = torch.int32 if len(first) * rows * columns < 2**31 else torch.int64
    return histogram(first.to(dtype).mul_(columns).add_(second), rows * columns).view(-1, rows, columns)


def histogram(values: Tensor, bins: int) -> Tensor:
    """Histogram of every image: (N, H, W) integers in [0, bins) -> (N, bins) int64.

    The values are overwritten, and their type must hold N * bins.
    """
    images = len(values)
    if images > 1:
        values += torch.arange(images, device=values.device, dtype=values.dtype).mul_(bins).view(-1, 1, 1)
    return torch.bincount(values.flatten(), minlength=images * bins).view(images, bins)


class ConfusionMatrix:
    """Confusion counts of a split, gathered batch by batch."""

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self._batches: list[Tensor] = []

    def update(self, preds: Tensor, labels: Tensor) -> None:
        """Add a batch of (N, H, W) maps; batches may differ in size."""
        self._batches.append(confusion(preds, labels, self.num_classes, self.ignore_index))

    @property
    def counts(self) -> Tensor:
        """(N, C, C) int64 on the device of the first batch, one matrix an image in the order of the updates."""
        if not self._batches:
            return torch.zeros(0, self.num_classes, self.num_classes, dtype=torch.int64)
        return torch.cat([batch.to(self._batches[0].device) for batch in self._batches])

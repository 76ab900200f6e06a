"""All sums of one batch in one call, void filled once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.metrics.boundary import area_and_band_sums, boundary_width
from bench.metrics.contour import inner_contour_sums, pair_contour_sums
from bench.metrics.objects import object_sums
from bench.metrics.trimap import distance_sums
from bench.metrics.void import fill_void
from bench.side_by_side import side_by_side


@dataclass(frozen=True)
class Sums:
    """What every score of N images is computed from; concatenate along the first axis, sum, and only then divide."""

    counts: Tensor
    """(N, C, C) pixels by (truth, prediction)."""
    bands: Tensor
    """(N, C, 2) pixels in the intersection and union of the boundary bands."""
    trimap: Tensor
    """(N, radius + 1, 3, C) hits, true and predicted pixels by distance to the nearest true boundary."""
    bf: Tensor | None
    """(N, C, 4) contour pixels of the BF score, None when not asked for."""
    davis: Tensor | None
    """(N, C, 4) contour pixels of DAVIS' F, None when not asked for."""
    objects: Tensor | None
    """(N, 9, 4, C) hits, true pixels, false pixels and objects by the side of the true object, None when not asked for."""


def measure(
    preds: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    boundary_ratio: float = 0.02,
    radius: int = 40,
    contours: bool = True,
    objects: bool = False,
    ignore_index: int = 255,
) -> Sums:
    """Everything countable of a batch: (N, H, W) twice, uint8 being fastest, on any device.

    ``radius`` is the widest trimap in px, at most 127; ``contours`` adds the sums of the BF score and of DAVIS' F,
    ``objects`` those by object size.
    AssertionError for shapes that differ, and for labels or counted predictions outside [0, C).
    """
    scene = fill_void(preds, labels, ignore_index)
    height, columns = labels.shape[-2:]
    width = boundary_width(height, columns, boundary_ratio)
    counts, bands = area_and_band_sums(scene, num_classes, width)
    return Sums(
        counts=counts,
        bands=bands,
        trimap=distance_sums(scene, num_classes, radius),
        bf=_by_image(lambda part: inner_contour_sums(scene.rows(part), num_classes), labels) if contours else None,
        davis=_by_image(lambda part: pair_contour_sums(scene.rows(part), num_classes), labels) if contours else None,
        objects=_by_image(lambda part: object_sums(preds[part], labels[part], num_classes, ignore_index), labels)
        if objects
        else None,
    )


def _by_image(sums: Callable[[slice], Tensor], labels: Tensor) -> Tensor:
    """Sums of many small steps: on a CPU image by image, so that what they leave behind stays in a core's caches."""
    if labels.device.type != "cpu":
        return sums(slice(0, len(labels)))
    return torch.cat(side_by_side(sums, len(labels)))

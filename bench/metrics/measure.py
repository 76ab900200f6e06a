"""All sums of one batch in one call, void filled once."""

import math
from dataclasses import dataclass

from torch import Tensor

from bench.metrics.boundary import area_and_band_sums, boundary_width
from bench.metrics.contour import inner_contour_sums, pair_contour_sums
from bench.metrics.trimap import distance_sums
from bench.metrics.void import fill_void


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


def measure(
    preds: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    boundary_ratio: float = 0.02,
    radius: int = 40,
    contours: bool = True,
    ignore_index: int = 255,
) -> Sums:
    """Everything countable of a batch: (N, H, W) twice, uint8 being fastest, on any device.

    ``radius`` is the widest trimap in px, at most 127; ``contours`` adds the sums of the BF score and of DAVIS' F.
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
        bf=inner_contour_sums(scene, num_classes) if contours else None,
        davis=pair_contour_sums(scene, num_classes) if contours else None,
    )


def rules(
    height: int, width: int, boundary_ratio: float = 0.02, bf_ratio: float = 0.0075, davis_ratio: float = 0.008
) -> dict[str, str]:
    """The width and the rule behind each boundary measure at one image size, to be stored with the numbers."""
    diagonal = math.hypot(height, width)
    band, disc = boundary_width(height, width, boundary_ratio), math.ceil(davis_ratio * diagonal)
    void = "void filled from the nearest label in truth and prediction"
    area = f"{void}, its pixels never counted"
    return {
        "boundary_iou": f"{band} px, {boundary_ratio:g} of the diagonal; erosion by 3x3 squares, image edge is contour; {area}",
        "trimap": f"chessboard distance to the nearest pixel of another true class, image edge is no border; {area}",
        "boundary_f1": f"below {bf_ratio * diagonal:g} px, {bf_ratio:g} of the diagonal; Euclidean, image edge is contour; {void}",
        "davis_f": f"up to {disc} px, {davis_ratio:g} of the diagonal rounded up; Euclidean, image edge is no contour; {void}",
    }

"""From per-image sums to the scores of a result: the split, its classes, and the curves behind the boundary scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.metrics import scores
from bench.per_image import PerImage
from bench.specs import EvalSpec

Number = float | None


@dataclass(frozen=True)
class Summary:
    """Scores in [0, 1]; None where there is nothing to score."""

    metrics: dict[str, Number]
    """By the names of `bench list metrics`."""
    per_class: dict[str, dict[str, Number]]
    """Metric -> class name -> score."""
    curves: dict[str, Any]
    """``trimap_iou``: mIoU within 1, 2, … px of a true boundary. ``error_by_distance``: share of wrong pixels by distance to the
    nearest true boundary in output strides, with each bin's upper edge (None: the rest) and share of the pixels. ``object_iou``:
    mIoU and IoU of each class by the side of the true object, with each stratum's smallest side and number of objects."""


def summarise(sums: PerImage, class_names: tuple[str, ...], stride: int | None) -> Summary:
    """Scores of a whole split. ``stride`` is the output stride in px, the unit of ``error_by_distance``, which needs one."""
    counts = sums.counts.sum(axis=0)
    trimap = scores.trimap_curve(sums.trimap.sum(axis=0))
    contours = {name: scores.contour_f(each) for name, each in (("boundary_f1", sums.bf), ("davis_f", sums.davis))}
    per_class = {
        "iou": scores.iou(counts),
        "accuracy": scores.accuracy(counts),
        "boundary_iou": scores.boundary_iou(sums.bands.sum(axis=0)),
        **{name: scores.class_mean(each.T) for name, each in contours.items()},
    }
    metrics = {
        "miou": scores.miou(counts),
        "fwiou": scores.fwiou(counts),
        "pixel_accuracy": scores.pixel_accuracy(counts),
        "mean_accuracy": scores.mean_accuracy(counts),
        "trimap_iou_3px": trimap[2],
        **{name: scores.class_mean(per_class[name]) for name in ("boundary_iou", *contours)},
    }
    return Summary(
        metrics={name: scores.number(value) for name, value in metrics.items()},
        per_class={name: _named(class_names, values) for name, values in per_class.items()},
        curves={
            "trimap_iou": _numbers(trimap),
            "error_by_distance": _errors(sums, stride) if stride else None,
            "object_iou": _objects(sums, class_names),
        },
    )


def scored(sums: PerImage, spec: EvalSpec) -> dict[str, Any]:
    """What was scored, and the width and rule behind each boundary score, to be stored with the numbers."""
    void = "void filled from the nearest label in truth and prediction"
    area = f"{void}, its pixels never counted"
    rules = {
        "boundary_iou": f"band of {spec.boundary_ratio:g} of the diagonal, erosion by 3x3 squares, image edge is contour; {area}",
        "trimap_iou": f"chessboard distance to the nearest pixel of another true class, image edge is no border; {area}",
        "boundary_f1": f"closer than 0.0075 of the diagonal, Euclidean, image edge is contour; {void}",
        "davis_f": f"up to 0.008 of the diagonal rounded up, Euclidean, image edge is no contour; {void}",
        "object_iou": "8-connected objects of one class, parted by void; false pixels count with the object that theirs overlaps",
    }
    widths = [int(sums.widths_px.min()), int(sums.widths_px.max())]
    return {"test_images": len(sums.ids), "boundary_width_px": widths, "rules": rules}


def _errors(sums: PerImage, stride: int) -> dict[str, list[Number]]:
    edges, error, share = scores.error_by_distance(sums.trimap.sum(axis=0), stride)
    return {"edge_strides": _numbers(edges), "error": _numbers(error), "share": _numbers(share)}


def _objects(sums: PerImage, class_names: tuple[str, ...]) -> dict[str, Any]:
    table = sums.objects.sum(axis=0)
    iou = scores.object_iou(table)
    return {
        "side_px": [0, *scores.SIDES_PX],
        "miou": _numbers(scores.class_mean(iou)),
        "objects": [int(count) for count in table[:, 3].sum(-1)],
        "per_class": {name: _numbers(values) for name, values in zip(class_names, iou.T, strict=True)},
    }


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, Number]:
    return dict(zip(names, _numbers(values), strict=True))


def _numbers(values: Any) -> list[Number]:
    return [scores.number(value) for value in values]

"""Whether the scores that a result states are those of its own sums: so a file that was edited, or is of another run, shows.

In plain Python: of a few classes, ten thousand cells take a third of the time that numpy's calls do.
"""

from collections.abc import Sequence

from bench.metrics.scores import Floats
from bench.store import Result

Score = float | None
TOLERANCE = 1e-6
"""Far more than another machine's rounding of the same sums, far less than any table shows."""


def contradiction(result: Result, areas: Floats, bands: Floats) -> str:
    """What of a result its sums (N, 3, C) of areas and (N, C, 2) of boundary bands deny, in words; "" when they bear it out.

    Checked are the number of images, all scores that are made of these sums, and those of each class.
    """
    images = result.data.get("test_images")
    if images is not None and images != len(areas):
        return f"says that {images} images were scored, and per_image.npz has the sums of {len(areas)}"
    hits, truth, preds = areas.sum(0).tolist()
    inside, union = bands.sum(0).T.tolist()
    by_class = {
        "iou": _ratios(hits, [true + predicted - hit for hit, true, predicted in zip(hits, truth, preds, strict=True)]),
        "accuracy": _ratios(hits, truth),
        "boundary_iou": _ratios(inside, union),
    }
    pixels = sum(truth)
    weighted = sum(true * (score or 0.0) for true, score in zip(truth, by_class["iou"], strict=True))
    summed = {
        "miou": _mean(by_class["iou"]),
        "mean_accuracy": _mean(by_class["accuracy"]),
        "boundary_iou": _mean(by_class["boundary_iou"]),
        "fwiou": weighted / pixels if pixels else None,
        "pixel_accuracy": sum(hits) / pixels if pixels else None,
    }
    for name, value in summed.items():
        if name in result.metrics and differ(result.metrics[name], value):
            return denied(name, result.metrics[name], value)
    for name, values in by_class.items():
        told = result.per_class.get(name) or {}
        if told and len(told) != len(values):
            return f"has the {name} of {len(told)} classes, and per_image.npz has the sums of {len(values)}"
        for (label, score), value in zip(told.items(), values, strict=False):
            if differ(score, value):
                return denied(f"{name} of {label}", score, value)
    return ""


def differ(told: Score, summed: Score) -> bool:
    """Whether a score is not the one that sums give; None is no score."""
    return told is not summed and (told is None or summed is None or not abs(told - summed) <= TOLERANCE)


def denied(name: str, told: Score, summed: Score) -> str:
    """The words for a score that its sums deny."""
    says, give = ("none" if score is None else f"{score:.6g}" for score in (told, summed))
    return f"says {name} {says}, and its own sums in per_image.npz give {give}"


def _ratios(parts: Sequence[float], wholes: Sequence[float]) -> list[Score]:
    return [part / whole if whole else None for part, whole in zip(parts, wholes, strict=True)]


def _mean(scores: Sequence[Score]) -> Score:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None

"""Ceilings: what a perfect network could score that predicts at a stride and interpolates. The protocols, and what is kept of them.

A ceiling is a property of labels alone, so it is filed under the hash of the labels, `Ceiling.labels`: every cell of a suite,
and every data set with the same labels, share it. Nothing here imports torch; `bench.ceilings.compute` and `labels` do the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.cell import digest
from bench.errors import BenchError, nearest
from bench.store import Store, read_json, write_json

PROTOCOL_VERSION = 1
"""Raised whenever the same labels would get another ceiling."""
TRIMAP_PX = 3
"""Width of the trimap that is reported."""


@dataclass(frozen=True)
class Protocol:
    """How labels become scores on the coarse grid, and these a class map of full size again."""

    reduce: Literal["centre", "mode", "shares", "fit"]
    enlarge: Literal["nearest", "bilinear"]
    summary: str
    steps: int = 0
    """Refinements of the scores after the reduction."""
    calibrated: bool = False
    """Whether each class's scores are divided by the threshold that suits it over the split (`bench.ceilings.calibrate`)."""


PROTOCOLS: dict[str, Protocol] = {
    "fit": Protocol(
        "fit",
        "bilinear",
        "scores whose bilinear enlargement is nearest, in squares, to each class's indicator; void filled from the nearest label",
    ),
    "calibrated": Protocol(
        "fit",
        "bilinear",
        "as fit, each class's scores over the threshold that suits the IoU it can reach on the split: where a class cannot be had "
        "whole, a lower one loses less",
        calibrated=True,
    ),
    "optimised": Protocol(
        "fit",
        "bilinear",
        "as fit, then 60 accelerated steps down the squared hinge loss of the enlarged scores; void is free",
        steps=60,
    ),
    "bilinear": Protocol("shares", "bilinear", "shares of the classes in each cell, void left out, enlarged bilinearly"),
    "majority_bilinear": Protocol("mode", "bilinear", "1 for the commonest class of each cell, void left out, enlarged bilinearly"),
    "majority": Protocol("mode", "nearest", "the commonest class of each cell, void left out, repeated over the cell"),
    "nearest": Protocol("centre", "nearest", "the label at the middle of each cell, repeated over the cell; void filled"),
}
DEFAULT = "calibrated"

FCN_PAPER = {4: 0.985, 8: 0.964, 16: 0.928, 32: 0.861, 64: 0.733, 128: 0.509}
"""Mean IU by factor on a subset of VOC 2011 val, called approximate (Long et al., CVPR 2015, appendix A); protocol not stated."""


class Ceiling(BaseModel):
    """The scores in [0, 1] that a protocol reaches on the labels of a split at one stride; None is a score that has no value."""

    model_config = ConfigDict(frozen=True)

    labels: str
    """Hash of the labels as they are scored, sizes and order included."""
    images: int
    num_classes: int
    stride: int
    """Side in pixels of a cell of the grid."""
    protocol: str
    protocol_version: int
    boundary_ratio: float
    """Width of Boundary IoU's band as a share of the image diagonal."""
    miou: float | None
    boundary_iou: float | None
    trimap_iou_3px: float | None
    class_iou: list[float | None]
    """The IoU of each class, in the order of the data set's classes."""


def checked_protocol(name: str) -> str:
    """The name of a protocol; raises BenchError with the nearest names for one there is not."""
    if name not in PROTOCOLS:
        raise BenchError(f"unknown protocol {name!r}.{nearest(name, PROTOCOLS)} It is one of {', '.join(PROTOCOLS)}.")
    return name


def checked_strides(strides: Sequence[int]) -> list[int]:
    """Strides in rising order, each once; raises BenchError for one below 1. A stride larger than an image is one cell."""
    for stride in strides:
        if not 1 <= stride <= 1 << 15:
            raise BenchError(f"stride {stride}: expected whole pixels from 1 to {1 << 15}. Give others, such as --strides 8 16 32.")
    return sorted(set(strides))


def path_of(store: Store, labels: str, num_classes: int, stride: int, protocol: str, boundary_ratio: float) -> Path:
    """Where a ceiling lies, or will."""
    recipe = {"protocol": protocol, "version": PROTOCOL_VERSION, "stride": stride, "boundary_ratio": boundary_ratio}
    return store.root / "ceilings" / f"{digest({**recipe, 'labels': labels, 'num_classes': num_classes})[:24]}.json"


def cached(
    store: Store, labels: str, num_classes: int, stride: int, protocol: str = DEFAULT, boundary_ratio: float = 0.02
) -> Ceiling | None:
    """A ceiling computed earlier, or None; ``labels`` is the hash in a result or from `known_labels`.

    Raises BenchError for a file that is damaged.
    """
    path = path_of(store, labels, num_classes, stride, protocol, boundary_ratio)
    if not path.exists():
        return None
    try:
        return Ceiling.model_validate(read_json(path))
    except ValidationError as error:
        raise BenchError(f"{path}: not a ceiling ({error.errors()[0]['msg']}). Remove it; it is computed again.") from None


def known_labels(store: Store, fingerprint: str, resize: Any) -> str | None:
    """The hash of the labels of a split read at a size, if `note_labels` has seen them: it spares decoding them."""
    path = _note(store, fingerprint, resize)
    try:
        known = read_json(path)["labels"] if path.exists() else None
    except (BenchError, KeyError, TypeError):  # damaged: as good as not seen, and written anew
        return None
    return known if isinstance(known, str) else None


def note_labels(store: Store, fingerprint: str, resize: Any, labels: str) -> None:
    """Remember which labels a split with this content has when it is read at this size."""
    path = _note(store, fingerprint, resize)
    if known_labels(store, fingerprint, resize) != labels:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"labels": labels})


def _note(store: Store, fingerprint: str, resize: Any) -> Path:
    size = list(resize) if resize else None
    return store.root / "ceilings" / "labels" / f"{digest({'fingerprint': fingerprint, 'resize': size})[:24]}.json"

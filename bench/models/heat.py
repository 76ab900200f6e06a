"""Where on a photograph a classifier sees a class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.errors import BenchError
from bench.models.classifiers import build_classifier, preprocessing
from bench.models.convolutionalize import convolutionalize
from bench.models.drawing import captioned, overlay, png, spread
from bench.models.shapes import host_bytes
from bench.models.walk import walk
from bench.models.weights import load_file, load_weights, weights_file


@dataclass(frozen=True)
class HeatMap:
    """Probability of a class at every unit of a classifier's grid, and where on the image the units lie."""

    values: np.ndarray
    """(h, w) in [0, 1]."""
    stride_px: tuple[float, float]
    centre_px: tuple[float, float]
    """Middle of unit (0, 0)'s window; pixel i has its middle at i."""
    field_px: tuple[int, int] | None
    """Extent of a unit's window; None where the network pools globally inside, so that all units see the whole image."""

    def facts(self) -> dict[str, Any]:
        """The map's figures as plain data."""
        unit = np.unravel_index(int(self.values.argmax()), self.values.shape)
        peak_px = [float(self.centre_px[axis] + unit[axis] * self.stride_px[axis]) for axis in (0, 1)]
        return {
            "units": list(self.values.shape),
            "stride_px": list(self.stride_px),
            "first_centre_px": list(self.centre_px),
            "field_px": list(self.field_px) if self.field_px else None,
            "peak": float(self.values.max()),
            "peak_px": peak_px,
        }


def heat_map(name: str, pixels: np.ndarray, index: int, weights: Path | None = None) -> HeatMap:
    """Slide a torchvision classifier over (H, W, 3) bytes; ``weights`` is a state dict, unset torchvision's own.

    Raises BenchError for weights that cannot be had and for a network without a convolutional form.
    """
    facts = preprocessing(name)
    classifier = build_classifier(name, meta=True)
    if weights is None:
        load_weights(classifier, name, "name a state dict of your own with --weights FILE")
    else:
        load_file(classifier, weights)
    form = convolutionalize(classifier, facts["size"])
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(facts[key])[:, None, None] for key in ("mean", "std"))
    walked = walk(form, *pixels.shape[:2])
    needed = 2 * 4 * max(step.channels * step.size[0] * step.size[1] for step in walked.steps)  # in and out of the widest layer
    if needed > host_bytes():
        raise BenchError(
            f"{name} takes {needed / 2**30:,.0f} GiB for an image of {pixels.shape[0]}x{pixels.shape[1]} px, and this machine has "
            f"{host_bytes() / 2**30:,.0f} GiB. Choose a smaller --side."
        )
    with torch.inference_mode():
        values = form((image - mean)[None] / std).softmax(1)[0, index].numpy()
    if not np.isfinite(values).all():
        raise BenchError(f"{weights or weights_file(name)}: with these weights {name} gives no numbers (NaN); choose other weights")
    rows, columns = walked.rows, walked.columns
    return HeatMap(
        values,
        (float(rows.stride), float(columns.stride)),
        (float(rows.centre_px), float(columns.centre_px)),
        None if rows.everything else (rows.size, columns.size),
    )


def draw(found: HeatMap, pixels: np.ndarray, model: str, label: str) -> bytes:
    """A PNG of the photograph under its heat map, the highest value brightest; grey is what lies in no unit's cell."""
    peak = float(found.values.max())
    laid = spread(found.values / (peak or 1.0), pixels.shape[:2], found.stride_px, found.centre_px)
    field = f"{found.field_px[0]} px" if found.field_px else "the whole image"
    lines = [
        f"{model}, {label}: at most {peak:.3f}",
        f"stride {found.stride_px[0]:g} px, first centre {found.centre_px[0]:g}, field {field}, "
        f"{found.values.shape[0]}x{found.values.shape[1]} units",
    ]
    return png(captioned(overlay(pixels, laid), lines))

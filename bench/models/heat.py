"""Where on a photograph a classifier sees a class."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.errors import BenchError
from bench.memory import host_bytes
from bench.models.classifiers import build_classifier, preprocessing
from bench.models.convolutionalize import Convolutional, convolutionalize
from bench.models.drawing import captioned, overlay, png, spread
from bench.models.trace import count_flops
from bench.models.walk import Walk, walk
from bench.models.weights import load_file, load_weights, weights_file

WORTH_TELLING = 100
"""An image of so many times the operations of one of the canonical size, some seconds of a CPU, is not begun without a word."""
PICTURE_PX = 2048
"""The longest side of a picture."""


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


def heat_map(
    name: str, pixels: np.ndarray, index: int, weights: Path | None = None, report: Callable[[str], None] = lambda text: None
) -> HeatMap:
    """Slide a torchvision classifier over (H, W, 3) bytes; ``weights`` is a state dict, unset torchvision's own.

    What takes long is told before it begins. Raises BenchError for weights that cannot be had, for a network without a
    convolutional form, and for an image that takes more memory than there is.
    """
    facts = preprocessing(name)
    classifier: Any = build_classifier(name, meta=True)
    if hasattr(classifier, "transform_input"):
        # The published weights of GoogLeNet and Inception v3 want images of another range, made of the usual one by the network.
        classifier.transform_input = True
    if weights is None:
        load_weights(classifier, name, "name a state dict of your own with --weights FILE")
    else:
        load_file(classifier, weights)
    form = convolutionalize(classifier, facts["size"])
    walked = walk(form, *pixels.shape[:2])
    tell_cost(form, walked, name, pixels.shape[:2], report)
    mean, std = (torch.tensor(facts[key])[:, None, None] for key in ("mean", "std"))
    with torch.inference_mode():
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div_(255).sub_(mean).div_(std)
        values = form(image[None]).softmax(1)[0, index].numpy()
    if not np.isfinite(values).all():
        raise BenchError(f"{weights or weights_file(name)}: with these weights {name} gives no numbers (NaN); choose other weights")
    rows, columns = walked.rows, walked.columns
    return HeatMap(
        values,
        (float(rows.stride), float(columns.stride)),
        (float(rows.centre_px), float(columns.centre_px)),
        None if rows.everything else (rows.size, columns.size),
    )


def tell_cost(form: Convolutional, walked: Walk, name: str, size: tuple[int, int], report: Callable[[str], None]) -> None:
    """Refuse an image that takes more memory than there is, and say what a large one costs."""
    height, width = size
    # Beside the image, what goes into the widest layer and what comes out.
    needed = 4 * (3 * height * width + 2 * max(step.channels * step.size[0] * step.size[1] for step in walked.steps))
    if needed > host_bytes():
        raise BenchError(
            f"{name} takes {needed / 2**30:,.0f} GiB for an image of {height}x{width} px, and this machine has "
            f"{host_bytes() / 2**30:,.0f} GiB. Choose a smaller --side."
        )
    operations = count_flops(form, size)
    times = operations / count_flops(form, form.size)
    if times > WORTH_TELLING:
        report(
            f"{height}x{width} px: {operations / 1e12:,.1f} TFLOP, {times:,.0f} times those of one "
            f"{form.size[0]}x{form.size[1]} px image, and about {needed / 2**30:,.1f} GiB of memory; a smaller --side takes less"
        )


def draw(found: HeatMap, pixels: np.ndarray, model: str, label: str) -> bytes:
    """A PNG of the photograph under its heat map, the highest value brightest; grey is what lies in no unit's cell.

    A side of more than `PICTURE_PX` is brought down to it: beyond, there is nothing more to see.
    """
    peak = float(found.values.max())
    factor = max(1.0, max(pixels.shape[:2]) / PICTURE_PX)
    height, width = (round(side / factor) for side in pixels.shape[:2])
    small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)) if factor > 1 else pixels
    stride = [each / factor for each in found.stride_px]
    # Pixel i has its middle at i, so it is half a pixel more that is divided.
    centre = [(each + 0.5) / factor - 0.5 for each in found.centre_px]
    laid = spread(found.values / (peak or 1.0), (height, width), stride, centre)
    field = f"{found.field_px[0]} px" if found.field_px else "the whole image"
    lines = [
        f"{model}, {label}: at most {peak:.3f}",
        f"stride {found.stride_px[0]:g} px, first centre {found.centre_px[0]:g}, field {field}, "
        f"{found.values.shape[0]}x{found.values.shape[1]} units",
    ]
    return png(captioned(overlay(small, laid), lines))

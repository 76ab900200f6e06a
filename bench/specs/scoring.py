"""The blocks `eval:`, `profile:` and `expected:`."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
)

from bench.specs.blocks import Count, Probability, Side, Size, Spec


class EvalSpec(Spec):
    """How a trained cell is scored."""

    choose: Literal["best", "last"] = "best"
    """The checkpoint that is reported: the best on the split `val`, or the last."""
    batch: Side = 8
    """Most images a forward pass; only images of one size share a pass, none is resized."""
    boundary_ratio: Annotated[float, Field(gt=0, lt=0.5)] = 0.02
    """Width of Boundary IoU's band as a share of the image diagonal (Cheng et al. 2021)."""
    keep_predictions: bool = False
    """Keep the predicted label maps, some kilobytes an image, for the pictures of the dashboard and for `bench rescore`."""
    precision: Literal["fp32", "bf16"] = "fp32"
    tile: Size | None = None
    """(height, width) in pixels of the tiles that a model with valid convolutions labels an image in, to bound memory; rounded up
    to the model's coarsest stride. Its logits are the same for any tiling. Unset: the image as a whole."""


class ProfileSpec(Spec):
    """How speed and cost are measured."""

    size: Size | None = None
    """(height, width) in pixels of the image that is labelled. Unset: the size of the first image of the reported split."""
    batch: Side = 8
    """Images a forward pass for the throughput."""
    precision: Literal["fp32", "bf16"] = "fp32"
    warmup: NonNegativeInt = 3
    """Passes before the clock starts."""
    rounds: Count = 20
    """Timed passes."""


class Expectation(Spec):
    """A published score that rows of a suite are held against."""

    when: Annotated[dict[str, Any], Field(min_length=1)]
    """Axis -> value, or a list of values: the rows it is for. All seeds of a row count as one."""
    metric: Literal[
        "miou", "fwiou", "pixel_accuracy", "mean_accuracy", "boundary_iou", "trimap_iou_3px", "boundary_f1", "davis_f"
    ] = "miou"
    """The score, a name of `bench list metrics`; mIoU as in FCN."""
    value: Probability
    """What was published, in [0, 1]."""
    tolerance: Annotated[float, Field(gt=0, le=1)]
    """How far a row may be off, to either side, to pass."""
    split: str | None = None
    """The split the published score is of, where the suite reports another: that is told beside the table."""
    source: Annotated[str, Field(min_length=1)]
    """Where the score was published."""

"""The blocks `augmentations:` and `train:`."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    model_validator,
)

from bench.recipes import RECIPES
from bench.specs.blocks import Count, Probability, Side, Size, Spec


class AugmentationSpec(Spec):
    """Random changes of a training sample. An empty block changes nothing."""

    flip: Probability = 0.0
    """Probability of a left-right flip."""
    scale: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    """Range of the zoom, drawn log-uniformly; 2 shows things twice as large."""
    rotate_deg: NonNegativeFloat = 0.0
    """Largest rotation to either side, in degrees."""
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest relative change of brightness, contrast and saturation."""
    noise: Annotated[float, Field(ge=0, le=255)] = 0.0
    """Standard deviation, in grey levels of 0 … 255, of Gaussian noise added to every channel of every pixel."""
    elastic_px: NonNegativeFloat = 0.0
    """Standard deviation in pixels of random vectors on a coarse 3x3 grid, joined by a bicubic field (U-Net: 10)."""

    @property
    def resamples(self) -> bool:
        """Whether pixels come to lie between those of the image."""
        return self.scale != (1.0, 1.0) or self.rotate_deg > 0 or self.elastic_px > 0

    @model_validator(mode="after")
    def _ordered(self) -> "AugmentationSpec":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} must be [smallest, largest]")
        return self


class BorderSpec(Spec):
    """U-Net's extra weight for pixels between objects that nearly touch (Ronneberger et al. 2015, equation 2)."""

    objects: Annotated[list[str], Field(min_length=1)]
    """Names of the classes whose connected components are the objects."""
    w0: NonNegativeFloat = 10.0
    """Weight, beside a class weight, of a pixel that touches two objects."""
    sigma_px: Annotated[float, Field(gt=0, le=100)] = 5.0
    """How fast the weight falls with the sum of the distances to the two nearest objects, in pixels."""


class TrainSpec(Spec):
    """How a cell is trained."""

    recipe: Literal["paper_32s", "paper_16s", "paper_8s", "paper_at_once", "modern"] | None = None
    """A published training, of which fields given beside it change a part: `bench/recipes.py` has them. An override that sets it
    starts over from it. It is a name for what it sets, and never hashed."""
    steps: Count | None = 40_000
    """Optimiser steps: a tenth of the data costs the same compute. The horizon unless `epochs` is given."""
    epochs: Count | None = None
    """Passes over the images a cell trains on, in the place of `steps`: a tenth of the data takes a tenth of the steps."""
    batch: Side = 16
    """Images a step."""
    crop: Side | Size | Literal["full"] = "full"
    """Training crop in pixels: a side, a (height, width), or "full" for whole images, of one size unless `batch` is 1."""
    sampling: Literal["epochs", "replacement"] = "epochs"
    """How images are drawn: epoch after epoch in a new order, or each time anew from all of them."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: PositiveFloat = 0.01
    """Base learning rate, for the loss as `loss` has it."""
    bias_lr_factor: PositiveFloat = 1.0
    """Rate of biases and normalisation (all one-dimensional parameters) as a multiple of `lr`; Caffe's recipes have 2."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """SGD's momentum; AdamW takes it as its first beta."""
    weight_decay: NonNegativeFloat = 5e-4
    """Decay of weights; biases and normalisation are left out of it."""
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    """How the rate falls after the warm-up: (1 - t)^0.9, half a cosine, or not at all."""
    warmup_steps: NonNegativeInt = 0
    """Steps over which the rate rises linearly from 0."""
    loss: Literal["mean", "sum"] = "mean"
    """Cross-entropy averaged over the annotated pixels of a batch, or summed: then the rate is for all pixels together."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "median_frequency"] = "none"
    """Weights of the cross-entropy; median_frequency as Eigen and Fergus 2015, over the images trained on."""
    border_weights: BorderSpec | None = None
    """Adds U-Net's border weights to those of the classes. Unset: none."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass: bf16 is autocast, with weights kept in fp32."""
    on_oom: Literal["fail", "accumulate"] = "fail"
    """When a step does not fit in memory: the cell fails, or the step takes the same batch in parts and accumulates their
    gradients, which is recorded. Refused for models with batch normalisation, whose statistics would be those of the parts."""
    devices: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs that share a cell: each takes its slice of every batch (DistributedDataParallel), with batch statistics of the whole
    one (SyncBatchNorm). `batch` stays that of a step."""
    val_every: Count | None = None
    """Steps between two validations. Unset: ten validations a training."""
    channels_last: bool = True
    """Memory layout; faster on GPUs and, for small networks, on CPUs."""
    deterministic: bool = False
    """Bit-identical repetition on CUDA, at a cost in speed; CPU training always repeats to the bit."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, data: Any) -> Any:
        """Fields beside a recipe win, and `epochs` displaces the steps of a recipe or the default."""
        if not isinstance(data, dict):
            return data
        recipe = RECIPES.get(str(data.get("recipe")), {})
        if data.get("epochs") is not None:
            recipe = {**recipe, "steps": None}
        return {**recipe, **data}

    @model_validator(mode="after")
    def _one_horizon(self) -> "TrainSpec":
        if self.steps is not None and self.epochs is not None:
            raise ValueError(f"steps is {self.steps} and epochs is {self.epochs}; set one of them to null")
        if self.steps is None and self.epochs is None:
            raise ValueError("neither steps nor epochs is given; one of them ends a training")
        return self

    @model_validator(mode="after")
    def _even_slices(self) -> "TrainSpec":
        if self.batch % self.devices:
            near = [
                each for each in (self.batch // self.devices * self.devices, -(-self.batch // self.devices) * self.devices) if each
            ]
            shared = [each for each in range(1, 65) if self.batch % each == 0]
            fewer = max(each for each in shared if each < self.devices)
            raise ValueError(
                f"batch is {self.batch}, which {self.devices} devices cannot share evenly; set batch to "
                f"{' or '.join(map(str, near))}, or devices to {fewer}"
            )
        if self.devices > 1 and self.on_oom == "accumulate":
            raise ValueError(
                "on_oom is 'accumulate' and devices is above 1; memory may run out on one of them alone, so set on_oom: fail and "
                "more devices, or a smaller batch"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainSpec":
        if self.steps is not None and self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps is {self.warmup_steps} and must be below steps, {self.steps}; set it as well")
        return self

"""The vocabulary of a suite file: one frozen class a block, one docstring a field.

The docstrings become the descriptions of the JSON Schema (`bench schema`), so an editor shows them while a suite is written.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    Tag,
    model_validator,
)

# Bounds beyond anything sensible: a slip of the finger is a message, not a machine without memory.
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
Images = Annotated[int, Field(gt=0, le=1_000_000)]
Side = Annotated[int, Field(gt=0, le=32_768)]
Size = tuple[Side, Side]
Probability = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """A frozen block of a suite in which every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class FcnSpec(Spec):
    """A fully convolutional network with skips (Long et al. 2015)."""

    name: Literal["fcn"]
    backbone: Literal["small", "vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50"] = "vgg16"
    """The classifier whose convolutional part is the trunk."""
    stride: Literal[32, 16, 8] = 8
    """Stride in pixels of the finest grid on which classes are scored: 32 for FCN-32s, 8 for FCN-8s."""
    weights: Literal["imagenet"] | None = None
    """Where the trunk starts: "imagenet" for torchvision's own files, nothing for random weights."""
    width: Side = 8
    """Channels of the first stage of the `small` backbone; stages double up to eight times as many."""
    head_width: Side | None = None
    """Channels of fc6 and fc7. Unset: 4096 for the VGG trunks as in the paper, the trunk's last width for all others."""
    dropout: Probability = 0.5
    """Dropout after fc6 and after fc7."""
    upsampling: Literal["fixed", "learned"] = "learned"
    """All upsampling is bilinear at the start; "learned" trains the 2x steps between skips, as the paper has it."""

    @model_validator(mode="after")
    def _small_has_no_weights(self) -> "FcnSpec":
        if self.backbone == "small" and self.weights:
            raise ValueError("the `small` backbone has no ImageNet weights; leave `weights` out or choose another backbone")
        return self


class UnetSpec(Spec):
    """A U-Net with padded convolutions (Ronneberger et al. 2015)."""

    name: Literal["unet"]
    width: Side = 64
    """Channels of the first level; every level below has twice as many."""
    depth: Annotated[int, Field(ge=1, le=7)] = 4
    """Number of poolings."""
    norm: Literal["batch", "none"] = "batch"
    """Batch normalisation after every 3x3 convolution, or none as published."""
    dropout: Probability = 0.0
    """Dropout at the end of the contracting path."""


def _model_tag(value: Any) -> str | None:
    return value.get("name") if isinstance(value, dict) else getattr(value, "name", None)


class ExternalSpec(Spec):
    """A model trained elsewhere, of which only its predictions are known. `bench score` makes it; a suite cannot name it."""

    name: Literal["external"] = "external"
    predictions: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the scored label maps."""
    stride: Side | None = None
    """Output stride in pixels, as stated by whoever entered the model."""


ModelSpec = Annotated[Annotated[FcnSpec, Tag("fcn")] | Annotated[UnetSpec, Tag("unet")], Discriminator(_model_tag)]


class DatasetSpec(Spec):
    """A data set, the splits used of it, and the size it is read at."""

    name: str
    """A name that `bench list datasets` prints."""
    train: str | None = None
    """Split trained on. Unset: the data set's own convention."""
    val: str | None = None
    """Split on which the best checkpoint is chosen. Unset: the data set's own convention."""
    test: str | None = None
    """Split that is reported. Unset: the data set's own convention."""
    resize: Size | None = None
    """(height, width) in pixels that images (area-averaged) and labels (nearest) are brought to before anything else."""


class PhantomSpec(DatasetSpec):
    """The embedded resolution chart."""

    name: Literal["phantom"]
    size: Size = (96, 96)
    """(height, width) in pixels of every generated image."""
    train_images: Images = 400
    """Number of images in the split `train`."""
    val_images: Images = 60
    """Number of images in the split `val`."""
    test_images: Images = 120
    """Number of images in the split `test`."""
    data_seed: NonNegativeInt = 0
    """Seed of the generator; another seed is another data set."""


def _dataset_tag(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return "phantom" if name == "phantom" else "files"


AnyDatasetSpec = Annotated[
    Annotated[PhantomSpec, Tag("phantom")] | Annotated[DatasetSpec, Tag("files")], Discriminator(_dataset_tag)
]


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
    elastic_px: NonNegativeFloat = 0.0
    """Standard deviation in pixels of random vectors on a coarse 3x3 grid, joined by a bicubic field (U-Net: 10)."""

    @model_validator(mode="after")
    def _ordered(self) -> "AugmentationSpec":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} must be [smallest, largest]")
        return self


class TrainSpec(Spec):
    """How a cell is trained."""

    steps: Count = 40_000
    """Optimiser steps: the only training horizon, so that a tenth of the data costs the same compute."""
    batch: Side = 16
    """Images a step."""
    crop: Side | Size | Literal["full"] = "full"
    """Training crop in pixels: a side, a (height, width), or "full" for whole images of one size."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: PositiveFloat = 0.01
    """Base learning rate for a loss averaged over pixels."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """SGD's momentum; AdamW takes it as its first beta."""
    weight_decay: NonNegativeFloat = 5e-4
    """Decay of weights; biases and normalisation are left out of it."""
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    """How the rate falls after the warm-up: (1 - t)^0.9, half a cosine, or not at all."""
    warmup_steps: NonNegativeInt = 0
    """Steps over which the rate rises linearly from 0."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "median_frequency"] = "none"
    """Weights of the cross-entropy; median_frequency as Eigen and Fergus 2015, over the images trained on."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass: bf16 is autocast, with weights kept in fp32."""
    val_every: Count | None = None
    """Steps between two validations. Unset: ten validations a training."""
    channels_last: bool = True
    """Memory layout; faster on GPUs and, for small networks, on CPUs."""
    deterministic: bool = False
    """Bit-identical repetition on CUDA, at a cost in speed; CPU training always repeats to the bit."""

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainSpec":
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps is {self.warmup_steps} and must be below steps, {self.steps}; set it as well")
        return self


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


class ProfileSpec(Spec):
    """How speed and cost are measured."""

    size: Size | None = None
    """(height, width) in pixels of the input. Unset: the size of the first image of the reported split."""
    batch: Side = 8
    """Images a forward pass for the throughput."""
    precision: Literal["fp32", "bf16"] = "fp32"
    warmup: NonNegativeInt = 3
    """Passes before the clock starts."""
    rounds: Count = 20
    """Timed passes."""

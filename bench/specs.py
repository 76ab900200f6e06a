"""The vocabulary of a suite file: one frozen class a block, one docstring a field.

The docstrings become the descriptions of the JSON Schema (`bench schema`), so an editor shows them while a suite is written.
"""

import re
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    Tag,
    field_serializer,
    field_validator,
    model_validator,
)

from bench.recipes import RECIPES

# Bounds beyond anything sensible: a slip of the finger is a message, not a machine without memory.
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
Images = Annotated[int, Field(gt=0, le=1_000_000)]
Side = Annotated[int, Field(gt=0, le=32_768)]
Size = tuple[Side, Side]
Probability = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """A frozen block of a suite in which every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class NetSpec(Spec):
    """What every model that a suite trains may say."""

    init_from: str | None = None
    """Another model of this suite, by its name here: it is trained first, on the same data with the same seed, and what it has
    in common with this one, by name and shape, is taken over from its last step. The rest starts as it would without."""


class FcnSpec(NetSpec):
    """A fully convolutional network with skips (Long et al. 2015)."""

    name: Literal["fcn"]
    form: Literal["modern", "paper"] = "modern"
    """"paper" is the released Caffe graph, layer by layer: VGG16, 100 px of padding, pools that round up, fc6 and fc7 of 4096
    channels, crop offsets, input in BGR. "modern" keeps every layer's size and takes any trunk."""
    backbone: Literal[
        "small", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "googlenet",
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "mobilenet_v2",
        "densenet121",
    ] = "vgg16"  # fmt: skip
    """The classifier whose convolutional part is the trunk."""
    stride: Literal[32, 16, 8, 4, 2] = 8
    """Stride in pixels of the finest grid on which classes are scored: 32 for FCN-32s, 8 for FCN-8s."""
    skips: Literal["plain", "scaled"] = "plain"
    """"scaled" multiplies what the skip at stride 16 scores by 0.01 and at stride 8 by 0.0001, as the paper does to train all at
    once, and so on by 0.01 a step for finer ones."""
    weights: Literal["imagenet"] | None = None
    """Where the trunk starts: "imagenet" for torchvision's own files, nothing for random weights."""
    width: Side = 8
    """Channels of the first stage of the `small` backbone; stages double up to eight times as many."""
    head_width: Side | None = None
    """Channels of fc6 and fc7. Unset: 4096 for the VGG trunks as in the paper, the trunk's last width for all others."""
    dropout: Probability = 0.5
    """Dropout after fc6 and after fc7."""
    upsampling: Literal["fixed", "learned"] = "learned"
    """All upsampling is bilinear at the start; "learned" trains the 2x steps between skips. Unset: "fixed" in the paper form, as
    in its released code, "learned" in the modern one."""

    @model_validator(mode="before")
    @classmethod
    def _paper_upsampling_is_fixed(cls, data: Any) -> Any:
        unsaid = isinstance(data, dict) and data.get("form") == "paper" and "upsampling" not in data
        return {**data, "upsampling": "fixed"} if unsaid else data

    @model_validator(mode="after")
    def _paper_is_one_graph(self) -> "FcnSpec":
        possible = {"backbone": ("vgg16",), "stride": (32, 16, 8), "width": (8,), "head_width": (None,)}
        for field, values in possible.items() if self.form == "paper" else ():
            if getattr(self, field) not in values:
                remedy = f"it is {' or '.join(map(str, values))}" if field in ("backbone", "stride") else "leave it out"
                raise ValueError(f"{field}: given {getattr(self, field)}, which form: paper does not have; {remedy} there")
        return self

    @model_validator(mode="after")
    def _weights_are_published(self) -> "FcnSpec":
        if self.weights and self.backbone in ("small", "googlenet", "densenet121"):
            raise ValueError(
                f"the `{self.backbone}` backbone has no ImageNet weights here; leave `weights` out or choose another backbone"
            )
        return self


class UnetSpec(NetSpec):
    """A U-Net (Ronneberger et al. 2015), padded or as published."""

    name: Literal["unet"]
    width: Side = 64
    """Channels of the first level; every level below has twice as many."""
    depth: Annotated[int, Field(ge=1, le=7)] = 4
    """Number of poolings."""
    padding: Literal["same", "valid"] = "same"
    """"valid" as published: every 3x3 convolution loses a pixel a side, and an input of 572 px gives 388 px of logits. Images are
    scored by overlapping tiles with mirrored borders; a training crop must be larger than the frame that is lost."""
    stride: Literal[1, 2, 4, 8, 16] = 1
    """Stride in pixels at which the decoder stops and classes are scored; the rest is bilinear interpolation, as in an FCN."""
    norm: Literal["batch", "none"] = "batch"
    """Batch normalisation after every 3x3 convolution, or none as published."""
    dropout: Probability = 0.0
    """Dropout at the end of the contracting path."""

    @property
    def margin_px(self) -> int:
        """Pixels a side that the output lacks of the input: 92 for the published net."""
        if self.padding == "same":
            return 0
        # Two convolutions a level and way lose 2 of its units each, the lowest level's two in all; half a cell more is needed
        # to interpolate between units.
        return 6 * 2**self.depth - 2 - 2 * self.stride + self.stride // 2

    @model_validator(mode="after")
    def _stride_is_reached(self) -> "UnetSpec":
        if self.stride > 2**self.depth:
            raise ValueError(f"stride {self.stride} is coarser than depth {self.depth} goes; the coarsest is {2**self.depth}")
        return self


class SmpSpec(NetSpec):
    """A model of the library segmentation-models-pytorch."""

    name: Literal["smp"]
    arch: Literal[
        "unet",
        "unetplusplus",
        "manet",
        "linknet",
        "fpn",
        "pspnet",
        "deeplabv3",
        "deeplabv3plus",
        "pan",
        "upernet",
        "segformer",
        "dpt",
    ]
    """The architecture, by the library's name."""
    encoder: Annotated[str, Field(min_length=1)] = "resnet34"
    """The trunk: a name of the library's own, or `tu-` and a name of timm's. `dpt` takes vision transformers alone."""
    encoder_weights: str | None = None
    """Where the trunk starts: "imagenet" or another name the library has for it, nothing for random weights."""
    options: dict[str, Any] = {}
    """Further arguments of the architecture's class, such as `decoder_channels`."""


class TorchvisionSpec(NetSpec):
    """A segmentation network of torchvision. Its auxiliary loss is left out: only the main output is trained and scored."""

    name: Literal["torchvision"]
    arch: Literal[
        "fcn_resnet50",
        "fcn_resnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large",
        "lraspp_mobilenet_v3_large",
    ]
    """The network, by torchvision's name."""
    weights: Literal["imagenet"] | None = None
    """Where the trunk starts: "imagenet" for torchvision's own files, nothing for random weights."""


class PluginSpec(NetSpec):
    """A model of your own: a function `package.module:function` called as function(num_classes=..., **options)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    """Module and function. They are code, which runs only with `--allow-plugins` or from a suite that `bench trust` was given."""
    options: dict[str, Any] = {}
    """Further arguments of the function."""
    version: str = ""
    """Part of the cell's id: change it when the code changes what the model computes, and its cells are trained anew."""


def _model_tag(value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return "plugin" if isinstance(name, str) and ":" in name else name


class ExternalSpec(Spec):
    """A model trained elsewhere, of which only its predictions are known. `bench score` makes it; a suite cannot name it."""

    name: Literal["external"] = "external"
    predictions: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the scored label maps."""
    stride: Side | None = None
    """Output stride in pixels, as stated by whoever entered the model."""


ModelSpec = Annotated[
    Annotated[FcnSpec, Tag("fcn")]
    | Annotated[UnetSpec, Tag("unet")]
    | Annotated[SmpSpec, Tag("smp")]
    | Annotated[TorchvisionSpec, Tag("torchvision")]
    | Annotated[PluginSpec, Tag("plugin")],
    Discriminator(_model_tag),
]


class DatasetSpec(Spec):
    """A data set, the splits used of it, and the size it is read at."""

    name: str
    """A name that `bench list datasets` prints, or `module:NAME` for a DatasetEntry in a module of your own."""
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


class IsbiSpec(DatasetSpec):
    """The 30 labelled slices of ISBI 2012, cut into contiguous blocks for cross-validation."""

    name: Literal["isbi2012"]
    folds: Annotated[int, Field(ge=2, le=30)] = 5
    """Number of blocks the stack is cut into."""
    fold: NonNegativeInt = 0
    """The block that is the split `test`, from 0; the others are `train`."""

    @model_validator(mode="after")
    def _fold_exists(self) -> "IsbiSpec":
        if self.fold >= self.folds:
            raise ValueError(f"fold is {self.fold}, and with folds {self.folds} they are 0 to {self.folds - 1}")
        return self


def _stays_below(path: str) -> str:
    if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError(f"given {path!r}, expected a path below the data root, with `/` and without `..`")
    if "*" in path and (path.count("*") > 1 or "." not in path.partition("*")[2]):
        raise ValueError(
            f"given {path!r}, expected one `*` and an ending: it stands for what an image and its label share, as in `a/*_rgb.png`"
        )
    return path


def _from_hex(value: Any) -> Any:
    """``"#00c800"`` as (0, 200, 0); anything else is left to the checks of a colour."""
    return tuple(bytes.fromhex(value[1:])) if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value) else value


def _from_fraction(value: Any) -> Any:
    """``"1/2"`` as 0.5, as `fraction` takes it; anything else, `2020/01` too, is a path or is refused as a share."""
    share = Fraction(value) if isinstance(value, str) and re.fullmatch(r"[1-9]\d*/[1-9]\d*", value) else 2
    return float(share) if share <= 1 else value


Byte = Annotated[int, Field(ge=0, le=255)]
Hex = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Colour = Annotated[tuple[Byte, Byte, Byte], BeforeValidator(_from_hex, json_schema_input_type=tuple[Byte, Byte, Byte] | Hex)]
LabelValue = Annotated[int, Field(ge=0, le=65_535)]
BelowRoot = Annotated[str, AfterValidator(_stays_below)]
# One branch a shape, so that a mistake in one is not told as a mistake in all.
IdOrColour = Annotated[
    Annotated[LabelValue, Tag("id")] | Annotated[Colour, Tag("colour")],
    Discriminator(lambda value: "colour" if isinstance(value, (list, tuple)) or str(value).startswith("#") else "id"),
]
Classes = Annotated[
    Annotated[tuple[str, ...], Tag("names")] | Annotated[dict[str, IdOrColour], Tag("values")],
    Discriminator(lambda value: "values" if isinstance(value, dict) else "names"),
]
Share = Annotated[float, Field(gt=0, le=1)]
SplitRule = Annotated[
    Annotated[Share, Tag("share")] | Annotated[BelowRoot, Tag("path")],
    Discriminator(lambda value: "path" if isinstance(value, str) else "share"),
    BeforeValidator(_from_fraction),
]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=40)]


class FolderSpec(DatasetSpec):
    """Any folder of images and any folder of labels. All paths are below the data root."""

    name: Literal["folder"]
    images: BelowRoot | None = None
    """Folder of images, read with its sub-folders, or a pattern such as `photos/*_rgb.png` whose `*` is the image's name. May be
    left out where nothing is trained: labels are enough to score predictions."""
    labels: BelowRoot
    """Folder or pattern of labels; a label belongs to the image of the same name, sub-folder included."""
    classes: Classes
    """Names in the order of the ids 0, 1, 2 …, or name -> id in the label files, or name -> [red, green, blue] or "#rrggbb"."""
    ignore: IdOrColour | None = None
    """The id or colour in the label files that means "not annotated". Unset: every pixel is annotated."""
    splits: Annotated[dict[SplitName, SplitRule], Field(min_length=1)]
    """Split -> a list file (its name ends with .txt, one image's name a line), a sub-folder of both, or a share (0.7, 7/10)."""
    split_seed: NonNegativeInt = 0
    """Seed of the draw that deals images to shares; another seed is another split."""

    @field_validator("classes", mode="before")
    @classmethod
    def _pairs_are_a_mapping(cls, value: Any) -> Any:
        paired = isinstance(value, (list, tuple)) and value and all(isinstance(each, (list, tuple)) for each in value)
        return dict(value) if paired and all(len(each) == 2 for each in value) else value

    @field_serializer("classes")
    def _keep_the_order(self, value: Any) -> list[Any]:
        # As pairs: ids are hashes of JSON with sorted keys, and the order of the classes is part of what is trained.
        return [list(pair) for pair in value.items()] if isinstance(value, dict) else list(value)

    @model_validator(mode="after")
    def _classes_differ(self) -> "FolderSpec":
        values = list(self.classes.values()) if isinstance(self.classes, dict) else list(range(len(self.classes)))
        if not 0 < len(values) < 256:
            raise ValueError(f"classes: {len(values)} are given, and a suite has 1 to 255")
        if len(set(self.classes)) < len(values) or len(set(values)) < len(values):
            raise ValueError("classes: two of them share a name, an id or a colour")
        if len({type(value) for value in [*values, *([] if self.ignore is None else [self.ignore])]}) > 1:
            raise ValueError("classes and ignore: give ids for all of them, or colours for all of them")
        if self.ignore in values:
            shown = list(self.ignore) if isinstance(self.ignore, tuple) else self.ignore
            raise ValueError(f"ignore: {shown} is also the value of a class")
        return self

    @model_validator(mode="after")
    def _splits_make_sense(self) -> "FolderSpec":
        shares = [rule for rule in self.splits.values() if isinstance(rule, float)]
        if shares and (len(shares) < len(self.splits) or sum(shares) > 1 + 1e-9):
            raise ValueError("splits: either all are shares that sum up to 1 at most, or none is one")
        if not (self.test or self.roles["test"]):
            raise ValueError("splits: none is named 'test'; say which it is with `test:`")
        return self

    @property
    def colours(self) -> tuple[Colour, ...] | None:
        """The colours of the classes in the label files, in order, or None where those hold ids."""
        values = self.classes.values() if isinstance(self.classes, dict) else ()
        return tuple(value for value in values if isinstance(value, tuple)) or None

    @property
    def roles(self) -> dict[str, str | None]:
        """Role -> the split of that name; a set without `test` is reported on `val`, and nothing is chosen on that."""
        three: dict[str, str | None] = {role: role if role in self.splits else None for role in ("train", "val", "test")}
        return three if three["test"] else {"train": three["train"], "val": None, "test": three["val"]}


DATASET_SPECS: dict[str, type[DatasetSpec]] = {"phantom": PhantomSpec, "isbi2012": IsbiSpec, "folder": FolderSpec}
"""The data sets with fields of their own; all others are a `DatasetSpec`."""


def _dataset_tag(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in DATASET_SPECS else "files"


AnyDatasetSpec = Annotated[
    Annotated[PhantomSpec, Tag("phantom")]
    | Annotated[IsbiSpec, Tag("isbi2012")]
    | Annotated[FolderSpec, Tag("folder")]
    | Annotated[DatasetSpec, Tag("files")],
    Discriminator(_dataset_tag),
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
    noise: Annotated[float, Field(ge=0, le=255)] = 0.0
    """Standard deviation, in grey levels of 0 … 255, of Gaussian noise added to every channel of every pixel."""
    elastic_px: NonNegativeFloat = 0.0
    """Standard deviation in pixels of random vectors on a coarse 3x3 grid, joined by a bicubic field (U-Net: 10)."""

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
    def _warmup_ends(self) -> "TrainSpec":
        if self.steps is not None and self.warmup_steps >= self.steps:
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

    when: dict[str, Any]
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

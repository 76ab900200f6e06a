"""The blocks of `models:`, one class a family."""

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from bench.specs.backbones import Backbone
from bench.specs.blocks import Options, Probability, Side, Spec


class NetSpec(Spec):
    """What every model that a suite trains may say."""

    init_from: str | None = None
    """Another model of this suite, by its name here: it is trained first, on the same data with the same seed, and what it has
    in common with this one, by name and shape, is taken over from its last step. That must be the whole trunk (in a plug-in the
    part called `trunk`, `encoder` or `backbone`; all of it if none is). The rest starts as it would without."""


class FcnSpec(NetSpec):
    """A fully convolutional network with skips (Long et al. 2015)."""

    name: Literal["fcn"]
    form: Literal["modern", "paper"] = "modern"
    """"paper" is the released Caffe graph, layer by layer: VGG16, 100 px of padding, pools that round up, fc6 and fc7 of 4096
    channels, crop offsets, input in BGR. "modern" keeps every layer's size and takes any trunk."""
    backbone: Backbone = "vgg16"
    """The classifier whose convolutional part is the trunk."""
    stride: Literal[32, 16, 8, 4, 2] = 8
    """Stride in pixels of the finest grid on which classes are scored: 32 for FCN-32s, 8 for FCN-8s. It must be one of the trunk's
    own: AlexNet and ConvNeXt have none of 2, SqueezeNet none of 32."""
    skips: Literal["plain", "scaled"] = "plain"
    """"scaled" multiplies what the skip at stride 16 scores by 0.01 and at stride 8 by 0.0001, as the paper does to train all at
    once, and so on by 0.01 a step for finer ones."""
    weights: Literal["imagenet"] | None = None
    """Where the trunk starts: "imagenet" for torchvision's own files, nothing for random weights."""
    width: Side = 8
    """Channels of the first stage of the `small` backbone; stages double up to eight times as many."""
    head_width: Side | None = None
    """Channels of fc6 and fc7. Unset: 4096 for AlexNet and VGG as in the paper, the trunk's last width for all others."""
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
    def _there_is_a_skip_to_scale(self) -> "FcnSpec":
        if self.skips == "scaled" and self.stride == 32:
            raise ValueError("skips: given scaled, but at stride 32 there is no skip to scale; leave it out")
        return self

    @model_validator(mode="after")
    def _weights_are_published(self) -> "FcnSpec":
        # The last three want images prepared in another way than all others.
        if self.weights and self.backbone in ("small", "googlenet", "inception_v3", "efficientnet_v2_l"):
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
    options: Options = {}
    """Further arguments of the architecture's class, such as `decoder_channels`."""

    @model_validator(mode="after")
    def _scores_are_logits(self) -> "SmpSpec":
        if self.options.get("activation") is not None:
            raise ValueError(
                f"options.activation: given {self.options['activation']!r}, but the loss takes logits and has its own softmax; "
                "leave it out"
            )
        return self


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
    options: Options = {}
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

"""The table of model families. Importing it imports no torch."""

from typing import TYPE_CHECKING

from bench.registry import ModelEntry, load, lookup

if TYPE_CHECKING:
    from torch import nn

    from bench.specs import ModelSpec

MODELS = {
    "fcn": ModelEntry(
        build="bench.models.fcn:build",
        summary="A convolutionalized classifier with skips: FCN-32s, -16s, -8s, down to -2s by its `stride`; also as released.",
        paper="Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, arXiv 1411.4038",
    ),
    "unet": ModelEntry(
        build="bench.models.unet:build",
        summary="A contracting path and an expanding path joined at every scale, which may stop at a coarser `stride`.",
        paper="Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, arXiv 1505.04597",
    ),
    "smp": ModelEntry(
        build="bench.models.library:build_smp",
        summary="Any architecture of segmentation-models-pytorch with any of its encoders, by `arch` and `encoder`.",
        paper="https://github.com/qubvel-org/segmentation_models.pytorch; each architecture's own",
    ),
    "torchvision": ModelEntry(
        build="bench.models.library:build_torchvision",
        summary="FCN, DeepLabV3 and LR-ASPP of torchvision, dilated trunks of output stride 8 or 16, by `arch`.",
        paper="https://pytorch.org/vision; Chen et al., arXiv 1706.05587; Howard et al., arXiv 1905.02244",
    ),
}
PLUGIN = ModelEntry(build="bench.models.plugin:build", summary="A model of a user's own code.", paper="")


def build_model(spec: "ModelSpec", num_classes: int) -> "nn.Module":
    """Build the model a spec describes: (B, 3, H, W) float in, (B, num_classes, H - 2m, W - 2m) logits out, any H and W above 2m.

    The module has ``output_stride`` (stride of the finest grid on which class scores are computed before pure
    interpolation) and ``margin`` m (pixels lost a side, 0 for all padded models). A model with a margin may have ``align_px``
    and ``input_px(output)``: inputs of that side, cut at multiples of ``align_px``, give one and the same logits however an
    image is tiled. Raises BenchError for weights that cannot be had. A plug-in's code is imported here and runs: callers ask
    `bench.trust` first.
    """
    entry = PLUGIN if ":" in spec.name else lookup("model", MODELS, spec.name)
    model: nn.Module = load(entry.build)(spec, num_classes)
    return model

"""The table of model families. Importing it imports no torch."""

from typing import TYPE_CHECKING

from bench.registry import ModelEntry, load, lookup

if TYPE_CHECKING:
    from torch import nn

    from bench.specs import ModelSpec

MODELS = {
    "fcn": ModelEntry(
        build="bench.models.fcn:build",
        summary="A convolutionalized classifier with skips: FCN-32s, -16s, -8s by its `stride`.",
        paper="Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, arXiv 1411.4038",
    ),
    "unet": ModelEntry(
        build="bench.models.unet:build",
        summary="A contracting path and an expanding path joined by concatenation at every scale.",
        paper="Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, arXiv 1505.04597",
    ),
}


def build_model(spec: "ModelSpec", num_classes: int) -> "nn.Module":
    """Build the model a spec describes: (B, 3, H, W) float in, (B, num_classes, H, W) logits out, any H and W.

    The module has ``output_stride`` (stride of the finest grid on which class scores are computed before pure
    interpolation) and ``margin`` (pixels lost a side, 0 for all padded models). Raises BenchError for weights that
    cannot be had.
    """
    return load(lookup("model", MODELS, spec.name).build)(spec, num_classes)

"""Fully convolutional networks: Long, Shelhamer, Darrell, CVPR 2015, arXiv 1411.4038; PAMI 2017, arXiv 1605.06211.

The modern form: where every convolution keeps its size nothing is padded by 100 pixels and cropped again, and what is left of the
paper's crop offsets is where each grid's first unit lies. A trunk that loses size is given as much more as that takes and no more
(`bench.models.grids`). `bench.models.fcn_paper` has the form of the paper.
"""

from itertools import pairwise

from torch import Tensor, nn

from bench.errors import BenchError
from bench.geometry import Layer
from bench.models.blocks import he_normal, one_value_told, pad_to_multiple
from bench.models.fcn_paper import PaperFcn, build_paper
from bench.models.grids import Frame, Tap, frame
from bench.models.trunks import Trunk, build_trunk
from bench.models.upsample import Upsample
from bench.specs import FcnSpec


def build(spec: FcnSpec, num_classes: int) -> "Fcn | PaperFcn":
    """FCN-32s down to -2s by ``spec.stride``; raises BenchError for a stride at which the trunk has no grid.

    And for ImageNet weights that cannot be had.
    """
    if spec.form == "paper":
        return build_paper(spec, num_classes)
    trunk, dense = build_trunk(spec)
    _reached(spec, [tap.stride for tap in trunk.taps])
    last, width = trunk.taps[-1], spec.head_width or trunk.head_width
    head = Head(last.channels, width, trunk.head_kernel, spec.dropout)
    head.adopt(dense)
    # The head scores in place of the last stage. The frame is one for all strides, so that a finer net can start from a coarser.
    framed, taps = frame([*trunk.taps[:-1], last.then(head.window, width)], last.kernel)
    decoder = Decoder(
        [tap for tap in taps if tap.stride >= spec.stride],
        num_classes,
        learned=spec.upsampling == "learned",
        zero=spec.weights is not None or spec.init_from is not None,
        scaled=spec.skips == "scaled",
    )
    return Fcn(trunk, head, decoder, framed)


def _reached(spec: FcnSpec, strides: list[int]) -> None:
    """Raise BenchError for a stride that is none of the trunk's."""
    if spec.stride not in strides:
        raise BenchError(
            f"stride: given {spec.stride}, but {spec.backbone} has no grid at that stride to score; choose "
            f"{', '.join(map(str, strides[:-1]))} or {strides[-1]}"
        )
    if spec.skips == "scaled" and spec.stride == strides[-1]:
        raise BenchError(f"skips: given scaled, but at stride {spec.stride} {spec.backbone} has no skip to scale; leave it out")


class Head(nn.Sequential):
    """fc6 and fc7 as convolutions: (B, channels, h, w) to (B, width, h, w), or a unit more a side where the kernel is even."""

    def __init__(self, channels: int, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.window = Layer(kernel, padding=kernel // 2)
        self.fc6 = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout(dropout)
        self.fc7 = nn.Conv2d(width, width, 1)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout(dropout)

    def adopt(self, dense: list[nn.Linear]) -> None:
        """Start from a classifier's dense layers, a window's weights each; from He's initialisation where they do not fit."""
        convolutions = (self.fc6, self.fc7)
        if [layer.weight.numel() for layer in dense] != [layer.weight.numel() for layer in convolutions]:
            return he_normal(self)
        for convolution, layer in zip(convolutions, dense, strict=True):
            convolution.weight = nn.Parameter(layer.weight.detach().view_as(convolution.weight))
            convolution.bias = nn.Parameter(layer.bias.detach())


class Decoder(nn.Module):
    """Scores every tap and adds them up from coarse to fine, then interpolates: {stride: features} to (B, C, H, W) logits.

    With ``zero`` the score layers start at nothing, as in the paper, whose trunks are pretrained. Over a trunk that itself
    starts from nothing they do not: gradients would not reach it at first, and FCN-8s lost a third of its mIoU on the phantom.
    With ``scaled`` the features of each skip, from coarse to fine, are multiplied by a further 0.01.
    """

    def __init__(self, taps: list[Tap], num_classes: int, *, learned: bool, zero: bool, scaled: bool = False) -> None:
        super().__init__()
        self.scale = 0.01 if scaled else 1.0
        taps = sorted(taps, key=lambda tap: tap.stride)
        self.scores = nn.ModuleDict({str(tap.stride): nn.Conv2d(tap.channels, num_classes, 1) for tap in taps})
        for parameter in self.scores.parameters() if zero else ():
            nn.init.zeros_(parameter)
        self.steps = nn.ModuleDict()
        for fine, coarse in pairwise(taps):
            offset = (coarse.centre_px - fine.centre_px) / fine.stride
            step = Upsample(num_classes, coarse.stride // fine.stride, offset_px=offset, learned=learned)
            self.steps[str(fine.stride)] = step
        self.final = Upsample(num_classes, taps[0].stride, offset_px=taps[0].centre_px)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """The sum of all scores on the finest tap's grid, brought to the size of the image."""
        strides = sorted(map(int, self.scores), reverse=True)
        scores = self.scores[str(strides[0])](features[strides[0]])
        for skip, stride in enumerate(strides[1:], start=1):
            taken = features[stride] if self.scale == 1 else features[stride] * self.scale**skip
            scores = self.steps[str(stride)](scores) + self.scores[str(stride)](taken)
        return self.final(scores)


class Fcn(nn.Module):
    """(B, 3, H, W) images to (B, C, H, W) logits at any H and W: padded to a multiple of the coarsest stride, then cropped.

    ``trunk``, ``head`` and ``decoder`` run once each a pass, one after the other, and are all there is.
    """

    margin = 0

    def __init__(self, trunk: Trunk, head: Head, decoder: Decoder, frame: Frame) -> None:
        super().__init__()
        self.trunk, self.head, self.decoder, self.frame = trunk, head, decoder, frame
        self.output_stride = min(map(int, decoder.scores))
        self.coarsest = trunk.taps[-1].stride

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel."""
        height, width = images.shape[-2:]
        framed = pad_to_multiple(images, self.coarsest, self.frame.before_px, self.frame.after_px)
        with one_value_told("an FCN over this trunk", ", or train.crop larger"):
            features = self.trunk(framed, self.output_stride)
        features[self.coarsest] = self.head(features[self.coarsest])
        rows, columns = (-(-side // self.coarsest) * self.coarsest for side in (height, width))
        features = {stride: self.frame.crop(made, stride, rows, columns) for stride, made in features.items()}
        return self.decoder(features)[..., :height, :width]

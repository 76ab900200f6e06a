"""The anchor: one small network that is measured with all others, so that speeds on two devices have a common unit."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NAME = "plain convolutions, stride 16"
VERSION = 1
"""To be raised with any change below: speeds relative to another anchor are other numbers."""
SIZE = (256, 256)
"""(height, width) in pixels of its images, whatever size the others have."""
BATCH = 8
CLASSES = 21
LAYERS = ((32, 2), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
"""(channels, stride) of its 3x3 convolutions."""


class AnchorNet(nn.Module):
    """(B, 3, H, W) images to (B, 21, H, W) logits: seven 3x3 convolutions with ReLU, scores at stride 16, bilinear upsampling.

    Written out here with torch's own layers alone, so that no other library's version changes it.
    """

    margin, output_stride = 0, 16

    def __init__(self) -> None:
        super().__init__()
        channels, layers = 3, list[nn.Module]()
        for width, stride in LAYERS:
            layers += [nn.Conv2d(channels, width, 3, stride, padding=1), nn.ReLU(inplace=True)]
            channels = width
        self.trunk = nn.Sequential(*layers)
        self.score = nn.Conv2d(channels, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores for every pixel."""
        scores = self.score(self.trunk(images))
        return F.interpolate(scores, size=images.shape[-2:], mode="bilinear", align_corners=False)


def anchor() -> AnchorNet:
    """The anchor with its weights, which are the same everywhere; the caller's random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AnchorNet()

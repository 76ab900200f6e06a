"""Where the grids of a trunk lie on an image, and the frame of zeros in which each of them covers all of it.

A trunk whose layers keep their sizes needs none. One that does not (AlexNet, Inception v3) has fewer units than
H / stride, and later ones than its image begins: it is given more than the image, and of each grid the units that belong to the
image are kept. The paper does the same with 100 px of zeros and crop offsets counted by hand (Long et al. 2015).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

from torch import Tensor

from bench.geometry import Layer, SizeMap


@dataclass(frozen=True)
class Tap:
    """One grid of features: its stride, its channels, and the pixel that its first unit has in its middle."""

    stride: int
    channels: int
    centre_px: float
    kernel: int = 1
    """That of its `SizeMap`: H pixels give (H - kernel) // stride + 1 units, or more where a pooling rounds up."""

    def then(self, layer: Layer, channels: int) -> "Tap":
        """The grid after one more layer."""
        centre = self.centre_px + ((layer.extent - 1) / 2 - layer.padding) * self.stride
        sizes = SizeMap(self.kernel, self.stride).then(SizeMap.of([layer]))
        return Tap(sizes.stride, channels, centre, sizes.kernel)


@dataclass(frozen=True)
class Frame:
    """Pixels of zeros before and after an image along each axis, and the grids' units that lie before the image, by stride."""

    before_px: int
    after_px: int
    cut: dict[int, int]

    def crop(self, features: Tensor, stride: int, height: int, width: int) -> Tensor:
        """Of (B, C, h, w) features of a framed image the (B, C, height / stride, width / stride) that are the image's own."""
        first = self.cut[stride]
        return features[..., first : first + height // stride, first : first + width // stride]


def frame(taps: Iterable[Tap], smallest_px: int = 1) -> tuple[Frame, list[Tap]]:
    """The frame in which every grid has H / stride units, the first of them inside its cell; and the grids in it.

    What unpadded layers take is given at both ends, half of it, rounded up, before the image. The framed image of a single
    unit of the coarsest grid has at least ``smallest_px``.
    """
    taps = list(taps)
    before = ceil(max(0, *(tap.kernel - tap.stride for tap in taps)) / 2)
    cut = {tap.stride: max(0, ceil((before - tap.centre_px) / tap.stride)) for tap in taps}
    wanted = [tap.kernel + (cut[tap.stride] - 1) * tap.stride for tap in taps]
    after = max(0, *wanted, smallest_px - max(cut)) - before
    placed = [replace(tap, centre_px=tap.centre_px - before + cut[tap.stride] * tap.stride) for tap in taps]
    return Frame(before, max(0, after), cut), placed

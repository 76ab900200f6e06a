"""What a feature map's units see along one axis, through any graph of layers: `bench.geometry` with paths that split and join.

After upsampling a grid can be finer than what was computed on it, so strides and starts are fractions here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from bench.geometry import Layer, SizeMap


@dataclass(frozen=True)
class Trail:
    """One axis of a feature map: unit u sees input pixels from ``start + u * stride`` on, ``size`` of them."""

    size: int = 1
    stride: Fraction = Fraction(1)
    start: Fraction = Fraction(0)
    sizes: SizeMap | None = field(default_factory=SizeMap)
    """The axis as if all layers were one convolution; None once something took part that is no such layer."""
    smallest: int = 1
    """The smallest input size that leaves every layer on the way a unit."""
    exact: bool = True
    """Whether every unit sees just this window. After upsampling units differ, and it holds whatever each of them sees."""
    everything: bool = False
    """Whether a branch mixes all positions, so that a unit sees the whole image as well; ``size`` leaves that branch out."""
    apart_px: Fraction = Fraction(0)
    """Largest distance between the centres of windows that were joined; above 0 paths are misaligned."""
    scored: Fraction | None = None
    """Stride of the finest grid on which something was computed last, interpolation and fixed kernels not counted."""

    def then(self, layer: Layer) -> "Trail":
        """After a convolution or a pooling."""
        stride = self.stride * layer.stride
        taken = layer.extent - 2 * layer.padding - (layer.stride - 1 if layer.ceil else 0)
        moved = replace(
            self,
            size=ceil(self.size + (layer.extent - 1) * self.stride),
            stride=stride,
            start=self.start - layer.padding * self.stride,
            scored=stride,
        )
        return moved._mapped(SizeMap(taken, layer.stride))

    def spread(self, layer: Layer, *, fixed: bool) -> "Trail":
        """After a transposed convolution, which is a convolution seen from where it writes."""
        stride = self.stride / layer.stride
        return replace(
            self,
            size=ceil(self.size + (layer.extent - 1) * stride),
            stride=stride,
            start=self.start + (layer.padding - layer.extent + 1) * stride,
            sizes=None,
            exact=self.exact and layer.stride == 1,
            scored=self.scored if fixed else stride,
        )

    def cut(self, before: int, after: int, every: int = 1) -> "Trail":
        """After units were cut off at either end, or added where negative, and every n-th of the rest was kept."""
        if (before, after, every) == (0, 0, 1):
            return self
        moved = replace(self, start=self.start + before * self.stride, stride=self.stride * every)
        return moved._mapped(SizeMap(1 + before + after, every))

    def interpolated(self, neighbours: int, factor: Fraction) -> "Trail":
        """After an interpolation that weighs so many units for each of its own, ``factor`` of which take the place of one."""
        stride = self.stride / factor
        # Half a unit to either side for how corners may be aligned, and half the neighbours.
        before = (1 + neighbours // 2) * self.stride if neighbours > 1 else max(self.stride - stride, Fraction(0))
        after = (neighbours // 2) * self.stride
        return replace(
            self,
            size=ceil(self.size + before + after),
            stride=stride,
            start=self.start - before,
            sizes=None,
            exact=False,
        )

    def divided(self, factor: int) -> "Trail":
        """After channels were laid out as ``factor`` times as many units."""
        nearest = self.interpolated(1, Fraction(factor))
        return replace(nearest, scored=self.scored and self.scored / factor)

    def mixed(self, units: Fraction = Fraction(1)) -> "Trail":
        """After an operation in which all positions may move each other; each unit then stands for so many as there were."""
        return replace(self, everything=True, sizes=None, stride=self.stride * units)

    def _mapped(self, sizes: SizeMap) -> "Trail":
        after = self.sizes and self.sizes.then(sizes)
        return replace(self, sizes=after, smallest=max(self.smallest, after.smallest_input if after else 1))

    @property
    def centre_px(self) -> Fraction:
        """Coordinate of the middle of unit 0's window; pixel i has its middle at i."""
        return self.start + Fraction(self.size - 1, 2)


def apart_px(trails: Iterable[Trail]) -> Fraction:
    """The distance between the outermost centres of these windows, as far as they are exact."""
    # Interpolated grids lie between the units they were made of, so their windows say nothing about centres.
    centres = [trail.centre_px for trail in trails if trail.exact]
    return max(centres) - min(centres) if centres else Fraction(0)


def join(trails: Iterable[Trail]) -> Trail:
    """Where paths meet: the smallest window that holds all of theirs."""
    paths = list(dict.fromkeys(trails))
    if len(paths) == 1:
        return paths[0]
    start = min(path.start for path in paths)
    maps = [path.sizes for path in paths]
    computed = [path.scored for path in paths if path.scored is not None]
    return Trail(
        size=ceil(max(path.start + path.size for path in paths) - start),
        stride=min(path.stride for path in paths),
        start=start,
        # Where maps differ the paths give units alike only at some sizes, and the most demanding one decides.
        sizes=None if None in maps else max((each for each in maps if each), key=lambda each: each.kernel),
        smallest=max(path.smallest for path in paths),
        exact=all(path.exact for path in paths),
        everything=any(path.everything for path in paths),
        apart_px=max(apart_px(paths), *(path.apart_px for path in paths)),
        scored=min(computed, default=None),
    )

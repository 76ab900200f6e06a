"""The arithmetic of strides: what a stack of layers does to sizes, and what one of its units sees.

Everything here is one axis at a time, in whole pixels, and free of torch. Two figures that are easily confused are kept apart:
a `SizeMap` counts sizes, where padding makes up for what a kernel takes away; a `Field` counts the pixels a unit can see,
where it does not. Both follow Dumoulin and Visin, arXiv 1603.07285, and Araujo et al., Distill 2019.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One axis of a convolution or pooling: windows of ``kernel`` taps, ``dilation`` apart, every ``stride`` pixels."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil: bool = False
    """Whether a last, incomplete window counts (Caffe's pooling)."""

    def __post_init__(self) -> None:
        if min(self.kernel, self.stride, self.dilation) < 1 or self.padding < 0:
            raise ValueError(f"{self}: kernel, stride and dilation are at least 1, and padding is not negative")

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last, both counted."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Field:
    """One axis of a feature map: unit u sees input pixels [start + u*stride, start + u*stride + size)."""

    size: int = 1
    stride: int = 1
    start: int = 0

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> "Field":
        """The field of the last of these layers, applied one after the other."""
        field = cls()
        for layer in layers:
            field = field.then(layer)
        return field

    def then(self, layer: Layer) -> "Field":
        """The field after one more layer."""
        return Field(
            size=self.size + (layer.extent - 1) * self.stride,
            stride=self.stride * layer.stride,
            start=self.start - layer.padding * self.stride,
        )

    @property
    def padding(self) -> int:
        """Pixels by which the first unit's field stands out over the image's edge."""
        return -self.start

    @property
    def centre_px(self) -> float:
        """Coordinate of the middle of unit 0's field; pixel i has its middle at i, so this may end in a half."""
        return self.start + (self.size - 1) / 2

    def span(self, unit: int) -> tuple[int, int]:
        """First and last pixel that this unit sees; outside [0, size of the image) it is padding."""
        first = self.start + unit * self.stride
        return first, first + self.size - 1


@dataclass(frozen=True)
class SizeMap:
    """What layers do to a size: D_out = floor((D_in - kernel) / stride) + 1, as if all of them were one convolution.

    ``kernel`` is what is left of it after padding, so that it can be 0 or negative where padding outweighs it.
    """

    kernel: int = 1
    stride: int = 1

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> "SizeMap":
        """The size map of these layers, applied one after the other."""
        sizes = cls()
        for layer in layers:
            taken = layer.extent - 2 * layer.padding - (layer.stride - 1 if layer.ceil else 0)
            sizes = sizes.then(cls(taken, layer.stride))
        return sizes

    def then(self, other: "SizeMap") -> "SizeMap":
        """One map after another: a 5/3 followed by a 3/2 is an 11/6."""
        return SizeMap(self.kernel + (other.kernel - 1) * self.stride, self.stride * other.stride)

    def output(self, size: int) -> int:
        """D_out for an input of this size; 0 or less where the input is too small."""
        return (size - self.kernel) // self.stride + 1

    def input(self, size: int) -> int:
        """The smallest D_in that gives this D_out: stride * D_out + kernel - stride."""
        return self.stride * size + self.kernel - self.stride

    @property
    def smallest_input(self) -> int:
        """The smallest size that gives any output."""
        return max(self.kernel, 1)

    def __str__(self) -> str:
        return f"{self.kernel}/{self.stride}"

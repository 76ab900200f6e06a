"""Strides and fields against the published figures and against counting windows."""

import pytest

from bench.geometry import Field, Layer, SizeMap

CONV3 = Layer(3, padding=1)
POOL2 = Layer(2, 2)
VGG16 = [layer for convs in (2, 2, 3, 3, 3) for layer in (*[CONV3] * convs, POOL2)]
ALEXNET = [Layer(11, 4, 2), Layer(3, 2), Layer(5, 1, 2), Layer(3, 2), CONV3, CONV3, CONV3, Layer(3, 2)]


def test_a_5_3_followed_by_a_3_2_is_an_11_6():
    assert str(SizeMap.of([Layer(5, 3), Layer(3, 2)])) == "11/6"
    assert SizeMap(5, 3).then(SizeMap(3, 2)) == SizeMap(11, 6)


def test_fields_of_vgg16():
    # Size, stride, padding after each pooling, then after fc6 as a 7x7 convolution.
    expected = [(6, 2, 2), (16, 4, 6), (44, 8, 18), (100, 16, 42), (212, 32, 90)]
    pools = [n for n, layer in enumerate(VGG16, start=1) if layer is POOL2]
    fields = [Field.of(VGG16[:n]) for n in pools]
    assert [(field.size, field.stride, field.padding) for field in fields] == expected
    assert Field.of([*VGG16, Layer(7)]).size == 404
    # Units of pooling grids sit in the middle of their cells.
    assert [field.centre_px for field in fields] == [0.5, 1.5, 3.5, 7.5, 15.5]


def test_fields_of_alexnet():
    field = Field.of(ALEXNET)
    assert (field.size, field.stride, field.padding) == (195, 32, 66)
    assert Field.of([*ALEXNET, Layer(6)]).size == 355


def test_resnet_units_sit_on_pixel_0():
    field = Field.of([Layer(7, 2, 3), Layer(3, 2, 1), CONV3, CONV3, CONV3, CONV3, Layer(3, 2, 1), CONV3])
    assert field.centre_px == 0


def test_a_span_is_what_the_windows_touch():
    layers = [Layer(3, 2, 1), Layer(3, 1, 2, dilation=2), Layer(4, 3, 0)]
    field = Field.of(layers)
    for unit in range(4):
        units = {unit}
        for layer in reversed(layers):
            taps = range(0, layer.extent, layer.dilation)
            units = {u * layer.stride - layer.padding + tap for u in units for tap in taps}
        assert field.span(unit) == (min(units), max(units))


@pytest.mark.parametrize("size", [1, 7, 75, 97, 131, 224, 299, 500])
@pytest.mark.parametrize(
    "layers", [VGG16, ALEXNET, [Layer(5, 3), Layer(3, 2)], [Layer(3, 2, 0, ceil=True), Layer(2, 2, 0, ceil=True)]]
)
def test_one_size_map_does_what_the_layers_do_in_turn(layers, size):
    out = size
    for layer in layers:
        rest = out + 2 * layer.padding - layer.extent
        out = (-(-rest // layer.stride) if layer.ceil else rest // layer.stride) + 1
    sizes = SizeMap.of(layers)
    assert sizes.output(size) == out
    assert sizes.output(sizes.input(5)) == 5 and sizes.output(sizes.input(5) - 1) == 4


def test_smallest_input():
    # Inception v3 as one convolution, 75/32: D_in = 32 D_out + 43.
    sizes = SizeMap(75, 32)
    assert sizes.smallest_input == 75
    assert sizes.input(8) == 299 and sizes.output(299) == 8 and sizes.output(74) == 0
    assert SizeMap.of(VGG16) == SizeMap(32, 32)
    # Padding of 100 pixels outweighs the kernel, but no image has less than a pixel.
    assert SizeMap.of([Layer(3, padding=100), *VGG16[1:]]).smallest_input == 1


@pytest.mark.parametrize(
    "wrong", [{"kernel": 0}, {"kernel": 3, "stride": 0}, {"kernel": 3, "padding": -1}, {"kernel": 3, "dilation": 0}]
)
def test_impossible_layers_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        Layer(**wrong)

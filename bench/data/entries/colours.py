"""Colours of label maps where a data set has published none: any number of them, all different."""

Colour = tuple[int, int, int]


def colour(label: int) -> Colour:
    """The (red, green, blue) of a label in VOC's palette: its bits dealt to the channels in turn (devkit VOCcolormap)."""
    shades = [0, 0, 0]
    for bit in range(8):
        shades[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return shades[0], shades[1], shades[2]


def colours(count: int) -> tuple[Colour, ...]:
    """VOC's colours from label 1 on, black left out: it means void in most pictures of labels."""
    return tuple(colour(label) for label in range(1, count + 1))

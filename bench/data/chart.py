"""What the phantom shows: its classes, the scale in pixels at which each of them lives, and how each is drawn.

Colour tells the family (blobs, bars, dots, plates), within a spread and brighter or darker than the ground. Which of two blobs a
thing is shows in its fine texture alone, and which of two plates in its surroundings alone.
"""

import numpy as np

from bench.data.canvas import Canvas, Vector, box, disc

BACKGROUND, DISC, WEAVE, BAR, DOT, PLATE, KEYED = range(7)

BLOB_RADIUS_PX = (12.0, 26.0)
"""Mean radius of a `disc` and of a `weave`; the outline waves by up to a fifth around it."""
SLIT_PX = (2.0, 4.0)
"""Width of the gap through every second blob, in which what lies below shows."""
WEAVE_PERIOD_PX = 4.0
"""Period of the stripes that alone tell a `weave` from a `disc`: shapes and mean colours are the same."""
BAR_WIDTH_PX = (2.0, 6.0)
BAR_LENGTH_PX = (24.0, 72.0)
DOT_DIAMETER_PX = (4.0, 6.0)
DOT_GAP_PX = (2.0, 4.0)
"""Free space between two dots of a row."""
PLATE_SIDE_PX = (10.0, 14.0)
"""Side of the squares `plate` and `keyed`, which look the same."""
BEACON_DISTANCE_PX = 28.0
"""From a plate's centre to that of its beacon, whose colour alone says which of the two it is. No pixel of a plate is nearer than
12 pixels to a beacon's rim, and a receptive field below 2 * (28 - 6) = 44 pixels sees none of it from the plate's centre."""
BEACON_RADIUS_PX = 6.0
BEACON_APART_PX = 76.0
"""Least distance of two beacons, so that every other beacon is at least 48 pixels away from a plate."""
BEACON_COLOURS = ((20.0, 60.0, 250.0), (250.0, 200.0, 20.0))
"""Of the beacon of a `plate` and of a `keyed`. A beacon is background itself."""

# Means over 96 x 96 pixels: blobs, bars and rows of dots; and the plates around a beacon, those outside the image included.
_AREA_PX, _BLOBS, _BARS, _ROWS, _PLATES = 96 * 96, 2.5, 3.0, 5.0, 10
# Grey levels out of 255: how far things stand out, how much they vary in colour, the stripes.
_CONTRAST, _SPREAD, _STRIPES = (56.0, 96.0), 12.0, 36.0
_BLOB_TINT: Vector = (80, -40, -40)
_BAR_TINT: Vector = (-40, 80, -40)
_DOT_TINT: Vector = (50, 50, -80)
_PLATE_TINT: Vector = (-40, -40, 80)


def draw(canvas: Canvas) -> None:
    """Draw as many things as the area calls for, the large ones first."""
    stream = canvas.stream
    share = canvas.label.size / _AREA_PX
    for thing, mean in ((blob, _BLOBS), (bar, _BARS), (row, _ROWS)):
        for _ in range(int(mean * share * stream.uniform(0.7, 1.3) + stream.uniform(0, 1))):
            thing(canvas)
    constellations(canvas, tries=int(4 * share) + 4)


def blob(canvas: Canvas) -> None:
    """A `disc` or a `weave`, every second one with a slit."""
    stream = canvas.stream
    radius = stream.uniform(*BLOB_RADIUS_PX)
    window, down, right = canvas.around(*canvas.place(), 1.25 * radius)
    # The waves are the cosines of two and three times the angle, as polynomials of the direction.
    distance = np.sqrt(down * down + right * right) + np.float32(1e-3)
    (y, x), two, three = stream.direction(), stream.uniform(-0.1, 0.1), stream.uniform(-0.1, 0.1)
    u, v = (y * down + x * right) / distance, (x * down - y * right) / distance
    depth = radius * (1 + two * (u * u - v * v) + three * u * (u * u - 3 * v * v)) - distance
    y, x = stream.direction()
    along, across = y * down + x * right, x * down - y * right
    if stream.chance(0.5):
        depth = np.minimum(depth, np.abs(across + stream.uniform(-5, 5)) - stream.uniform(*SLIT_PX) / 2)
    colour = canvas.colour(_CONTRAST, _BLOB_TINT, _SPREAD)
    if stream.chance(0.5):
        phase = along / WEAVE_PERIOD_PX
        stripes = 4 * np.abs(phase - np.floor(phase) - 0.5) - 1
        canvas.paint(window, depth, colour + _STRIPES * stripes[..., None], WEAVE)
    else:
        canvas.paint(window, depth, colour, DISC)


def bar(canvas: Canvas) -> None:
    """A straight bar of one colour."""
    stream = canvas.stream
    half = stream.uniform(*BAR_LENGTH_PX) / 2, stream.uniform(*BAR_WIDTH_PX) / 2
    window, down, right = canvas.around(*canvas.place(), half[0] + half[1])
    canvas.paint(window, box(down, right, stream.direction(), half), canvas.colour(_CONTRAST, _BAR_TINT, _SPREAD), BAR)


def row(canvas: Canvas) -> None:
    """Three to six dots of one size in a line, with gaps of about their size."""
    stream = canvas.stream
    (y, x), (dy, dx), diameter = canvas.place(), stream.direction(), stream.uniform(*DOT_DIAMETER_PX)
    pitch, colour = diameter + stream.uniform(*DOT_GAP_PX), canvas.colour(_CONTRAST, _DOT_TINT, _SPREAD)
    for step in range(stream.integer(3, 6)):
        window, down, right = canvas.around(y + step * pitch * dy, x + step * pitch * dx, diameter)
        canvas.paint(window, disc(down, right, diameter / 2), colour, DOT)


def constellations(canvas: Canvas, tries: int) -> None:
    """Beacons, far from each other, with `plate`s or `keyed` ones around them; in front of all else, so that a beacon is seen."""
    stream = canvas.stream
    placed: list[tuple[float, float]] = []
    for _ in range(tries):
        y, x = canvas.place()
        if all((y - other_y) ** 2 + (x - other_x) ** 2 >= BEACON_APART_PX**2 for other_y, other_x in placed):
            placed.append((y, x))
            kind = stream.integer(PLATE, KEYED)
            for _ in range(_PLATES):
                plate(canvas, y, x, kind)
            colour = np.array(BEACON_COLOURS[kind - PLATE], np.float32)
            window, down, right = canvas.around(y, x, BEACON_RADIUS_PX + 1)
            canvas.paint(window, disc(down, right, BEACON_RADIUS_PX), colour, BACKGROUND)


def plate(canvas: Canvas, y: float, x: float, kind: int) -> None:
    """A square at BEACON_DISTANCE_PX from its beacon at (y, x), unless its centre would be outside the image."""
    stream = canvas.stream
    (dy, dx), half, axis = stream.direction(), stream.uniform(*PLATE_SIDE_PX) / 2, stream.direction()
    y, x = y + BEACON_DISTANCE_PX * dy, x + BEACON_DISTANCE_PX * dx
    height, width = canvas.label.shape
    if 0 <= y < height and 0 <= x < width:
        window, down, right = canvas.around(y, x, 1.5 * half)
        canvas.paint(window, box(down, right, axis, (half, half)), canvas.colour(_CONTRAST, _PLATE_TINT, _SPREAD), kind)

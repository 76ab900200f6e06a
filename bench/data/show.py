"""A contact sheet: images beside the same images under their labels, with a legend of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.data.decode import VOID, Array, Pair
from bench.registry import DatasetEntry

_GAP, _MARGIN, _LINE = 6, 14, 20
_PAPER, _INK = (250, 250, 250), (30, 30, 30)


@dataclass(frozen=True)
class Tile:
    """An image (H, W, 3) and its label (H, W) with the words below them."""

    pair: Pair
    caption: str


def contact_sheet(rows: Sequence[Sequence[Tile]], entry: DatasetEntry, title: str, tile_px: int = 240) -> Image.Image:
    """Rows of tiles, each an image with its overlay to the right, every half about ``tile_px`` wide; legend and title above.

    Small images are enlarged by whole factors without smoothing, so that a pixel stays a square; large ones are reduced.
    """
    halves = [[_halves(tile.pair, entry, tile_px) for tile in row] for row in rows]
    wide = max(image.width for row in halves for image, _ in row)
    columns = max(len(row) for row in rows)
    width = 2 * _MARGIN + columns * (2 * wide + _GAP) + (columns - 1) * 2 * _GAP
    legend = _legend(entry, max(width, 640) - 2 * _MARGIN)
    heights = [max(image.height for image, _ in row) + _LINE + _GAP for row in halves]
    sheet = Image.new("RGB", (max(width, 640), _MARGIN + _LINE + legend.height + _GAP + sum(heights) + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, _INK, _font(14))
    sheet.paste(legend, (_MARGIN, _MARGIN + _LINE))
    top = _MARGIN + _LINE + legend.height + _GAP
    for row, parts, height in zip(rows, halves, heights, strict=True):
        for column, (tile, (image, over)) in enumerate(zip(row, parts, strict=True)):
            left = _MARGIN + column * (2 * wide + 3 * _GAP)
            sheet.paste(image, (left, top))
            sheet.paste(over, (left + image.width + _GAP, top))
            draw.text((left, top + image.height + 2), _cut(tile.caption, 2 * wide), _INK, _font(11))
        top += height
    return sheet


def _halves(pair: Pair, entry: DatasetEntry, tile_px: int) -> tuple[Image.Image, Image.Image]:
    chequer_px = max(2, ceil(3 * max(pair[1].shape) / tile_px))  # or the reduction would blend it to a plain grey
    return _fit(pair[0], tile_px), _fit(overlay(*pair, entry, chequer_px), tile_px)


def overlay(image: Array, label: Array, entry: DatasetEntry, chequer_px: int = 2) -> Array:
    """The image (H, W, 3) with every class in its colour, outlines opaque, and void as a chequered grey."""
    palette = np.full((256, 3), 128, np.uint8)
    palette[: entry.num_classes] = entry.palette
    colour = palette[label].astype(np.float32)
    rows, columns = np.indices(label.shape) // chequer_px
    chequer = np.where((rows + columns) % 2, 90, 166)[..., None]
    colour = np.where((label == VOID)[..., None], chequer, colour)
    mixed = 0.45 * image + 0.55 * colour
    return np.where(_outline(label)[..., None], colour, mixed).astype(np.uint8)


def _outline(label: Array) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour has another label."""
    edge = np.zeros(label.shape, bool)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def _fit(image: Array, side_px: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(image))
    longest = max(picture.size)
    if longest <= side_px:
        factor = side_px // longest
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    scale = side_px / longest
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX)


def _legend(entry: DatasetEntry, width: int) -> Image.Image:
    """Swatches with class names, in as many lines as they need."""
    font = _font(12)
    places, x, y = [], 0, 0
    for index, name in enumerate([*entry.class_names, "void"]):
        step = 30 + int(font.getlength(name))
        if x and x + step > width:
            x, y = 0, y + _LINE
        places.append((index, name, x, y))
        x += step
    legend = Image.new("RGB", (width, y + _LINE + 4), _PAPER)
    draw = ImageDraw.Draw(legend)
    for index, name, x, y in places:
        box = (x, y + 4, x + 12, y + 16)
        draw.rectangle(box, entry.palette[index] if index < entry.num_classes else (128, 128, 128), outline=_INK)
        if index == entry.num_classes:
            for corner in range(0, 12, 6):
                draw.rectangle((x + corner + 1, y + 5 + corner, x + corner + 5, y + 9 + corner), (60, 60, 60))
        draw.text((x + 17, y + 3), name, _INK, font)
    return legend


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _cut(text: str, width: int) -> str:
    """The end of a text that is too long: the end of a path says more."""
    font = _font(11)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"…{text}") > width:
        text = text[1:]
    return f"…{text}"

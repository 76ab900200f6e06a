"""Pictures of fields and heat maps, as arrays of 8-bit pixels and as PNG files."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Black, violet, orange, near white: brightness rises evenly, so the order survives printing in grey.
STOPS = np.array([(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)], dtype=np.float64)
BAR_PX = 22


def coloured(values: np.ndarray) -> np.ndarray:
    """Colours of (H, W) values in [0, 1]: (H, W, 3) bytes from black to near white."""
    place = np.clip(values, 0, 1) * (len(STOPS) - 1)
    return (
        np.stack([np.interp(place, np.arange(len(STOPS)), STOPS[:, channel]) for channel in range(3)], -1).round().astype(np.uint8)
    )


def spread(values: np.ndarray, size: Sequence[int], stride: Sequence[float], centre_px: Sequence[float]) -> np.ndarray:
    """(h, w) values on the pixels of a (height, width) image: unit u lies at centre_px + u * stride, between them bilinear.

    Pixels beyond the cells of the outermost units, half a stride from their centres, are NaN: nothing was computed there.
    """
    weights = [_weights(values.shape[axis], int(size[axis]), stride[axis], centre_px[axis]) for axis in (0, 1)]
    spread: np.ndarray = weights[0] @ values.astype(np.float64) @ weights[1].T
    return spread


def _weights(units: int, pixels: int, stride: float, centre: float) -> np.ndarray:
    place = (np.arange(pixels) - centre) / stride
    outside = (place < -0.5) | (place > units - 0.5)
    place = np.clip(place, 0, units - 1)
    low = np.minimum(place.astype(int), max(units - 2, 0))
    share = place - low
    weights = np.zeros((pixels, units))
    weights[np.arange(pixels), low] = 1 - share
    weights[np.arange(pixels), np.minimum(low + 1, units - 1)] += share
    weights[outside] = np.nan
    return weights


def overlay(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(H, W, 3) bytes under (H, W) values in [0, 1], brighter where they are higher; where there are none the image is grey."""
    grey = image.mean(-1, keepdims=True).repeat(3, -1)
    known = ~np.isnan(values)[..., None]
    share = 0.25 + 0.6 * np.nan_to_num(values)[..., None]
    mixed = np.where(known, (1 - share) * image + share * coloured(np.nan_to_num(values)), 0.5 * grey + 64)
    return mixed.round().clip(0, 255).astype(np.uint8)


def captioned(picture: np.ndarray, lines: Sequence[str]) -> Image.Image:
    """A picture with lines of text below it."""
    height, width = picture.shape[:2]
    font = ImageFont.load_default(13)
    longest = max((int(font.getlength(line)) + 12 for line in lines), default=0)
    sheet = Image.new("RGB", (max(width, longest), height + BAR_PX * len(lines) + 4), "white")
    sheet.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(sheet)
    for place, line in enumerate(lines):
        draw.text((6, height + 4 + BAR_PX * place), line, fill="black", font=font)
    return sheet


def framed(picture: np.ndarray, boxes: Sequence[tuple[float, float, float, float]], colours: Sequence[str]) -> np.ndarray:
    """A picture with rectangles (top, left, bottom, right), in pixels, both ends counted."""
    sheet = Image.fromarray(picture)
    draw = ImageDraw.Draw(sheet)
    for (top, left, bottom, right), colour in zip(boxes, colours, strict=True):
        draw.rectangle((left, top, right, bottom), outline=colour)
    return np.asarray(sheet)


def png(sheet: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()

"""How a file stores its pixels, where Pillow's mode does not tell: greys of 2 and 4 bits, and colours of 16."""

from pathlib import Path

from PIL import Image

from bench.errors import FileError

SPREAD = {"L;2": 85, "L;2R": 85, "L;4": 17, "L;4R": 17}
"""What Pillow multiplies greys of 2 and 4 bits by, so that white is 255."""
_STORED = "stored as"


def note_depth(picture: Image.Image, path: Path) -> None:
    """Keep a picture's raw mode for `stored_as`; call it before the pixels are loaded. Raises BenchError for 16-bit colours."""
    raw = raw_mode(picture)
    if too_deep(picture, raw):
        raise FileError(
            "unreadable",
            path,
            f"has {picture.mode!r} pixels deeper than 8 bits ({raw})",
            "Convert it to 8 bits first: which byte of them counts is not for a reader to guess.",
        )
    picture.info[_STORED] = raw


def stored_as(picture: Image.Image) -> str:
    """The raw mode that `note_depth` kept, or the mode of a picture that never was a file."""
    return str(picture.info.get(_STORED, picture.mode))


def raw_mode(picture: Image.Image) -> str:
    """How an opened picture's pixels are stored, e.g. ``L;2`` or ``RGB;16B``; it is gone once they are loaded."""
    tiles = getattr(picture, "tile", None)
    raw = tiles[0][3] if tiles else picture.mode
    return str(raw[0] if isinstance(raw, tuple) and raw else raw)


def too_deep(picture: Image.Image, raw: str) -> bool:
    """Whether Pillow keeps one byte of two: it has no mode for colours of 16 bits, and one for greys."""
    return picture.format in ("PNG", "TIFF") and ";16" in raw and not picture.mode.startswith("I")

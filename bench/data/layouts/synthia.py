"""SYNTHIA-RAND-CITYSCAPES: labels as PNGs with three channels of 16 bits."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.layouts.drawn import folder_at, pictures
from bench.specs import Size


def synthia(root: Path, count: int, size: Size, seed: int) -> None:
    """Write ``count`` images a split below ``root``/RAND_CITYSCAPES, with all 22 classes, whichever set of classes reads them."""
    images, labels = folder_at(root / "RAND_CITYSCAPES/RGB"), folder_at(root / "RAND_CITYSCAPES/GT/LABELS")
    for split, last_digit in (("train", 0), ("val", 8), ("test", 9)):
        for number, (image, label) in enumerate(pictures("synthia", split, count, size, seed)):
            name = f"{10 * number + last_digit:07d}.png"
            Image.fromarray(image).save(images / name)
            instance = np.cumsum(label > 0, axis=1) % 700  # above 255, so that a reader of 8 bits would go wrong
            (labels / name).write_bytes(png16(np.stack([label, instance, np.zeros_like(label)], axis=-1).astype(np.uint16)))


def png16(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of (H, W, 3) with 16 bits a channel, which Pillow cannot write (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    lines = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    unfiltered = np.pad(lines, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(unfiltered)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

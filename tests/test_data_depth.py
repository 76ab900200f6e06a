"""Pixels that Pillow would change on reading: 2, 4 and 16 bits, ids out of range, and greys stored upside down."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from bench.data import DATASETS, entry_of
from bench.data.decode import read_image, read_label
from bench.data.folder import read_colours
from bench.data.submitted import Defective, checked
from bench.errors import BenchError
from bench.specs import FolderSpec

CAMVID = DATASETS["camvid"]
SPEC = FolderSpec.model_validate(
    {
        "name": "folder",
        "images": "a",
        "labels": "b",
        "classes": {"x": [0, 0, 1], "y": [0, 0, 2]},
        "splits": {"train": "t", "val": "v"},
    }
)


def png(path: Path, width: int, bits: int, kind: int, rows: list[bytes]) -> Path:
    """A PNG by hand: colour ``kind`` 0 is grey, 2 RGB, 4 grey with alpha, 6 RGB with alpha."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("kind", [2, 4, 6])
def test_16_bit_colours_are_refused_and_not_halved(tmp_path: Path, kind: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[kind]
    path = png(tmp_path / "x.png", 2, 16, kind, [bytes(range(2 * 2 * channels))])
    for read in (read_image, lambda file: read_label(file, CAMVID), lambda file: read_colours(file, SPEC)):
        with pytest.raises(BenchError, match=r"x\.png: has .* pixels deeper than 8 bits"):
            read(path)


def test_16_bit_colours_of_a_tiff_are_refused(tmp_path: Path) -> None:
    pixels, entries = np.arange(12, dtype="<u2").tobytes(), []
    values = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 8 + 24), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3)]
    for tag, form, count, value in [*values, (278, 3, 1, 2), (279, 4, 1, len(pixels))]:
        entries.append(struct.pack("<HHII", tag, form, count, value))
    body = pixels + struct.pack("<HHH", 16, 16, 16)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    (tmp_path / "x.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory)
    with pytest.raises(BenchError, match="deeper than 8 bits"):
        read_image(tmp_path / "x.tif")


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_of_2_and_4_bits_are_the_stored_ones(tmp_path: Path, bits: int) -> None:
    stored = list(range(min(1 << bits, CAMVID.num_classes)))
    stored += [0] * (-len(stored) % (8 // bits))
    per = 8 // bits
    packed = bytes(
        sum(value << (8 - bits * (place + 1)) for place, value in enumerate(stored[begin : begin + per]))
        for begin in range(0, len(stored), per)
    )
    assert read_label(png(tmp_path / "x.png", len(stored), bits, 0, [packed]), CAMVID).tolist() == [stored]


def test_greys_stored_upside_down_are_refused(tmp_path: Path) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[262] = 0  # white is zero
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "x.tif", tiffinfo=info)
    with Image.open(tmp_path / "x.tif") as picture:
        if picture.tile[0][3][0] != "L;I":
            pytest.fail("the file is not what the test is about")
    with pytest.raises(BenchError, match="white as 0"):
        read_label(tmp_path / "x.tif", CAMVID)


@pytest.mark.parametrize("value", [-1, 70_000, 2_000_000_000])
def test_ids_out_of_range_are_told_and_not_counted(tmp_path: Path, value: int) -> None:
    Image.fromarray(np.array([[0, value]], np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(BenchError, match=rf"holds values from {min(0, value)} to {max(0, value)}, and a class id is 0 to 65535"):
        read_label(tmp_path / "x.tif", CAMVID)


def test_1_bit_and_many_wrong_values_get_advice_that_helps(tmp_path: Path) -> None:
    Image.new("1", (2, 2)).save(tmp_path / "x.png")
    with pytest.raises(BenchError, match="Convert it to 8 bits with the ids 0 and 1"):
        read_label(tmp_path / "x.png", CAMVID)
    Image.fromarray(np.arange(100, 200, dtype=np.uint8)[None]).save(tmp_path / "x.png")
    with pytest.raises(BenchError, match=r"and 90 labels more, which is no class.*compressed with loss") as caught:
        read_label(tmp_path / "x.png", CAMVID)
    assert str(caught.value).count("pixels have the label") == 10
    Image.fromarray(np.random.default_rng(0).integers(3, 256, (9, 9, 3), np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(BenchError, match="one of 81 such colours: the file was compressed with loss"):
        read_colours(tmp_path / "x.png", SPEC)


def test_hex_colours_and_fractions_are_read(tmp_path: Path) -> None:
    fields = {"classes": {"x": "#000001", "y": "#00C800"}, "ignore": "#ffffff", "splits": {"train": "3/4", "val": "1/4"}}
    spec = FolderSpec.model_validate({**SPEC.model_dump(mode="json"), **fields})
    assert entry_of(spec).palette == ((0, 0, 1), (0, 200, 0)) and spec.ignore == (255, 255, 255)
    assert spec.splits == {"train": 0.75, "val": 0.25}
    dated = {"train": "2020/01", "val": "2020/2"}
    assert FolderSpec.model_validate({**SPEC.model_dump(mode="json"), "splits": dated}).splits == dated
    with pytest.raises(ValueError, match="classes"):
        FolderSpec.model_validate({**SPEC.model_dump(mode="json"), "classes": {"x": "#12", "y": "#00c800"}})


def test_predictions_of_4_bits_are_the_stored_ids_and_16_bit_colours_none(tmp_path: Path) -> None:
    truth = np.zeros((1, 4), np.uint8)
    path = png(tmp_path / "x.png", 4, 4, 0, [bytes([0x01, 0x23])])
    assert checked(path, truth, CAMVID).tolist() == [[0, 1, 2, 3]]
    with pytest.raises(Defective, match="deeper than 8 bits"):
        checked(png(path, 4, 16, 2, [bytes(24)]), truth, CAMVID)

"""Some arrays of an .npz, for readers of ten thousand small files, on each of which `zipfile` spends more time than on its content.

The common case alone is read here, and checked; whatever is not exactly that goes to `zipfile`, which says what is wrong.
"""

import io
import os
import struct
import zlib
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np

# PKWARE's APPNOTE: end of central directory, its entries, and of a local header the lengths of name and extra field
_END, _ENTRY, _LENGTHS = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<26x2H")
SMALL_BYTES = 2**20
"""Of larger files only what is wanted is read."""


def load_arrays(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Those arrays; the others are not decompressed, and no Python objects are loaded.

    Raises OSError, KeyError, ValueError, EOFError, NotImplementedError, zlib.error or BadZipFile for a file that has them not.
    """
    found: dict[str, bytes] = {}
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size <= SMALL_BYTES:
            with suppress(BadZipFile, struct.error, zlib.error):
                found = _plain(file.readall(), {f"{name}.npy" for name in names})
    if len(found) < len(names):
        with ZipFile(path) as saved:
            found = {f"{name}.npy": saved.read(f"{name}.npy") for name in names}
    return {name: _array(found[f"{name}.npy"]) for name in names}


def looks_whole(path: Path) -> bool:
    """Whether a file is there and ends as `numpy.savez` ends one, at no more cost than opening it.

    What is cut off does not; bytes that changed inside are found by what reads them.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END.size))
            mark, *_, length, offset, comment = _END.unpack(file.read())
    except (OSError, struct.error):
        return False
    return mark == b"PK\5\6" and offset + length + _END.size == size and comment == 0


def _plain(content: bytes, wanted: set[str]) -> dict[str, bytes]:
    """The wanted members of an archive without a comment, parts or more than 4 GiB."""
    mark, _, _, _, count, _, place, _ = _END.unpack(content[-_END.size :])
    found: dict[str, bytes] = {}
    for _ in range(count if mark == b"PK\5\6" else 0):
        entry = _ENTRY.unpack_from(content, place)
        mark, flags, method, crc, packed, size, begin = (entry[at] for at in (0, 3, 4, 7, 8, 9, 16))
        named, extra, comment = entry[10:13]
        name = content[place + _ENTRY.size : place + _ENTRY.size + named].decode("ascii", "replace")
        place += _ENTRY.size + named + extra + comment
        if mark != b"PK\1\2" or flags or method not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadZipFile
        if name in wanted:
            data = begin + 30 + sum(_LENGTHS.unpack_from(content, begin))
            found[name] = _unpacked(content[data : data + packed], method, size)
            if len(found[name]) != size or zlib.crc32(found[name]) != crc:
                raise BadZipFile
    return found


def _unpacked(data: bytes, method: int, size: int) -> bytes:
    """What was packed, and no byte more than was promised."""
    return data if method == ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(1, size))


def _array(content: bytes) -> Any:
    """What `numpy.load` would make of one array's file, which reads ten thousand headers that are alike one by one."""
    if content[:8] != b"\x93NUMPY\x01\x00":
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    begin = 10 + int.from_bytes(content[8:10], "little")
    shape, by_column, dtype = _header(content[8:begin])
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if by_column else "C")


@lru_cache(maxsize=1024)
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(text))
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    return shape, by_column, dtype

"""What took long to make, kept in a file until something that it was made of changes.

What is kept is never the truth: it bears a key of all that went into it, and with any other key it is made anew. What cannot be
read or written is no loss.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import BenchError
from bench.store import read_json, write_json

Made = TypeVar("Made")
WORTH_S = 1.0
"""What takes less is not kept."""


def kept(path: Path, key: Any, make: Callable[[], Made], *, pack: Callable[[Made], Any], unpack: Callable[[Any], Made]) -> Made:
    """What ``make`` would make, from an earlier call with the same ``key``, which is plain data.

    ``pack`` turns it into plain data, and ``unpack`` back; that raises KeyError, TypeError or ValueError for what is damaged.
    """
    try:
        known = read_json(path)
        if known["key"] == key:
            return unpack(known["kept"])
    except (BenchError, KeyError, TypeError, ValueError):
        pass  # not there, damaged, or of another version
    began = time.monotonic()
    made = make()
    if time.monotonic() - began > WORTH_S:
        with suppress(OSError):  # a store that cannot be written costs the time again, nothing else
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"key": key, "kept": pack(made)})
    return made

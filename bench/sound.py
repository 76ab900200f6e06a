"""Whether the curves of a result are what tables and figures read: a result file may be anyone's."""

from collections.abc import Iterable
from math import isfinite
from typing import Any

_LISTS = {"error_by_distance": ("edge_strides", "error", "share"), "object_iou": ("side_px", "miou", "objects")}
"""Curve -> the lists in it that belong together, number by number. Any other curve is a list itself."""
_WHOLE = ("side_px", "objects")
"""Lists in which no number may be missing."""


def unsound(curve: str, held: Any) -> str | None:
    """What is wrong with one of `Result.curves`, to be read after its name; None for what can be drawn."""
    names = _LISTS.get(curve)
    if names is None:
        return None if _numbers(held) else "is no list of numbers"
    if not isinstance(held, dict):
        return f"lacks {', '.join(names)}"
    for name in names:
        if not _numbers(held.get(name)) or (name in _WHOLE and None in held[name]):
            return f"holds no list of numbers as {name}"
    lengths = [len(held[name]) for name in names]
    return None if len(set(lengths)) == 1 else f"holds lists of {', '.join(map(str, lengths))} numbers as {', '.join(names)}"


def unequal(curve: str, seeds: Iterable[Any]) -> str | None:
    """What is wrong with sound curves of several seeds of one row; None where they can be averaged."""
    name = _LISTS.get(curve, (None,))[0]
    lengths = {len(held[name] if name else held) for held in seeds}
    return f"is longer in one seed than in another: {', '.join(map(str, sorted(lengths)))} numbers" if len(lengths) > 1 else None


def number(value: Any) -> bool:
    """Whether plain data is a number that can be drawn."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _numbers(held: Any) -> bool:
    return isinstance(held, list) and bool(held) and all(each is None or number(each) for each in held)

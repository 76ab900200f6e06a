"""Facts of a result as a reader takes them in: names in words, numbers rounded, with their units."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.figures.look import QUANTITIES
from bench.figures.training import CURVES
from dashboard.words import short

_UNITS = {"_ms": "ms", "_s": "s", "_px": "px", "_mib": "MiB", "_gib": "GiB"}
"""Endings of names, as results spell units."""
_KNOWN = {**QUANTITIES, "val_miou": CURVES["val_miou"]}
NOTHING = "–"


def facts(data: Mapping[str, Any]) -> pd.DataFrame:
    """Names in words and values with units, one a line; what stands within a block comes after its name."""
    lines = [(_words(path), shown(path.rpartition(".")[2], value)) for path, value in flat(data)]
    return pd.DataFrame(lines, columns=["Fact", "Value"])


def fields(data: Mapping[str, Any]) -> pd.DataFrame:
    """The dotted fields of a spec and their values, both as a suite file spells them."""
    spelled = {None: "null", True: "true", False: "false"}
    lines = [(path, spelled.get(value, str(value)) if not isinstance(value, list) else str(value)) for path, value in flat(data)]
    return pd.DataFrame([(short(path), short(value, 300)) for path, value in lines], columns=["Field", "Value"])


def flat(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted path of plain data, and the value there."""
    for name, value in data.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping):
            yield from flat(value, here)
        else:
            yield here, value


def shown(name: str, value: Any) -> str:
    """A value in words: a score in percent, a time in seconds or minutes, a size in its unit."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return short(", ".join(shown(name, each) for each in value[:20]) + (" …" if len(value) > 20 else "") or NOTHING, 300)
    if not isinstance(value, (int, float)):
        return short(value, 300)
    if name in _KNOWN:
        quantity = _KNOWN[name]
        return f"{value * quantity.scale:{quantity.digits}} {quantity.unit}".strip()
    unit = _unit(name)
    return _duration(value) if unit == "s" else f"{_rounded(value)} {_UNITS.get(f'_{unit}', '')}".strip()


def _words(path: str) -> str:
    *blocks, name = path.split(".")
    words = _KNOWN[name].title if name in _KNOWN else name.removesuffix(f"_{_unit(name)}").replace("_", " ").capitalize()
    return short(" · ".join([*(each.replace("_", " ") for each in blocks), words]), 100)


def _unit(name: str) -> str:
    """The ending that names a unit; "" where there is none: images_per_s is no time."""
    return next((end[1:] for end in _UNITS if name.endswith(end) and not name.endswith("_per_s")), "")


def _rounded(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

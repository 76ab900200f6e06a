"""Stridebench: what does a finer output stride buy, and what does it cost?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.frame import load_results as load_results

__version__ = "0.1.0"

_LATE = {"load_results": "bench.frame"}
"""Names for notebooks, and where they live: importing `bench` must not import pandas."""


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Whether a figure was given what it draws."""

import pandas as pd

from bench.errors import BenchError, nearest
from bench.figures.look import QUANTITIES, Quantity

_COLUMNS = {
    "class": {"row", "dataset", "class"},
    "trimap": {"row", "dataset", "width_px", "miou"},
    "distance": {"row", "dataset", "edge_strides", "error"},
    "size": {"row", "dataset", "side_px", "miou"},
    "step": {"label", "step"},
}


def expected(frame: pd.DataFrame, by: str) -> None:
    """Raises BenchError unless a frame is that of `bench.load_results` with this ``by``."""
    missing = sorted(_COLUMNS[by] - set(frame))
    # Rows have a width as well, that of the pictures whose speed was measured.
    if missing or (by == "trimap" and "rank" in frame):
        why = f"without {', '.join(missing)}" if missing else "of rows"
        raise BenchError(f"a frame {why} was given; this figure draws bench.load_results(store, suite, {by!r})")


def axis_of(frame: pd.DataFrame, name: str, *more: str) -> Quantity:
    """What an axis says of a column of rows; raises BenchError for a name that has none, and for a frame without what it takes."""
    if name not in QUANTITIES:
        raise BenchError(f"{name!r} has no axis.{nearest(name, QUANTITIES)} It is one of {', '.join(QUANTITIES)}.")
    if missing := [each for each in ("row", "dataset", *more) if each not in frame]:
        raise BenchError(f"a frame without {', '.join(missing)} was given; this figure draws bench.load_results(store, suite)")
    return QUANTITIES[name]

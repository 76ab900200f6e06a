"""How the lines of a figure are told apart: each has a look of its own, the same in every figure, and a name of its own."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.figures.look import COLOURS, LONGEST, MARKERS, plain

MOST = len(COLOURS) * len(MARKERS)
"""So many looks differ in colour or marker."""


def places(frame: pd.DataFrame, columns: Sequence[str], among: pd.DataFrame | None = None) -> dict[tuple[str, ...], int]:
    """What `bench.figures.look.style` takes for each line; a line is what has the same values in ``columns``.

    Lines are counted in the order of their names over ``among``, the whole of which ``frame`` is a part: a filtered figure then
    looks as the whole one, on a page as on paper. Of more than `MOST` lines only those drawn are counted.
    """
    drawn = _lines(frame, columns)
    whole = drawn if among is None else drawn | _lines(among, columns)
    return {line: place for place, line in enumerate(sorted(whole if len(whole) <= MOST else drawn))}


def _lines(frame: pd.DataFrame, columns: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(map(str, line)) for line in frame[list(columns)].drop_duplicates().itertuples(index=False)}


def apart(names: Iterable[object], longest: int = LONGEST) -> list[str]:
    """Names as an axis may hold them, no two alike: `bench.figures.look.plain`, with the ends of those that begin alike.

    Plotly draws what has one name on one line, so that a row would hide another.
    """
    words = [" ".join(str(each).split()) for each in names]
    short = [plain(each, longest) for each in words]
    if len(set(short)) < len(short):
        alike = Counter(short)
        half = (longest - 1) // 2
        ends = [plain(f"{each[:half]}…{each[-half:]}" if len(each) > longest else each, longest) for each in words]
        short = [end if alike[each] > 1 else each for each, end in zip(short, ends, strict=True)]
    told: dict[str, None] = {}
    for each in short:
        count, name = 1, each
        while name in told:
            count += 1
            name = f"{each} ({count})"
        told[name] = None
    return list(told)

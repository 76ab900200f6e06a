"""Whether a ranking depends on the convention of mIoU."""

from dataclasses import dataclass

import numpy as np

from bench.leaderboard import Row, on_same_images
from bench.metrics.dialects import DIALECTS, distinct, same_as
from bench.names import listed, marked

_TOLD = 3  # pairs and conventions named in a sentence
_AT_ONCE = 64  # cells


@dataclass(frozen=True)
class Flip:
    """Two rows whose order other conventions reverse."""

    ahead: str
    behind: str
    told_apart: bool
    """Whether the rows have different ranks here."""
    conventions: tuple[str, ...]
    """Those that put ``behind`` first."""


def by_convention(rows: list[Row]) -> dict[str, list[float]]:
    """mIoU of each row, mean over seeds, under every convention; NaN where it has none."""
    return {name: _scores(rows, name) for name in distinct()}


def _scores(rows: list[Row], name: str) -> list[float]:
    """Of rows scored on as many images and classes each: many cells at once, which is several times quicker."""
    cells = [cell.areas for row in rows for cell in row.images]
    batches = [np.stack(cells[begin : begin + _AT_ONCE]) for begin in range(0, len(cells), _AT_ONCE)]
    scores = np.concatenate([DIALECTS[name].of_each(batch) for batch in batches])
    ends = np.cumsum([len(row.images) for row in rows])
    return [float(np.mean(each)) for each in np.split(scores, ends[:-1])]


def flips(rows: list[Row]) -> list[Flip]:
    """All pairs of ranked rows on the same images that another convention puts in the other order.

    `per_batch` is left out: it depends on the order of the images, so what it says of a pair would not be reproducible.
    """
    found = []
    named = dict(zip(map(id, rows), marked(rows), strict=True))
    for group in on_same_images(row for row in rows if row.rank is not None):
        if group[0].ranked_by != "miou":
            continue
        chosen = same_as(group[0].convention)
        others = [name for name in distinct() if not DIALECTS[name].ordered and name != chosen]
        tables = np.array([_scores(group, name) for name in others])
        here = np.array([row.scores["miou"] or 0.0 for row in group])
        for first, ahead in enumerate(group):
            # Equal scores under the chosen convention have no order to reverse.
            led = here[first] - here[first + 1 :] > 1e-9
            reversed_ = (tables[:, first + 1 :] - tables[:, first, None] > 1e-9) & led
            for second in np.flatnonzero(reversed_.any(0)).tolist():
                behind = group[first + 1 + second]
                names = tuple(others[place] for place in np.flatnonzero(reversed_[:, second]).tolist())
                found.append(Flip(named[id(ahead)], named[id(behind)], ahead.rank != behind.rank, names))
    return found


def warnings(rows: list[Row]) -> list[str]:
    """At most two sentences: rows with different ranks that other conventions reverse, and rows that share a rank."""
    found = flips(rows)
    apart, tied = [flip for flip in found if flip.told_apart], [flip for flip in found if not flip.told_apart]
    sentences = [f"The ranking depends on the convention of mIoU: {_told(apart)}."] if apart else []
    sentences += [f"Within shared ranks the order depends on the convention of mIoU: {_told(tied)}."] if tied else []
    return sentences


def _told(found: list[Flip]) -> str:
    grouped: dict[tuple[str, ...], list[str]] = {}
    for flip in found:
        grouped.setdefault(flip.conventions, []).append(f"{flip.behind} is ahead of {flip.ahead}")
    parts = [
        f"under {listed(_short(conventions))} {listed(pairs[:_TOLD])}" + _more(pairs) for conventions, pairs in grouped.items()
    ]
    rest = sum(len(pairs) for pairs in list(grouped.values())[_TOLD:])
    return "; ".join(parts[:_TOLD]) + (f"; and {rest} more pairs" if rest else "")


def _short(conventions: tuple[str, ...]) -> list[str]:
    rest = len(conventions) - _TOLD + 1
    return list(conventions) if rest < 2 else [*conventions[: _TOLD - 1], f"{rest} more"]


def _more(pairs: list[str]) -> str:
    return f" ({len(pairs) - _TOLD} more pairs)" if len(pairs) > _TOLD else ""

"""Which scores of a table are the best, and which cannot be told apart from the best: tests over the rows that are shown."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.judge import resampled, sample
from bench.leaderboard import PERCENT, Row, on_same_images, pools
from bench.statistics import Samples, leader_p, ranks

ALPHA = 0.05
Mark = Literal["best", "tied"]


@dataclass(frozen=True)
class Weighed:
    """The rows of a table with an interval for each score shown and ranks among each other, and what stands out."""

    rows: list[Row]
    marks: dict[tuple[int, str], Mark]
    """(Place of a row, score) -> "best" where it is significantly better than all others on its images (paired over images,
    Holm's correction), "tied" where it is the highest score, or not told apart from it, and no score is best."""


def weigh(rows: list[Row], shown: list[Row], columns: Iterable[str]) -> Weighed:
    """Judge the rows ``shown``, some of a table's ``rows``, in every score among ``columns``.

    Intervals rest on all rows, which share the noise between seeds, so they are those of the whole leaderboard.
    """
    place = {id(row): at for at, row in enumerate(shown)}
    made = list(shown)
    marks: dict[tuple[int, str], Mark] = {}
    metrics = [name for name in dict.fromkeys((*columns, *(row.ranked_by for row in rows[:1]))) if name in PERCENT]
    for metric in metrics:
        for group in on_same_images(row for row in rows if row.images and row.scores.get(metric) is not None):
            members = [at for at, row in enumerate(group) if id(row) in place]
            if not members or not resampled(metric, group[0].convention):
                continue
            drawn = sample([row.images for row in group], pools(group), metric=metric, convention=group[0].convention)
            seats = [place[id(group[at])] for at in members]
            for at, seat in zip(members, seats, strict=True):
                bounds = {metric: drawn.interval(at)} if drawn.judged(at) else {}
                made[seat] = replace(made[seat], intervals={**made[seat].intervals, **bounds})
            among = _only(drawn, members)
            marks |= {(seats[at], metric): mark for at, mark in _marks(among).items()}
            if metric == rows[0].ranked_by and len(members) < len(group):
                for seat, rank, p in zip(seats, ranks(among).tolist(), leader_p(among).tolist(), strict=True):
                    made[seat] = replace(made[seat], rank=rank, p_leader=None if np.isnan(p) else p)
    return Weighed(made, marks)


def _marks(drawn: Samples) -> dict[int, Mark]:
    """Of each row that stands out; none where there is nothing to compare, or the highest score has no test."""
    if len(drawn.scores) < 2:
        return {}
    leader, p_values = int(np.argmax(np.nan_to_num(drawn.scores, nan=-np.inf))), leader_p(drawn)
    if not drawn.judged(leader):
        return {}
    tied = [at for at, p in enumerate(p_values) if at != leader and not p <= ALPHA]
    return dict.fromkeys((leader, *tied), "tied") if tied else {leader: "best"}


def _only(drawn: Samples, members: list[int]) -> Samples:
    return replace(
        drawn,
        values=drawn.values[members],
        centred=drawn.centred[members],
        scores=drawn.scores[members],
        seeds=tuple(drawn.seeds[at] for at in members),
        notes=tuple(drawn.notes[at] for at in members),
        undefined=tuple(drawn.undefined[at] for at in members),
    )

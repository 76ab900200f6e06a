"""The noise floor: the same training, the same seed, done again in another store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.errors import BenchError
from bench.leaderboard import Row
from bench.statistics import NoiseFloor, noise_floor
from bench.store import Result, Store


@dataclass(frozen=True)
class Repeated:
    """One cell that was trained more than once."""

    cell_id: str
    label: str
    scores: tuple[float, ...]
    """In the order of the stores."""


def repeated(rows: Iterable[Row], stores: Sequence[Store], metric: str = "miou") -> list[Repeated]:
    """The finished cells of rows that other stores hold as well, trained and scored by the same spec and seed.

    A copy of a result is no repetition and is left out. Raises BenchError when nothing was repeated.
    """
    found, copies = [], 0
    for row in rows:
        for first in row.results:
            runs = [first]
            for store in stores:
                again = _same(store, first.cell_id)
                copies += again is not None and any(_copied(again, run) for run in runs)
                if again is not None and not any(_copied(again, run) for run in runs):
                    runs.append(again)
            scores = [value for run in runs if (value := run.metrics.get(metric)) is not None]
            if len(scores) > 1:
                label = next(cell.label for cell in row.cells if cell.id == first.cell_id)
                found.append(Repeated(first.cell_id, label, tuple(scores)))
    if not found:
        places = ", ".join(str(store.root) for store in stores)
        hint = f" {copies} are copies of results in the first store." if copies else ""
        raise BenchError(f"no cell of this suite was trained again in {places}.{hint} Repeat one: bench run SUITE --store {places}")
    return found


def floor(repeats: Iterable[Repeated]) -> NoiseFloor:
    """How far a score moves when nothing changes but the repetition."""
    return noise_floor([each.scores for each in repeats])


def seed_floor(rows: Iterable[Row], metric: str = "miou") -> NoiseFloor | None:
    """How far a score moves between seeds; None when no row has two."""
    groups = [[value for result in row.results if (value := result.metrics.get(metric)) is not None] for row in rows]
    return noise_floor(groups) if any(len(group) > 1 for group in groups) else None


def _same(store: Store, cell_id: str) -> Result | None:
    """A store's result of the same training and scoring, however it was profiled."""
    scored = cell_id.rpartition("-")[0]
    places = [store.folder(cell_id), *sorted((store.root / "cells").glob(f"{scored}-*"))]
    return next((result for place in places if (result := store.result(place.name))), None)


def _copied(one: Result, other: Result) -> bool:
    """Whether two results come from one training; no two trainings take the same time to the microsecond."""
    times = [result.seconds.get("train_s") for result in (one, other)]
    return times[0] == times[1] if times != [None, None] else one.finished == other.finished

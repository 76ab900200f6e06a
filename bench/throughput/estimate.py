"""From raw times to figures that a disturbed machine hardly moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.throughput.document import Estimate, Latency, Speed, Split, Visit
from bench.throughput.parts import PARTS

Floats = NDArray[np.float64]
QUICK = 0.25
"""The quantile that stands for a model's time. Of the minimum, 0.1, 0.25 and 0.5 it agreed best between calls on a busy CPU."""
DRAWS = 1000
REST = 0.05
"""Share of the whole within which the parts of a split add up to it."""


def quick(seconds: Floats) -> float:
    """The lower quartile: what else a machine does only ever makes a pass slower, never quicker."""
    return float(np.quantile(seconds, QUICK))


def estimate(finish: Callable[..., float], *times: Sequence[Any]) -> Estimate:
    """``finish`` of times, one or several a round, with its interval over rounds drawn with replacement.

    The same rounds are drawn for all times, which ``finish`` is given flat.
    """
    tables = [np.asarray(each, dtype=np.float64) for each in times]
    rounds = len(tables[0])
    drawn = np.random.default_rng(0).integers(0, rounds, (DRAWS, rounds))
    low, high = np.quantile([finish(*(table[rows].ravel() for table in tables)) for rows in drawn], (0.025, 0.975))
    return Estimate(value=finish(*(table.ravel() for table in tables)), low=float(low), high=float(high))


def rate(batch: int, seconds: Sequence[Any]) -> Estimate:
    """Images a second from the seconds of passes, round by round."""
    return estimate(lambda own: batch / quick(own), seconds)


@dataclass(frozen=True)
class Unit:
    """The anchor's passes, round by round, of all visits of a round together: single ones, and those at its own batch."""

    latency_s: list[tuple[float, ...]]
    batch_s: list[tuple[float, ...]]
    batch: int


def unit_of(visits: Sequence[Sequence[Visit]], batch: int) -> Unit:
    """The anchor from all models' visits. Pooled, it moves a ratio less than its few passes beside one model would."""
    rounds = list(zip(*visits, strict=True))
    singles = [tuple(each for visit in round_ for each in visit.anchor_latency_s) for round_ in rounds]
    return Unit(singles, [tuple(each for visit in round_ for each in visit.anchor_s) for round_ in rounds], batch)


def speed(batch: int, visits: Sequence[Visit], unit: Unit) -> Speed:
    """Throughput at a batch, beside the anchor's in the same rounds."""
    own = [visit.batches_s[batch] for visit in visits]
    of_anchor = estimate(lambda mine, other: batch / unit.batch * quick(other) / quick(mine), own, unit.batch_s)
    return Speed(batch=batch, images_per_s=rate(batch, own), of_anchor=of_anchor)


def best(batches: Sequence[int], visits: Sequence[Visit]) -> int:
    """The batch of the highest throughput over all rounds."""
    return max(batches, key=lambda batch: batch / quick(np.concatenate([visit.batches_s[batch] for visit in visits])))


def latency(visits: Sequence[Visit], unit: Unit) -> Latency:
    """Quantiles over all passes, and the anchor's quick pass over the model's."""
    own = [visit.latency_s for visit in visits]
    passes_ms = 1e3 * np.concatenate(own)
    p50, p90, p99 = np.quantile(passes_ms, (0.5, 0.9, 0.99)).tolist()
    return Latency(
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99 if len(passes_ms) >= 100 else None,
        passes=len(passes_ms),
        of_anchor=estimate(lambda mine, other: quick(other) / quick(mine), own, unit.latency_s),
    )


def split(batch: int, visits: Sequence[Visit]) -> Split | None:
    """The parts of the quick passes beside the whole of the unmarked ones; None where there is no split."""
    marked = [visit.split_s for visit in visits if visit.split_s is not None]
    if not marked:
        return None
    # A round's mean, as the parts are.
    whole = [float(np.mean(visit.batches_s[batch])) for visit in visits]
    totals = np.array([sum(each.values()) for each in marked])
    # Parts of the same passes, those about the lower quartile: quartiles of each part would be of different passes.
    chosen = np.argsort(totals)[max(0, round(QUICK * len(totals)) - 1) : round(QUICK * len(totals)) + 2]
    parts = {name: float(np.mean([marked[index][name] for index in chosen])) for name in PARTS}
    whole_s = quick(np.array(whole))
    rest_s = whole_s - sum(parts.values())
    shown = {f"{name}_ms": 1e3 * seconds for name, seconds in parts.items()}
    return Split(whole_ms=1e3 * whole_s, **shown, rest_ms=1e3 * rest_s, adds_up=abs(rest_s) <= REST * whole_s)

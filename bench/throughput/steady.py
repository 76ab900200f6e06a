"""Burn-in: passes before the clock counts, until they take the same time."""

import time
from collections.abc import Callable
from statistics import median

from bench.throughput.document import BurnIn

WINDOWS = 3
"""So many windows in a row agree."""


def burn_in(
    pass_s: Callable[[], float],
    *,
    tolerance: float,
    window_s: float,
    bound_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> BurnIn:
    """Run ``pass_s``, which gives the seconds of one pass, in windows of ``window_s`` until the medians of the last three agree.

    They agree when the largest is within ``tolerance`` of the smallest. After ``bound_s`` it ends all the same, not ``steady``.
    At least one window is run, and a window is at least one pass.
    """
    begin, medians = clock(), list[float]()
    while True:
        window = [pass_s()]
        while sum(window) < window_s and clock() - begin < bound_s:
            window.append(pass_s())
        medians.append(median(window))
        last = medians[-WINDOWS:]
        steady = len(last) == WINDOWS and max(last) <= min(last) * (1 + tolerance)
        if steady or clock() - begin >= bound_s:
            return BurnIn(steady=steady, windows_s=tuple(medians), seconds=clock() - begin)

"""The best batch: doubled until nothing is gained, or nothing more fits."""

from collections.abc import Callable
from typing import Literal

import torch

from bench.throughput.document import Search, Tried

PATIENCE, CANDIDATES, NEAR = 2, 4, 0.2


def best_batch(pass_s: Callable[[int], float | None], *, most: int, gain: float) -> Search:
    """Try batches of 1, 2, 4 … images; ``pass_s`` gives the seconds of a pass, None for a batch beyond the memory.

    Ends where two batches in a row are not ``gain`` above the last that was, where one does not fit, or before ``most`` is passed.
    Candidates for the best are the quickest four within a fifth of the quickest: which one it is, a single look cannot tell. A
    single image that does not fit raises torch.OutOfMemoryError.
    """
    tried: list[Tried] = []
    fastest, idle, batch = 0.0, 0, 1
    stopped: Literal["gain", "memory", "bound"] = "bound"
    while batch <= most:
        seconds = pass_s(batch)
        tried.append(Tried(batch=batch, images_per_s=None if seconds is None else batch / seconds))
        if seconds is None:
            stopped = "memory"
            break
        if batch / seconds >= fastest * (1 + gain):
            fastest, idle = batch / seconds, 0
        else:
            idle += 1
        if idle == PATIENCE:
            stopped = "gain"
            break
        batch *= 2
    rates = {each.batch: each.images_per_s for each in tried if each.images_per_s is not None}
    if not rates:
        raise torch.OutOfMemoryError("a single image does not fit")
    quickest = sorted(rates, key=lambda each: -rates[each])[:CANDIDATES]
    near = sorted(each for each in quickest if rates[each] >= (1 - NEAR) * rates[quickest[0]])
    return Search(tried=tuple(tried), stopped=stopped, candidates=tuple(near))

"""Where a training's cache lives, and batches from a cache that stays on the host.

A cache goes whole onto the device when it takes no more than a stated share of the memory that is free there. Otherwise a
thread cuts the coming batches on the host, and a stream of its own copies them from pinned memory while the device computes.
Both ways give the same bytes, so where a cache lay changes no number.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Literal

import torch

from bench.data.augment import Cut
from bench.data.batches import Batches
from bench.data.cache import Cache, Planes

AHEAD = 3
"""Batches that are kept ready, or in the making, beyond the one in use."""
Placement = Literal["device", "streamed"]


def place(cache: Cache, device: torch.device, share: float) -> tuple[Cache, Placement]:
    """The cache on the device if it takes at most ``share`` (0 … 1) of its free memory, else as it is, to be streamed.

    A CPU reads the mapped file in place, whatever its size, unless the share is 0.
    """
    if share == 0:
        return cache, "streamed"
    if device.type == "cuda" and cache.size_bytes > share * torch.cuda.mem_get_info(device)[0]:
        return cache, "streamed"
    return cache.to(device), "device"


class Streamed:
    """The batches of a cache on the host, on another device and ahead of need; called with a step like `Batches`.

    An error of the thread is raised by the call for its step. Steps may be asked for in any order; in theirs it stays ahead.
    """

    def __init__(self, batches: Batches, device: torch.device, ahead: int = AHEAD) -> None:
        self.batches, self.device, self.ahead = batches, device, ahead
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: dict[int, Future[tuple[Cut, Any]]] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, step: int) -> Planes:
        """The batch of a step, as `Batches` gives it."""
        wanted = range(step, step + 1 + self.ahead)
        self._coming = {each: self._coming.get(each) or self._pool.submit(self._fetch, each) for each in wanted}
        cut, copied = self._coming.pop(step).result()
        if copied is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(copied)
            for plane in cut.planes:
                plane.record_stream(current)  # its memory was taken on the other stream, and must outlive its use on this one
        return self.batches.finish(cut)

    def close(self) -> None:
        """Drop what is in the making."""
        self._pool.shutdown(cancel_futures=True)

    def _fetch(self, step: int) -> tuple[Cut, Any]:
        """The bytes of a step on the device, and the event after which they are there."""
        cut = self.batches.cut(step)
        with torch.cuda.stream(self._stream) if self._stream else nullcontext():
            there = cut.to(self.device)
        return there, self._stream.record_event() if self._stream else None

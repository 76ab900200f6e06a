"""The one clock of all speeds: device events on CUDA, the system's performance counter elsewhere."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


@torch.inference_mode()
def label_maps(model: nn.Module, images: Tensor, precision: str) -> Tensor:
    """(B, H, W) class maps of a (B, 3, H, W) batch: what is timed, the class map as `bench.evaluate.predict` makes it."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        indices: Tensor = model(images).max(1).indices
    return indices


class Timer:
    """Times calls on a device.

    CUDA runs behind the program, so events are put into its queue around the calls and the last one is waited for: what they
    measure begins with the device idle and ends with its work, launches included, and without the host's waking up.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> None:
        self.device, self.clock = device, clock

    def seconds(self, call: Callable[[], Any], passes: int = 1) -> float:
        """Mean seconds of ``passes`` calls, one behind the other without a pause."""
        begin = self.now()
        for _ in range(passes):
            call()
        return self.between(begin, self.now()) / passes

    def each(self, call: Callable[[], Any], passes: int) -> tuple[float, ...]:
        """Seconds of each of so many calls, one behind the other: the device is waited for after the last alone."""
        marks = [self.now()]
        for _ in range(passes):
            call()
            marks.append(self.now())
        if self.device.type == "cuda":
            marks[-1].synchronize()
        return tuple(round(self.between(*pair), 9) for pair in pairwise(marks))

    def now(self) -> Any:
        """A mark, for `between`: an event recorded in the device's queue, or the time."""
        if self.device.type != "cuda":
            return self.clock()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def between(self, begin: Any, end: Any) -> float:
        """Seconds from one mark to a later one; waits until the device has come to the later."""
        if self.device.type != "cuda":
            return float(end - begin)
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

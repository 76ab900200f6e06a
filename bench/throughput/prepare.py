"""Before the rounds: each model warm and steady, its best batch, and how often a pass is repeated in a round."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch

from bench.memory import host_bytes, out_of_memory
from bench.models.shapes import activation_bytes
from bench.throughput.document import BurnIn, Search, Settings
from bench.throughput.estimate import quick
from bench.throughput.parts import boundary
from bench.throughput.search import best_batch
from bench.throughput.steady import burn_in
from bench.throughput.subject import Subject
from bench.throughput.timer import Timer

MOST_PASSES = 50
"""In one window, however quick they are."""


@dataclass(frozen=True)
class Prepared:
    """A model that can be visited."""

    subject: Subject
    burn_in: BurnIn
    search: Search
    fixed: int | None
    """The fixed batch, None where it does not fit."""
    splits: bool
    """Whether its parts can be told from each other."""
    passes: dict[int, int]
    """Batch -> passes in a window."""
    peak_memory_gib: float | None

    @property
    def batches(self) -> list[int]:
        """The batches whose throughput the rounds measure."""
        return sorted({*self.search.candidates, *([self.fixed] if self.fixed else [])})


def prepare(subject: Subject, settings: Settings, timer: Timer) -> Prepared:
    """Warm a model up, search its best batch, and size its windows."""
    single = subject.call(1)
    warmed = burn_in(
        lambda: timer.seconds(single),
        tolerance=settings.tolerance,
        window_s=settings.window_s,
        bound_s=settings.burn_in_s,
    )

    def pass_s(batch: int) -> float | None:
        return _within_memory(subject, batch, lambda: _quick_pass_s(subject.call(batch), settings, timer))

    search = best_batch(pass_s, most=settings.most_batch, gain=settings.gain)
    rates = {each.batch: each.images_per_s for each in search.tried if each.images_per_s is not None}
    fixed_s = settings.batch / rate if (rate := rates.get(settings.batch)) else pass_s(settings.batch)
    seconds = {1: min(warmed.windows_s)} | {batch: batch / rates[batch] for batch in search.candidates}
    seconds |= {settings.batch: fixed_s} if fixed_s else {}
    return Prepared(
        subject=subject,
        burn_in=warmed,
        search=search,
        fixed=settings.batch if fixed_s else None,
        splits=boundary(subject.model) is not None,
        passes={batch: window_passes(each, settings.window_s) for batch, each in seconds.items()},
        peak_memory_gib=_peak_gib(subject, settings.batch) if fixed_s else None,
    )


def window_passes(pass_s: float, window_s: float) -> int:
    """How many passes of so many seconds fill a window; one at least."""
    return min(MOST_PASSES, max(1, ceil(window_s / pass_s)))


def _quick_pass_s(call: Callable[[], object], settings: Settings, timer: Timer) -> float:
    """Of three windows, which is enough to tell which batches are worth the rounds."""
    passes = window_passes(timer.seconds(call), settings.window_s)  # the first pass is not one of them
    return quick(np.array(timer.each(call, 3 * passes)))


def _within_memory(subject: Subject, batch: int, measure: Callable[[], float]) -> float | None:
    """What is measured, or None for a batch beyond the memory, which is left as free as it was."""
    device = subject.inputs.device
    # A host does not say no in time: it swaps, or ends the process.
    if device.type == "cpu" and batch > 1 and batch * activation_bytes(subject.model, subject.seen) > host_bytes() / 2:
        return None
    try:
        return measure()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    subject.inputs.forget()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def _peak_gib(subject: Subject, batch: int) -> float | None:
    """Memory of one pass beside what lay on the device before, and of the model's own weights."""
    device = subject.inputs.device
    if device.type != "cuda":
        return None
    call = subject.call(batch)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    call()
    tensors = [*subject.model.parameters(), *subject.model.buffers()]
    own = sum(each.numel() * each.element_size() for each in tensors)
    return (torch.cuda.max_memory_allocated(device) - before + own) / 2**30

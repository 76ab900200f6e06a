"""A few steps of a cell, timed: what `bench plan --measure` knows of a configuration before hours are spent on it."""

import os
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import checkpoint
from bench.checkpoint import TrainState
from bench.costs import Measured
from bench.data import entry_of
from bench.data.batches import Batches, by_size
from bench.data.cache import Cache
from bench.data.subsets import horizon, subset
from bench.evaluate import count, evaluate
from bench.experiment import build, class_weights, open_split, profile_size, set_up
from bench.job import Job
from bench.memory import out_of_memory
from bench.profiler import times
from bench.ranks import Ranks
from bench.train import build_optimizer, train

WARMUP, STEPS = 2, 6


def trial(job: Job) -> dict[str, Any]:
    """Train for a few steps, score a batch and time a pass on the job's device; the fields of a `bench.costs.Measured`.

    Everything is the cell's own: model, data, augmentation, loss, precision. Nothing is left in the store. A want of memory is
    a finding: ``oom``.
    """
    device = torch.device(job.device)
    memory_gib = _memory_gib(device)
    try:
        return asdict(_measured(job, device, memory_gib))
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        message = str(error).strip().splitlines()[0][:200] if str(error) else type(error).__name__
        return asdict(Measured(0, 0, 0, 0, 0, 0, _peak_gib(device), memory_gib, message, oom=True))


def _measured(job: Job, device: torch.device, memory_gib: float) -> Measured:
    cell, begin = job.cell, time.perf_counter()
    assert cell.dataset.train is not None and cell.dataset.test is not None
    set_up(job, device)
    model = build(job, device)
    num_classes = entry_of(cell.dataset).num_classes
    cache, _ = open_split(job, cell.dataset.train, device)
    chosen = subset(cache.class_counts, cell.fraction, cell.seed)
    full = horizon(cell.recipe, len(chosen))
    # Schedule and warm-up change no cost, and a short horizon must not contradict them.
    spec = full.model_copy(update={"steps": WARMUP + STEPS, "warmup_steps": 0, "schedule": "constant", "val_every": None})
    # Of a cell over several devices, what one of them does: the exchange between them is left out.
    batches = Batches(cache, chosen, spec, cell.augmentation, cell.seed, Ranks(0, spec.devices).part(spec.batch))
    state = TrainState(model, build_optimizer(model, spec))
    marks: list[float] = []

    def mark(_: Any = None) -> bool:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        marks.append(time.perf_counter())
        return False

    begin_s = time.perf_counter() - begin
    weights = class_weights(cache, chosen, spec.class_weights, device)
    silent: Any = {"log": lambda line: None, "validate": None, "save": lambda state: None, "should_stop": lambda: False}
    train(state, batches, spec, seed=cell.seed, class_weights=weights, should_save=mark, **silent)
    step_s = float(np.median(np.diff(marks)[WARMUP - 1 :]))
    val_cache = open_split(job, cell.dataset.val, device)[0] if cell.dataset.val else None
    validate_s = _per_image(val_cache, cell.eval.batch, lambda part: count(model, part, cell.eval, num_classes=num_classes))
    test_cache = open_split(job, cell.dataset.test, device)[0]
    evaluate_s = _per_image(test_cache, cell.eval.batch, lambda part: evaluate(model, part, cell.eval, num_classes=num_classes))
    return Measured(
        begin_s=begin_s,
        step_s=step_s,
        save_s=_save_s(job.store, state),
        validate_s=validate_s,
        evaluate_s=evaluate_s,
        profile_s=_profile_s(job, model, device),
        peak_memory_gib=_peak_gib(device),
        memory_gib=memory_gib,
    )


def _per_image(cache: Cache | None, batch: int, score: Any) -> float:
    """Seconds an image, from two batches of one size after one that is not counted."""
    if cache is None:
        return 0.0
    first = next(by_size(cache.sizes, batch))
    part = _part(cache, first)
    score(part)
    begin = time.perf_counter()
    for _ in range(2):
        score(part)
    return (time.perf_counter() - begin) / (2 * len(part))


def _part(cache: Cache, indices: np.ndarray) -> Cache:
    """A cache of some images of another, of one size."""
    images, labels, *_ = cache.whole(indices)
    sizes = cache.sizes[indices]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes.prod(axis=1))])
    ids = tuple(cache.ids[index] for index in indices)
    return Cache(images.reshape(-1, 3), labels.reshape(-1), sizes, offsets, cache.class_counts[indices], ids)


def _save_s(store: Path, state: TrainState) -> float:
    """Seconds of a checkpoint, on the disk of the store."""
    folder = Path(tempfile.mkdtemp(prefix=".trial-", dir=store))
    try:
        begin = time.perf_counter()
        checkpoint.save(folder, state)
        return time.perf_counter() - begin
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _profile_s(job: Job, model: torch.nn.Module, device: torch.device) -> float:
    """Seconds of the whole profile, from one pass of each batch."""
    spec = job.cell.profile
    if spec is None:
        return 0.0
    once = spec.model_copy(update={"warmup": 1, "rounds": 1})
    seen = tuple(side + 2 * int(getattr(model, "margin", 0)) for side in spec.size or profile_size(job))
    model.eval()
    with torch.inference_mode():
        passes = [times(model, torch.rand(number, 3, *seen, device=device), once, device)[0] for number in (1, spec.batch)]
    return (spec.warmup + spec.rounds) * sum(passes)


def _peak_gib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30


def _memory_gib(device: torch.device) -> float:
    """Memory of the device, or of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 2**30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30

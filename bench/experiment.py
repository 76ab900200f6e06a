"""One cell from its spec to its result: train or go on, choose the weights, score, profile, write."""

import io
import platform
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench import __version__, checkpoint
from bench.cell import Cell, digest
from bench.checkpoint import TrainState
from bench.curve import Curve
from bench.data import DATASETS
from bench.data.batches import Batches
from bench.data.cache import Cache, open_cache
from bench.data.chance import torch_seed
from bench.data.subsets import median_frequency_weights, subset
from bench.evaluate import Scores, evaluate
from bench.job import Job
from bench.metrics import scores as score
from bench.models import build_model
from bench.profiler import describe, device_name, profile
from bench.store import Result, Store, read_json, write_json, write_whole
from bench.train import build_optimizer, train

Report = Callable[[dict[str, Any]], None]


def run_cell(job: Job, *, report: Report, should_stop: Callable[[], bool]) -> Result:
    """Bring a cell to its result, from wherever an earlier run left it.

    Raises Interrupted after saving when asked to stop, Diverged when the loss is no number, BenchError for unusable input.
    """
    cell, store = job.cell, Store(job.store)
    folder = store.open_cell(cell)
    device = torch.device(job.device)
    _set_up(job, device)
    entry = DATASETS[cell.dataset.name]
    torch.manual_seed(torch_seed(cell.seed, "init"))
    memory_format = torch.channels_last if cell.train.channels_last else torch.contiguous_format
    model = build_model(cell.model, entry.num_classes).to(device=device, memory_format=memory_format)  # type: ignore[call-overload]
    trained = folder / "trained.json"
    if not trained.exists() and not _adopt(store, cell, folder):
        _train(job, model, folder, device, report, should_stop)
    facts = read_json(trained)
    chosen = _choose(cell, folder, facts, model)
    scores, evaluate_s = _evaluate(job, model, folder, device, report)
    report({"stage": "profile"})
    begin = time.perf_counter()
    described = describe(model)
    size = cell.profile and (cell.profile.size or _first_size(job))
    measured = profile(model, size, cell.profile) if cell.profile and size else None
    seconds = {"train_s": facts["train_s"], "evaluate_s": evaluate_s, "profile_s": time.perf_counter() - begin}
    metrics, per_class = summarise(scores, entry.class_names)
    result = Result(
        cell_id=cell.id,
        cell=cell.to_json(),
        metrics=metrics,
        per_class=per_class,
        chosen=chosen,
        model=described,
        profile=measured,
        data={**facts["data"], "test_images": len(scores.counts), **_band(scores)},
        seconds=seconds,
        environment={**environment(device), "training": facts["environment"]},
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(folder / "result.json", result.model_dump())
    checkpoint.finish(folder)
    return result


def _set_up(job: Job, device: torch.device) -> None:
    """Threads and determinism of this process."""
    if job.threads:
        torch.set_num_threads(job.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = not job.cell.train.deterministic
    torch.use_deterministic_algorithms(job.cell.train.deterministic)


def _train(job: Job, model: nn.Module, folder: Path, device: torch.device, report: Report, should_stop: Callable[[], bool]) -> None:
    """Train to the last step and write ``final.pt``, the best weights and, as the mark of completion, ``trained.json``."""
    cell, spec = job.cell, job.cell.train
    report({"stage": "train", "steps": spec.steps})
    assert cell.dataset.train is not None
    train_cache = _open(job, cell.dataset.train, device)
    chosen = subset(train_cache.class_counts, cell.fraction, cell.seed)
    val_cache = _open(job, cell.dataset.val, device) if cell.dataset.val else None
    num_classes = DATASETS[cell.dataset.name].num_classes
    weights = _class_weights(train_cache, chosen, spec.class_weights, device)
    state = TrainState(model, build_optimizer(model, spec))
    for note in checkpoint.resume(folder, state):
        report({"note": note})
    curve = Curve(folder / "curve.jsonl", state.step)
    clock = _Clock(job.checkpoint_every_s)

    def validate(step: int) -> float:
        assert val_cache is not None
        counts = evaluate(model, val_cache, cell.eval, num_classes=num_classes, boundary=False).counts.sum(axis=0)
        value = float(np.nan_to_num(score.miou(counts)))
        if state.best is None or value > state.best["score"]:
            checkpoint.save_weights(folder / checkpoint.best_name(step), model)
            state.best = {"step": step, "score": value}
        return value

    def log(line: dict[str, float]) -> None:
        curve.add({**line, "time": time.time(), "seconds": clock.lap()})
        report(line)

    train(
        state,
        Batches(train_cache, chosen, spec, cell.augmentation, cell.seed),
        spec,
        seed=cell.seed,
        class_weights=weights,
        log=log,
        validate=validate if val_cache is not None else None,
        save=lambda state: checkpoint.save(folder, state),
        should_save=clock.due,
        should_stop=should_stop,
    )
    checkpoint.save_weights(folder / checkpoint.FINAL, model)
    ids = [train_cache.ids[index] for index in chosen]
    data = {"train_images": len(ids), "train_ids_hash": digest(ids)[:16], "val_images": len(val_cache) if val_cache else 0}
    write_json(folder / "train_ids.json", ids)
    facts = {"best": state.best, "steps": spec.steps, "train_s": curve.seconds(), "data": data, "environment": environment(device)}
    write_json(folder / "trained.json", facts)
    checkpoint.finish(folder)


def _adopt(store: Store, cell: Cell, folder: Path) -> bool:
    """Take over the weights of a cell that was trained alike and is scored or profiled otherwise."""
    for sibling in sorted((store.root / "cells").glob(f"{cell.train_id}-*")):
        if sibling == folder or not (sibling / "trained.json").exists():
            continue
        for file in [*sibling.glob("*.pt"), sibling / "curve.jsonl", sibling / "train_ids.json"]:
            _link(file, folder / file.name)
        write_json(folder / "trained.json", read_json(sibling / "trained.json"))
        return True
    return False


def _link(file: Path, place: Path) -> None:
    """The same file under a second name, or a copy on a file system without links."""
    place.unlink(missing_ok=True)
    try:
        place.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, place)


def _choose(cell: Cell, folder: Path, facts: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Load the weights the suite reports."""
    best = facts["best"]
    if cell.eval.choose == "best" and best is not None:
        checkpoint.load_weights(folder / checkpoint.best_name(int(best["step"])), model)
        return {"rule": "best", "step": int(best["step"]), "val_miou": best["score"]}
    checkpoint.load_weights(folder / checkpoint.FINAL, model)
    return {"rule": "last", "step": facts["steps"], "val_miou": None}


def _evaluate(job: Job, model: nn.Module, folder: Path, device: torch.device, report: Report) -> tuple[Scores, float]:
    """Score the reported split, or read the scores an earlier run of this cell left."""
    path = folder / "per_image.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return Scores(saved["counts"], saved["boundary"], saved["widths_px"]), float(saved["seconds"])
    assert job.cell.dataset.test is not None
    report({"stage": "evaluate"})
    begin = time.perf_counter()
    cache = _open(job, job.cell.dataset.test, device)
    scores = evaluate(model, cache, job.cell.eval, num_classes=DATASETS[job.cell.dataset.name].num_classes)
    seconds = time.perf_counter() - begin
    write_scores(path, scores, cache.ids, seconds)
    return scores, seconds


def write_scores(path: Path, scores: Scores, ids: tuple[str, ...], seconds: float) -> None:
    """Write per-image counts compressed, whole or not at all."""
    buffer = io.BytesIO()
    assert scores.boundary is not None and scores.widths_px is not None
    np.savez_compressed(
        buffer,
        counts=scores.counts.astype(np.int64),
        boundary=scores.boundary,
        widths_px=scores.widths_px,
        ids=np.array(ids),
        seconds=np.array(seconds),
    )
    write_whole(path, buffer.getvalue())


def summarise(scores: Scores, class_names: tuple[str, ...]) -> tuple[dict[str, float | None], dict[str, dict[str, float | None]]]:
    """Scores of the whole split from per-image sums, and the IoU and Boundary IoU of each class; None where there is no value."""
    counts = scores.counts.sum(axis=0)
    metrics = {
        "miou": score.miou(counts),
        "fwiou": score.fwiou(counts),
        "pixel_accuracy": score.pixel_accuracy(counts),
        "mean_accuracy": score.mean_accuracy(counts),
    }
    per_class = {"iou": score.iou(counts)}
    if scores.boundary is not None:
        per_class["boundary_iou"] = score.ratio(*np.moveaxis(scores.boundary.sum(axis=0), -1, 0))
        metrics["boundary_iou"] = score.class_mean(per_class["boundary_iou"])
    named = {
        metric: {name: _number(value) for name, value in zip(class_names, values, strict=True)}
        for metric, values in per_class.items()
    }
    return {name: _number(value) for name, value in metrics.items()}, named


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _band(scores: Scores) -> dict[str, Any]:
    widths = scores.widths_px
    return {} if widths is None else {"boundary_width_px": [int(widths.min()), int(widths.max())]}


def _class_weights(cache: Cache, chosen: np.ndarray, rule: str, device: torch.device) -> torch.Tensor | None:
    if rule == "none":
        return None
    areas = cache.sizes[chosen].prod(axis=1)
    return torch.from_numpy(median_frequency_weights(cache.class_counts[chosen], areas)).float().to(device)


def _open(job: Job, split: str, device: torch.device) -> Cache:
    return open_cache(job.caches[split]).to(device)


def _first_size(job: Job) -> tuple[int, int]:
    assert job.cell.dataset.test is not None
    height, width = open_cache(job.caches[job.cell.dataset.test]).sizes[0]
    return int(height), int(width)


class _Clock:
    """Says when the next checkpoint is due, and how long the stretch since the last log line took."""

    def __init__(self, every_s: float) -> None:
        self.every_s, self.last = every_s, time.monotonic()
        self.lapped = self.last

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.every_s:
            return False
        self.last = now
        return True

    def lap(self) -> float:
        """Seconds since the last call."""
        now = time.monotonic()
        before, self.lapped = self.lapped, now
        return now - before


def environment(device: torch.device) -> dict[str, Any]:
    """What a result was made with: versions, device, threads."""
    return {
        "stridebench": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }

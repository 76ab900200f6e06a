"""One cell from its spec to its result: train or go on, choose the weights, score, profile, write."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench import __version__, checkpoint
from bench.ceilings.compute import cell_ceiling
from bench.cell import Cell, digest
from bench.checkpoint import TrainState
from bench.curve import Curve
from bench.data import entry_of
from bench.data.ahead import Placement, Streamed, place
from bench.data.batches import Batches, by_size
from bench.data.border import border_file
from bench.data.cache import Cache, open_cache
from bench.data.chance import torch_seed
from bench.data.subsets import horizon, median_frequency_weights, subset
from bench.errors import BenchError
from bench.evaluate import count, evaluate, rescore
from bench.job import Job
from bench.metrics import scores as score
from bench.models import build_model
from bench.per_image import PerImage
from bench.predictions import NAME as PREDICTIONS
from bench.predictions import PredictionWriter, join
from bench.profiler import describe, device_name, profile
from bench.ranks import ALONE, Ranks
from bench.reuse import adopt, link, predicted_alike, profiled_alike
from bench.store import Result, Store, read_json, write_json
from bench.summary import scored, summarise
from bench.train import Interrupted, Stop, build_optimizer, refuse_batch_statistics, train

Report = Callable[[dict[str, Any]], None]


def run_cell(job: Job, *, report: Report, should_stop: Callable[[], bool]) -> Result:
    """Bring a cell to its result, from wherever an earlier run left it.

    Raises Interrupted after saving when asked to stop, Diverged when the loss is no number, BenchError for unusable input.
    """
    cell, store = job.cell, Store(job.store)
    folder = store.open_cell(cell)
    device = torch.device(job.device)
    set_up(job, device)
    entry = entry_of(cell.dataset)
    model = build(job, device)
    trained = folder / "trained.json"
    if not trained.exists() and not adopt(store, cell, folder):
        _train(job, model, folder, device, report, should_stop)
    facts = read_json(trained)
    chosen = _choose(cell, folder, facts, model)
    sums = _evaluate(job, model, folder, device, report, should_stop)
    report({"stage": "profile"})
    begin = time.perf_counter()
    described = describe(model)
    measured = _profile(job, model, device)
    seconds = {"train_s": facts["train_s"], "evaluate_s": sums.seconds, "profile_s": time.perf_counter() - begin}
    summary = summarise(sums, entry.class_names, described["output_stride"])
    result = Result(
        cell_id=cell.id,
        cell=cell.to_json(),
        metrics=summary.metrics,
        per_class=summary.per_class,
        curves=summary.curves,
        ceiling=_ceiling(job, described["output_stride"]),
        chosen=chosen,
        model=described,
        profile=measured,
        data={**facts["data"], **scored(sums, cell.eval), **_kept(folder)},
        seconds=seconds,
        environment={**environment(device), "training": facts["environment"]},
        predicted=job.predicted,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    checkpoint.finish(folder)  # before the result, after which nobody comes here again
    write_json(folder / "result.json", result.model_dump())
    return result


def to_share(job: Job) -> bool:
    """Whether a cell over several devices has something left that they do together; `run_cell` does the rest on one.

    The weights of a cell that was trained alike are taken over here.
    """
    cell, store = job.cell, Store(job.store)
    folder = store.folder(cell.id)
    trained = (folder / "trained.json").exists() or adopt(store, cell, folder)
    return not trained or _to_predict(store, cell, folder)


def share_cell(job: Job, ranks: Ranks, *, report: Report, should_stop: Callable[[], bool]) -> None:
    """One rank's share of training and evaluation; raises what `run_cell` raises. The first rank writes and reports."""
    store, device = Store(job.store), torch.device(job.device)
    folder = store.folder(job.cell.id)
    set_up(job, device)
    model = build(job, device)
    say = report if ranks.first else lambda line: None

    def agreed() -> bool:
        return ranks.any(should_stop())

    if not (folder / "trained.json").exists():
        _train(job, ranks.synchronised(model), folder, device, say, agreed, ranks)
    ranks.wait()
    _choose(job.cell, folder, read_json(folder / "trained.json"), model)
    if _to_predict(store, job.cell, folder):
        _evaluate(job, model, folder, device, say, agreed, ranks)


def _to_predict(store: Store, cell: Cell, folder: Path) -> bool:
    """Whether the sums of the reported split need the model."""
    there = any((folder / name).exists() for name in ("per_image.npz", PREDICTIONS))
    return not there and predicted_alike(store, cell) is None


def build(job: Job, device: torch.device) -> nn.Module:
    """The cell's model with its seed's initial weights, on a device."""
    cell = job.cell
    torch.manual_seed(torch_seed(cell.seed, "init"))
    memory_format = torch.channels_last if cell.recipe.channels_last else torch.contiguous_format
    model = build_model(cell.model, entry_of(cell.dataset).num_classes)
    return model.to(device=device, memory_format=memory_format)  # type: ignore[call-overload]


def set_up(job: Job, device: torch.device) -> None:
    """Threads and determinism of this process."""
    if job.threads:
        torch.set_num_threads(job.threads)
    if device.type == "cuda":
        if job.cell.recipe.deterministic:  # else matrix products refuse; read once, at the first of them
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = not job.cell.recipe.deterministic
    if job.cell.recipe.deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(job.cell.recipe.deterministic)  # which loads torch's compiler, for seconds


def _train(
    job: Job,
    model: nn.Module,
    folder: Path,
    device: torch.device,
    report: Report,
    should_stop: Callable[[], bool],
    ranks: Ranks = ALONE,
) -> None:
    """Train to the last step and write ``final.pt``, the best weights and, as the mark of completion, ``trained.json``."""
    cell = job.cell
    assert cell.dataset.train is not None
    train_cache, placement = open_split(job, cell.dataset.train, device)
    chosen = subset(train_cache.class_counts, cell.fraction, cell.seed)
    spec = horizon(cell.recipe, len(chosen))
    assert spec.steps is not None
    report({"stage": "train", "steps": spec.steps})
    val_cache = open_split(job, cell.dataset.val, device)[0] if cell.dataset.val else None
    num_classes = entry_of(cell.dataset).num_classes
    if spec.on_oom == "accumulate":
        refuse_batch_statistics(model)
    batches = Batches(train_cache, chosen, spec, cell.augmentation, cell.seed, ranks.part(cell.recipe.batch))
    streamed = Streamed(batches, device) if placement == "streamed" else None
    weights = class_weights(train_cache, chosen, spec.class_weights, device)
    inherited = _inherit(Store(job.store), cell, model, report)
    state = TrainState(model, build_optimizer(model, spec))
    for note in checkpoint.resume(folder, state):
        report({"note": note})
    ranks.wait()  # until all have read what the first one will write anew
    curve = Curve(folder / "curve.jsonl", state.step) if ranks.first else None
    clock = _Clock(job.checkpoint_every_s)

    def heed() -> None:
        if should_stop():
            raise Stop

    def validate(step: int) -> float:
        assert val_cache is not None
        counts = count(model, val_cache, cell.eval, num_classes=num_classes, heed=heed, ranks=ranks)
        value = float(np.nan_to_num(score.miou(counts.sum(axis=0))))
        if state.best is None or value > state.best["score"]:
            if ranks.first:
                checkpoint.save_weights(folder / checkpoint.best_name(step), model)
            state.best = {"step": step, "score": value}
        return value

    def log(line: dict[str, Any]) -> None:
        if curve and "step" in line:
            curve.add({**line, "time": time.time(), "seconds": clock.lap()})
        report(line)

    train(
        state,
        streamed or batches,
        spec,
        seed=cell.seed,
        class_weights=weights,
        log=log,
        validate=validate if val_cache is not None else None,
        save=lambda state: checkpoint.save(folder, state) if ranks.first else None,
        should_save=clock.due,
        should_stop=should_stop,
        ranks=ranks,
    )
    if streamed:
        streamed.close()
    if curve is None:
        return
    checkpoint.save_weights(folder / checkpoint.FINAL, model)
    ids = [train_cache.ids[index] for index in chosen]
    data = {
        "train_images": len(ids),
        "train_ids_hash": digest(ids)[:16],
        "train_steps": spec.steps,
        "train_epochs": round(spec.steps * spec.batch / len(ids), 3),
        "val_images": len(val_cache) if val_cache else 0,
        "placement": placement,
    }
    data |= inherited
    data |= {"devices": ranks.size} if ranks.size > 1 else {}
    if spec.on_oom == "accumulate":
        data["accumulated"] = {"parts": state.parts, "since_step": state.parts_since}
    write_json(folder / "train_ids.json", ids)
    facts = {"best": state.best, "steps": spec.steps, "train_s": curve.seconds(), "data": data, "environment": environment(device)}
    write_json(folder / "trained.json", facts)
    checkpoint.finish(folder)


def _inherit(store: Store, cell: Cell, model: nn.Module, report: Report) -> dict[str, Any]:
    """Begin with the last weights of the cell this one starts from; returns what of them was taken over, for the result."""
    if cell.start is None:
        return {}
    folder = next(path.parent for path in (store.root / "cells").glob(f"{cell.start.train_id}-*/trained.json"))
    names = checkpoint.inherit(folder / checkpoint.FINAL, model)
    taken, rest, left = names["taken"], names["initialised"], names["left"]
    lost, count = checkpoint.astray([*taken, *left], [*taken, *rest], taken)
    if lost:
        raise BenchError(
            f"{cell.label} has another trunk than {cell.start.label}, which it is to start from: {len(lost)} of {count} tensors "
            f"differ in name or shape, {lost[0]} among them. Start from a model of the same trunk, or leave init_from out."
        )
    listed = [f"{len(names['taken'])} tensors from {cell.start.model_label}"]
    listed += [f"{kind}: {', '.join(names[kind])}" for kind in ("initialised", "left") if names[kind]]
    report({"note": "; ".join(listed)})
    return {"start": {"model": cell.start.model_label, "train_id": cell.start.train_id, **names, "taken": len(names["taken"])}}


def _choose(cell: Cell, folder: Path, facts: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Load the weights the suite reports."""
    best = facts["best"]
    if cell.eval.choose == "best" and best is not None:
        checkpoint.load_weights(folder / checkpoint.best_name(int(best["step"])), model)
        return {"rule": "best", "step": int(best["step"]), "val_miou": best["score"]}
    checkpoint.load_weights(folder / checkpoint.FINAL, model)
    return {"rule": "last", "step": facts["steps"], "val_miou": None}


def _evaluate(
    job: Job,
    model: nn.Module,
    folder: Path,
    device: torch.device,
    report: Report,
    should_stop: Callable[[], bool],
    ranks: Ranks = ALONE,
) -> PerImage:
    """Score the reported split: from what an earlier run of this cell left, from label maps that were kept, or with the model.

    Raises Interrupted, with nothing to save, when asked to stop.
    """
    cell, path = job.cell, folder / "per_image.npz"
    if path.exists():
        return PerImage.read(path)
    assert cell.dataset.test is not None
    entry, kept = entry_of(cell.dataset), folder / PREDICTIONS
    report({"stage": "evaluate"})
    begin = time.perf_counter()
    cache, _ = open_split(job, cell.dataset.test, device)

    def heed() -> None:
        if should_stop():
            raise Interrupted(read_json(folder / "trained.json")["steps"])

    if not kept.exists() and (same := predicted_alike(Store(job.store), cell)):
        report({"note": f"scored from the label maps that {same.parent.name} kept"})
        link(same, kept)
    if kept.exists():
        sums = rescore(kept, cache, cell.eval, num_classes=entry.num_classes)
    elif cell.eval.keep_predictions:
        parts = [kept] if ranks.size == 1 else [kept.with_name(f".{rank}.{kept.name}") for rank in range(ranks.size)]
        with PredictionWriter(parts[ranks.rank], entry.palette) as writer:
            sums = evaluate(model, cache, cell.eval, num_classes=entry.num_classes, keep=writer.add, heed=heed, ranks=ranks)
        ranks.wait()
        if ranks.size > 1 and ranks.first:
            groups = by_size(cache.sizes, cell.eval.batch)
            join(parts, [[cache.ids[index] for index in group] for group in groups], kept, entry.palette)
    else:
        sums = evaluate(model, cache, cell.eval, num_classes=entry.num_classes, heed=heed, ranks=ranks)
    sums = replace(sums, seconds=time.perf_counter() - begin)
    if ranks.first:
        sums.write(path)
    return sums


def _profile(job: Job, model: nn.Module, device: torch.device) -> dict[str, Any] | None:
    """Measure speed and cost, or take over what a cell with the same weights measured in the same way on such a device."""
    cell, store = job.cell, Store(job.store)
    if cell.profile is None:
        return None
    if job.sharing == 1 and (same := profiled_alike(store, cell, environment(device))) is not None:
        return same.profile
    return profile(model, cell.profile.size or profile_size(job), cell.profile, sharing=job.sharing)


def _ceiling(job: Job, stride: int) -> dict[str, Any]:
    """What prediction at the model's output stride could score on the same labels; the first cell of a suite works it out."""
    assert job.cell.dataset.test is not None
    return cell_ceiling(Store(job.store), job.cell, open_cache(job.caches[job.cell.dataset.test]), stride)


def _kept(folder: Path) -> dict[str, float]:
    """The size of the label maps that were kept, if any."""
    kept = folder / PREDICTIONS
    return {"predictions_mib": round(kept.stat().st_size / 2**20, 3)} if kept.exists() else {}


def class_weights(cache: Cache, chosen: np.ndarray, rule: str, device: torch.device) -> torch.Tensor | None:
    """(C,) weights of the loss over the images trained on, on a device; None for none."""
    if rule == "none":
        return None
    areas = cache.sizes[chosen].prod(axis=1)
    return torch.from_numpy(median_frequency_weights(cache.class_counts[chosen], areas)).float().to(device)


def open_split(job: Job, split: str, device: torch.device) -> tuple[Cache, Placement]:
    """The cache of a split, on the device where it fits; the split trained on with its border terms where those are asked for."""
    spec = job.cell.recipe.border_weights if split == job.cell.dataset.train else None
    border = border_file(spec, entry_of(job.cell.dataset).class_names) if spec else None
    return place(open_cache(job.caches[split], border), device, job.cache_share)


def profile_size(job: Job) -> tuple[int, int]:
    """(height, width) in pixels at which a profile without a size of its own is measured: that of the first scored image."""
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

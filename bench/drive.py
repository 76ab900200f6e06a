"""One `bench run`: survey, check, prepare, run what is pending, mirror. Knows no terminal; a view watches."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.cancel import Requests
from bench.cell import Cell
from bench.claims import Watch
from bench.costs import Costs, as_dict
from bench.data import entry_of
from bench.data.crops import check_margin
from bench.data.prepare import prepare_border, prepare_split
from bench.data.subsets import horizon, subset_size
from bench.errors import BenchError
from bench.job import Job
from bench.lineage import ancestors
from bench.per_image import readable
from bench.plan import Plan, Trained, check, roles
from bench.registry import load
from bench.runners import Cluster, runner
from bench.runners.local import fair_threads, ranks_on
from bench.runners.process import Machine, preflight
from bench.scored import sound
from bench.store import Store, is_full, split_key
from bench.yamlfile import read_yaml

HOPELESS = ("diverged", "oom", "timeout")
"""Failures that the same cell on the same machine would repeat: run again only when asked to."""


class View(Protocol):
    """What watches a run."""

    def preparing(self, name: str, done: int, total: int) -> None:
        """A data set is being decoded."""

    def begin(self, plan: Plan, jobs: list[Job]) -> None:
        """All is checked and prepared."""

    def event(self, kind: str, job: Job, details: dict[str, object]) -> None:
        """Something happened to a cell."""

    def note(self, text: str) -> None:
        """Something to know that stops nothing."""


@dataclass(frozen=True)
class Options:
    """How to run, in nothing that changes a number."""

    data_root: Path
    tracking_uri: str | None
    """None for no mirror."""
    retry: bool = False
    only: str | None = None
    """Beginning of the id of the one cell to run, after those it starts from."""
    among: frozenset[str] | None = None
    """The ids of the only cells to run, after those they start from; None for all."""
    trained_only: bool = False
    """Leave out the cells for which something would have to be trained."""
    threads: int | None = None
    checkpoint_every_s: float = 120.0
    devices: tuple[str, ...] = ()
    """Devices to use; empty: all GPUs, or the CPU."""
    slots: int = 1
    """Cells that run on each device at once."""
    timeout_s: float | None = None
    """Wall time after which a cell is ended and failed; None for no limit."""
    cache_share: float = 0.5
    """Share of a device's free memory that a cache may take; a larger one is streamed."""
    cluster: Cluster | None = None
    """The Ray cluster to run on; None for this machine."""


def pending(plan: Plan, store: Store, options: Options) -> list[Cell]:
    """The cells a run would take up: all but the finished and the hopeless."""
    trained = Trained(store)
    chosen = wanted(plan, options, trained)
    if options.trained_only:
        chosen = [cell for cell in chosen if trained(cell)]
    return [cell for cell in chosen if _open(cell, store, options.retry) or (options.trained_only and _unreadable(cell, store))]


def wanted(plan: Plan, options: Options, trained: Trained | None = None) -> list[Cell]:
    """The cells a run is about: all of them, or those named and what has to be trained before them."""
    if not options.only and options.among is None:
        return plan.cells
    chosen = [cell for cell in plan.cells if cell.id.startswith(options.only or "")]
    if not chosen:
        raise BenchError(f"--cell {options.only}: no cell of this suite has such an id. `bench plan SUITE` prints them.")
    if options.among is not None:
        chosen = [cell for cell in chosen if cell.id in options.among]
    ids = {cell.id for cell in chosen}
    ids |= {each.id for cell in chosen for each in ancestors(cell) if not (trained and trained(each))}
    return [cell for cell in plan.cells if cell.id in ids]


def _open(cell: Cell, store: Store, retry: bool) -> bool:
    """Whether a cell has no result yet and is worth a try."""
    state = store.state(cell.id)
    if state == "finished" and not store.looks_whole(cell.id):
        store.result(cell.id)  # a damaged result is told of here, and not taken for a finished cell
    failure = store.failure(cell.id) if state == "failed" else None
    return state != "finished" and (retry or failure is None or failure.cause not in HOPELESS)


def _unreadable(cell: Cell, store: Store) -> bool:
    """Whether a finished cell has lost the sums that its intervals are made of, or states other scores than theirs."""
    if store.state(cell.id) != "finished":
        return False
    return not (readable(store.folder(cell.id) / "per_image.npz") and sound(store, cell.id))


def drive(
    name: str, source: Path, plan: Plan, store: Store, options: Options, view: View, stopping: Callable[[], int]
) -> dict[str, str]:
    """Run what is pending; returns the outcome by cell id. Nothing is trained before all of it has been checked.

    Raises BenchError for what cannot be run, and when the store can no longer be written; what was finished before stays.
    """
    if plan.blocked:
        raise BenchError("\n".join(plan.missing()))
    if not plan.cells:
        raise BenchError(
            f"{source}: has no `matrix:`, so there is nothing to train. Score predictions with it: bench score {source}"
        )
    requests = Requests(store)
    todo = pending(plan, store, options)
    if store.claims.is_dir():
        Watch(store.claims).sweep(lambda cell_id: store.state(cell_id) == "finished")
    if not todo:
        return {}
    try:
        return _drive(todo, name, source, plan, store, options, view, stopping, requests)
    except OSError as error:
        if not is_full(error, store.root):
            raise
        raise BenchError(
            f"the store {store.root} cannot be written: {error.strerror or error}. Nothing finished is lost; the same command goes "
            "on when there is room, or choose another with --store DIR."
        ) from error


def _drive(
    todo: list[Cell],
    name: str,
    source: Path,
    plan: Plan,
    store: Store,
    options: Options,
    view: View,
    stopping: Callable[[], int],
    requests: Requests,
) -> dict[str, str]:
    store.writable()
    check(plan.cells)
    machine = preflight([Job(cell, store.root, {}, device=first(options)) for cell in todo], lines(source))
    start = _runner(options, place(options, machine, todo))
    jobs = prepare_jobs(todo, plan, store, options, machine, view)
    order = lengths(jobs, machine)
    if options.cluster:
        jobs = [replace(job, predicted=None) for job in jobs]  # the devices of its nodes are not this machine's
    for cell in todo:
        if _unreadable(cell, store):
            for file in ("result.json", "per_image.npz"):  # in this order: without its result the cell is taken up again
                (store.folder(cell.id) / file).unlink(missing_ok=True)
    store.note_suite(name, source, plan.cells, [contest.to_json() for contest in plan.contests])
    view.begin(plan, jobs)
    mirror = _Mirror(store, options.tracking_uri, name, view)

    def event(kind: str, job: Job, details: dict[str, object]) -> None:
        view.event(kind, job, details)
        if kind in ("start", "finished", "failed", "stopped"):
            mirror.name(job.cell.id)

    try:
        outcome: dict[str, str] = start(
            jobs,
            on_event=event,
            stopping=lambda: max(stopping(), int(requests.suite(name))),
            seconds=order,
            cancelled=requests.cell,
        )
    finally:
        mirror.end()
    return outcome


def first(options: Options) -> str:
    """The first device that is named, or "" where the machine's own are used."""
    return next(iter(options.devices), "")


def _runner(options: Options, slots: list[str]) -> Callable[..., dict[str, str]]:
    """What brings jobs to their end: on a cluster, which is joined here, before hours go into preparing data, or in these slots."""
    if options.cluster is None:
        return partial(load(runner("local")), devices=slots)
    start = load(runner("ray"))
    load("bench.runners.ray:connect")(options.cluster)
    return partial(start, cluster=options.cluster)


def lines(source: Path) -> Callable[[str], str]:
    """Where in its file a suite names a model."""
    return lambda label: read_yaml(source).place(("models", label))


def place(options: Options, machine: Machine, cells: Iterable[Cell] = ()) -> list[str]:
    """The slots to run in: each device as often as cells run on it at once. Raises BenchError for a device that is not there, and
    for a cell that is to be shared by more than there are.
    """
    for device in options.devices:
        if device not in machine.devices:
            raise BenchError(f"--device {device}: this machine has {', '.join(machine.devices)}")
    used = options.devices or machine.usual
    for cell in cells if options.cluster is None else ():
        if not ranks_on(cell.recipe.devices, [*used]):
            have = (
                f"--device names {' and '.join(dict.fromkeys(used))}" if options.devices else f"this machine has {', '.join(used)}"
            )
            raise BenchError(
                f"{cell.label}: train.devices is {cell.recipe.devices}, so it needs that many different GPUs, and {have}. Name "
                "more with --device cuda:0 --device cuda:1 …, or lower train.devices."
            )
    return [*used] * options.slots  # one cell on each device before a second one on any


def prepare_jobs(
    cells: list[Cell], plan: Plan, store: Store, options: Options, machine: Machine, view: "View | None" = None
) -> list[Job]:
    """Jobs of cells, their data prepared; what many cells share is looked at once."""
    slots = place(options, machine)
    threads = options.threads or fair_threads(slots)
    costs, made = Costs(store), dict[tuple[str, Any], dict[str, Path]]()
    show = view.preparing if view else lambda name, done, total: None
    jobs = []
    for cell in cells:
        recipe = (cell.recipe.batch, cell.recipe.crop, cell.recipe.epochs, cell.recipe.warmup_steps, cell.fraction)
        shared = (cell.dataset.model_dump_json(), (recipe, getattr(cell.model, "margin_px", 0), repr(cell.recipe.border_weights)))
        if shared not in made:
            made[shared] = _caches(cell, plan, store, options.data_root, show)
        failed = store.folder(cell.id) / "failed.json"
        cost = costs.predict(cell, machine.devices[slots[0]], threads, plan.samples, options.checkpoint_every_s)
        jobs.append(
            Job(
                cell,
                store.root,
                made[shared],
                device=slots[0],
                threads=threads,
                checkpoint_every_s=options.checkpoint_every_s,
                cache_share=options.cache_share,
                timeout_s=options.timeout_s,
                failure_seen=failed.stat().st_mtime_ns if failed.exists() else None,
                predicted=as_dict(cost),
            )
        )
    return jobs


def _caches(cell: Cell, plan: Plan, store: Store, data_root: Path, show: Callable[[str, int, int], None]) -> dict[str, Path]:
    """Split -> prepared cache of a cell's data; raises BenchError for a recipe that does not suit it."""
    entry, spec, caches = entry_of(cell.dataset), cell.dataset, {}
    assert cell.fingerprints is not None
    for split in roles(cell).values():
        samples = plan.samples.get(split_key(cell, split))
        if samples is None:
            raise BenchError(
                f"dataset {cell.dataset_label}: the data is not below {data_root}; only its earlier results are known here"
            )
        progress = partial(show, f"{cell.dataset_label} {split}")
        caches[split] = prepare_split(samples, entry, spec, split, cell.fingerprints[split], store.cache, progress=progress)
    assert spec.train is not None
    with np.load(caches[spec.train] / "index.npz", allow_pickle=False) as index:
        check_margin(index["sizes"], cell.recipe, int(getattr(cell.model, "margin_px", 0)))
        horizon(cell.recipe, subset_size(len(index["sizes"]), cell.fraction))
    if cell.recipe.border_weights:
        progress = partial(show, f"{cell.dataset_label} {spec.train} border weights")
        prepare_border(caches[spec.train], entry, cell.recipe.border_weights, progress=progress)
    return caches


def lengths(jobs: list[Job], machine: Machine) -> Callable[[Job], float]:
    """How long cells are: as measured where all were, else by operations a pixel, pixels and steps, in no unit."""
    if all(job.predicted for job in jobs):
        return lambda job: float(job.predicted["total_s"]) if job.predicted else 0.0
    sides: dict[Path, float] = {}

    def guess(job: Job) -> float:
        cell, recipe = job.cell, job.cell.recipe
        assert cell.dataset.train is not None
        folder = job.caches[cell.dataset.train]
        if folder not in sides:
            with np.load(folder / "index.npz", allow_pickle=False) as index:
                sides[folder] = float(index["sizes"].prod(axis=1).mean())
        crop = recipe.crop
        pixels = sides[folder] if crop == "full" else float(np.prod(crop if isinstance(crop, tuple) else (crop, crop)))
        images = recipe.steps * recipe.batch if recipe.steps else (recipe.epochs or 1) * cell.fraction * 1000
        return machine.flops.get(cell.model.model_dump_json(), 1.0) * pixels * images

    return guess


class _Mirror:
    """The process that mirrors into MLflow while cells run; losing it loses nothing."""

    def __init__(self, store: Store, uri: str | None, experiment: str, view: View) -> None:
        self.view = view
        self.process: subprocess.Popen[bytes] | None = None
        if uri is None:
            return
        command = [sys.executable, "-m", "bench.tracking", str(store.root), uri, experiment]
        self.log = (store.root / "mlflow.log").open("ab")
        # A session of its own: Ctrl-C is for the driver, which closes the pipe when the last cell has saved.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, start_new_session=True)

    def name(self, cell_id: str) -> None:
        """Tell the mirror of a cell that began or ended."""
        if self.process and self.process.stdin:
            try:
                self.process.stdin.write(f"{cell_id}\n".encode())
                self.process.stdin.flush()
            except OSError:
                self.process.stdin = None  # it has died; `end` says so

    def end(self) -> None:
        """Wait until the mirror has caught up, for a minute at most."""
        if self.process is None:
            return
        if self.process.stdin:
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        if code:
            self.view.note(
                f"MLflow was not brought up to date (see {self.log.name}); no result is lost. `bench sync` completes the mirror."
            )

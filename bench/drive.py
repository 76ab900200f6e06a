"""One `bench run`: survey, check, prepare, run what is pending, mirror. Knows no terminal; a view watches."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.cell import Cell
from bench.data import entry_of
from bench.data.crops import check_margin
from bench.data.prepare import prepare_border, prepare_split
from bench.data.subsets import horizon, subset_size
from bench.errors import BenchError
from bench.job import Job
from bench.lineage import ancestors
from bench.per_image import readable
from bench.plan import Plan, check, roles, trained
from bench.registry import load
from bench.runners import RUNNERS
from bench.runners.local import preflight
from bench.store import Store, split_key
from bench.yamlfile import read_yaml

HOPELESS = ("diverged", "oom")
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
    trained_only: bool = False
    """Leave out the cells for which something would have to be trained."""
    threads: int | None = None
    checkpoint_every_s: float = 120.0
    devices: tuple[str, ...] = ()
    """Devices to use; empty: all GPUs, or the CPU."""
    cache_share: float = 0.5
    """Share of a device's free memory that a cache may take; a larger one is streamed."""


def pending(plan: Plan, store: Store, options: Options) -> list[Cell]:
    """The cells a run would take up: all but the finished and the hopeless."""
    chosen = [cell for cell in plan.cells if cell.id.startswith(options.only or "")]
    if options.only and not chosen:
        raise BenchError(f"--cell {options.only}: no cell of this suite has such an id. `bench plan SUITE` prints them.")
    if options.only:
        needed = {each.id for cell in chosen for each in ancestors(cell) if not trained(each, store)}
        chosen = [cell for cell in plan.cells if cell in chosen or cell.id in needed]
    if options.trained_only:
        chosen = [cell for cell in chosen if trained(cell, store)]
    return [cell for cell in chosen if _wanted(cell, store, options.retry) or (options.trained_only and _unreadable(cell, store))]


def _wanted(cell: Cell, store: Store, retry: bool) -> bool:
    state = store.state(cell.id)
    if state == "finished":
        store.result(cell.id)  # a damaged result is told of here, and not taken for a finished cell
    failure = store.failure(cell.id) if state == "failed" else None
    return state != "finished" and (retry or failure is None or failure.cause not in HOPELESS)


def _unreadable(cell: Cell, store: Store) -> bool:
    """Whether a finished cell has lost the sums that its intervals are made of."""
    return store.state(cell.id) == "finished" and not readable(store.folder(cell.id) / "per_image.npz")


def drive(
    name: str, source: Path, plan: Plan, store: Store, options: Options, view: View, stopping: Callable[[], int]
) -> dict[str, str]:
    """Run what is pending; returns the outcome by cell id. Nothing is trained before all of it has been checked."""
    if plan.blocked:
        raise BenchError("\n".join(plan.missing()))
    if not plan.cells:
        raise BenchError(
            f"{source}: has no `matrix:`, so there is nothing to train. Score predictions with it: bench score {source}"
        )
    todo = pending(plan, store, options)
    if not todo:
        return {}
    store.writable()
    check(plan.cells)
    devices = _devices(options, preflight([Job(cell, store.root, {}) for cell in todo], _lines(source)))
    jobs = [_job(cell, plan, store, options, view) for cell in todo]
    for cell in todo:
        (store.folder(cell.id) / "failed.json").unlink(missing_ok=True)
        if _unreadable(cell, store):
            for name in ("result.json", "per_image.npz"):  # in this order: without its result the cell is taken up again
                (store.folder(cell.id) / name).unlink(missing_ok=True)
        store.open_cell(cell)
    store.note_suite(name, source, plan.cells, [contest.to_json() for contest in plan.contests])
    view.begin(plan, jobs)
    mirror = _Mirror(store, options.tracking_uri, name, view)

    def event(kind: str, job: Job, details: dict[str, object]) -> None:
        view.event(kind, job, details)
        if kind in ("start", "finished", "failed", "stopped"):
            mirror.name(job.cell.id)

    try:
        outcome: dict[str, str] = load(RUNNERS["local"])(jobs, devices=devices, on_event=event, stopping=stopping)
    finally:
        mirror.end()
    return outcome


def _lines(source: Path) -> Callable[[str], str]:
    """Where in its file a suite names a model."""
    return lambda label: read_yaml(source).place(("models", label))


def _devices(options: Options, there: list[str]) -> list[str]:
    """The devices to run on; raises BenchError for one this machine does not have."""
    for device in options.devices:
        if device not in (*there, "cpu"):
            raise BenchError(f"--device {device}: this machine has {', '.join(dict.fromkeys((*there, 'cpu')))}")
    return list(options.devices) or there


def _job(cell: Cell, plan: Plan, store: Store, options: Options, view: View) -> Job:
    """A cell with its data prepared."""
    entry, spec, caches = entry_of(cell.dataset), cell.dataset, {}
    assert cell.fingerprints is not None
    for split in roles(cell).values():
        samples = plan.samples.get(split_key(cell, split))
        if samples is None:
            raise BenchError(
                f"dataset {cell.dataset_label}: the data is not below {options.data_root}; only its earlier results are known here"
            )
        title = f"{cell.dataset_label} {split}"
        caches[split] = prepare_split(
            samples,
            entry,
            spec,
            split,
            cell.fingerprints[split],
            store.cache,
            progress=lambda done, total: view.preparing(title, done, total),  # noqa: B023  called at once
        )
    assert spec.train is not None
    with np.load(caches[spec.train] / "index.npz", allow_pickle=False) as index:
        check_margin(index["sizes"], cell.recipe, int(getattr(cell.model, "margin_px", 0)))
        horizon(cell.recipe, subset_size(len(index["sizes"]), cell.fraction))
    if cell.recipe.border_weights:
        title = f"{cell.dataset_label} {spec.train} border weights"
        prepare_border(
            caches[spec.train], entry, cell.recipe.border_weights, progress=lambda done, total: view.preparing(title, done, total)
        )
    return Job(
        cell,
        store.root,
        caches,
        threads=options.threads,
        checkpoint_every_s=options.checkpoint_every_s,
        cache_share=options.cache_share,
    )


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

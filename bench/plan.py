"""What a suite's cells are, what of them is done, and what stands in the way of the rest. Nothing here imports torch."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.contest import Contest, contest_from_json
from bench.data import entry_of
from bench.data.border import object_ids
from bench.data.fingerprint import fingerprint
from bench.data.leak import no_leak
from bench.data.samples import Sample, labelled, list_samples
from bench.errors import BenchError
from bench.lineage import ancestors
from bench.npz import looks_whole
from bench.per_image import damaged
from bench.store import Store, split_key


@dataclass
class Plan:
    """The cells of a suite against a data root and a store."""

    cells: list[Cell]
    """Cells whose data is known: they have ids."""
    blocked: list[tuple[Cell, str]] = field(default_factory=list)
    """Cells whose data is missing, with what to do about it."""
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """The listed samples of every split used, by `split_key`."""
    contests: list[Contest] = field(default_factory=list)
    """What the suite compares models on, as far as its labels are known."""
    offline: bool = False
    """Whether ids rest on fingerprints that an earlier run noted, since the data is not at hand."""

    def missing(self) -> list[str]:
        """Each distinct obstacle once."""
        return list(dict.fromkeys(reason for _, reason in self.blocked))


def survey(
    cells: Iterable[Cell],
    data_root: Path,
    store: Store,
    suite_name: str | None = None,
    contests: Iterable[Contest] = (),
) -> Plan:
    """Fingerprint the data of all cells, and the labels of all contests.

    With a suite's name, data that is absent is looked up in the suite's last run.

    Raises BenchError for damaged data sets, for images that stand in a training and in a scored split at once, and for images
    on which the best checkpoint would be chosen and which are reported.
    """
    cells = list(cells)
    plan = Plan(cells=[])
    known: dict[str, dict[str, str] | BenchError] = {}
    chosen_apart: set[str] = set()
    note: dict[str, Any] = (store.suite(suite_name) or {}) if suite_name else {}
    noted: dict[str, str] = note.get("fingerprints", {})
    for cell in cells:
        seen: Cell | None = None
        for each in [*reversed(ancestors(cell)), cell]:
            key = each.dataset.model_dump_json()
            if key not in known:
                known[key] = _prints(each, data_root, store, plan, noted)
            prints = known[key]
            if isinstance(prints, BenchError):
                plan.blocked.append((cell, str(prints)))
                break
            if each.eval.choose == "best" and key not in chosen_apart:
                _no_choice_on_the_reported(each, plan)
                chosen_apart.add(key)
            seen = each.seen(prints, seen)
        else:
            assert seen is not None
            plan.cells.append(seen)
    plan.contests = _seen(contests, data_root, store, note.get("contests", []), needed=not cells)
    return plan


def _prints(cell: Cell, data_root: Path, store: Store, plan: Plan, noted: dict[str, str]) -> dict[str, str] | BenchError:
    """Fingerprints of the splits a cell's data set is used with, or why there are none."""
    spec, entry = cell.dataset, entry_of(cell.dataset)
    splits = roles(cell)
    kept = store.cache / "fingerprints"
    try:
        prints = {}
        with labelled(cell.dataset_label, spec):
            for split in splits.values():
                key = split_key(cell, split)
                if key not in plan.samples:
                    plan.samples[key] = list_samples(entry, data_root, spec, split)
                prints[split] = fingerprint(plan.samples[key], entry, spec, data_root, kept)
    except BenchError as error:
        keys = {split: split_key(cell, split) for split in splits.values()}
        if all(key in noted for key in keys.values()):
            plan.offline = True
            return {split: noted[key] for split, key in keys.items()}
        return error
    samples = {split: plan.samples[split_key(cell, split)] for split in splits.values()}
    no_leak(cell.dataset_label, entry, spec, splits, samples, data_root, kept)
    return prints


def seen(contest: Contest, data_root: Path, store: Store) -> tuple[Contest, list[Sample]]:
    """A contest with the hash of its labels, and its samples, whose photographs may be absent.

    Raises BenchError when the labels are.
    """
    samples = list_samples(contest.entry, data_root, contest.dataset, contest.split, images=False)
    labels = [replace(sample, files=sample.files[1:]) for sample in samples]
    truth = fingerprint(labels, contest.entry, contest.dataset, data_root, store.cache / "fingerprints")
    return replace(contest, truth=truth), samples


def _seen(
    contests: Iterable[Contest], data_root: Path, store: Store, noted: list[dict[str, Any]], *, needed: bool
) -> list[Contest]:
    """Contests whose labels are at hand or were when the suite was last run; with ``needed`` others raise BenchError."""
    known = {contest.key: contest for contest in map(contest_from_json, noted)}
    found = []
    for contest in contests:
        try:
            found.append(seen(contest, data_root, store)[0])
        except BenchError:
            if contest.key in known:
                found.append(known[contest.key])
            elif needed:  # else the same is told of the cells
                raise
    return found


def roles(cell: Cell) -> dict[str, str]:
    """Role -> split, of the roles a cell's data set plays."""
    return {role: split for role in ("train", "val", "test") if (split := getattr(cell.dataset, role))}


def _no_choice_on_the_reported(cell: Cell, plan: Plan) -> None:
    """A checkpoint chosen on images that are reported has seen their labels; splits that are the same are `check`'s matter."""
    shared = _shared(cell, plan, "val", "test") if cell.dataset.val != cell.dataset.test else []
    if shared:
        raise BenchError(
            f"dataset {cell.dataset_label}: {len(shared)} images stand both in {cell.dataset.val!r}, on which the best checkpoint "
            f"is chosen, and in {cell.dataset.test!r}, which is reported: {', '.join(shared[:3])}. "
            "Set eval.choose: last, or choose other splits (dataset.val, dataset.test)."
        )


def _shared(cell: Cell, plan: Plan, one: str, other: str) -> list[str]:
    """The ids that stand in the splits of both roles; none where there is no such split, or its data is not at hand."""
    splits = roles(cell)
    ids = [
        {sample.id for sample in plan.samples.get(split_key(cell, splits[role]), [])} if role in splits else set()
        for role in (one, other)
    ]
    return sorted(ids[0] & ids[1])


def check(cells: Iterable[Cell]) -> None:
    """Refuse cells that contradict themselves, before anything is prepared or trained."""
    for cell in cells:
        spec = cell.dataset
        if cell.recipe.border_weights:
            object_ids(cell.recipe.border_weights, entry_of(spec).class_names)
        if cell.eval.tile and not getattr(cell.model, "margin_px", 0):
            raise BenchError(
                f"{cell.label}: eval.tile would change the logits of a model that pads its convolutions. Leave it out; it is for a "
                "U-Net with padding: valid."
            )
        if cell.eval.choose == "best" and spec.val is None:
            raise BenchError(
                f"{cell.label}: eval.choose is 'best', but dataset {spec.name} has no split to choose on. "
                "Set eval.choose: last, or name one with dataset.val."
            )
        if cell.eval.choose == "best" and spec.val == spec.test:
            raise BenchError(
                f"{cell.label}: the best checkpoint would be chosen on {spec.test!r}, the split that is reported. "
                "Set eval.choose: last, or another dataset.val."
            )


def describe(cell: Cell, store: Store, trained: "Trained | None" = None) -> tuple[str, str]:
    """A cell's state in the store, and in a few words what a run would do with it; for many cells with one ``trained``."""
    state = store.state(cell.id)
    try:
        failure = store.failure(cell.id) if state == "failed" else None
        if state == "finished" and not store.looks_whole(cell.id):
            store.result(cell.id)
        if state == "finished" and not looks_whole(sums := store.folder(cell.id) / "per_image.npz"):
            raise damaged(sums, "it is cut off" if sums.is_file() else "it is missing")
    except BenchError as error:
        return "damaged", str(error)
    if state == "finished":
        return state, "has its result"
    if state == "failed":
        return state, f"{failure.cause}: {failure.message}" if failure else ""
    if state == "started":
        return state, "goes on from its last checkpoint"
    trained = trained or Trained(store)
    if trained(cell):
        return state, "is scored anew from the weights of a cell trained alike"
    if cell.start is None:
        return state, "trains from the first step"
    after = "" if trained(cell.start) else ", once that is trained"
    return state, f"trains from the last weights of {cell.start.model_label}{after}"


class Trained:
    """Which trainings a store has the weights of; looked up once, so that thousands of cells cost one reading of the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        cells = store.root / "cells"
        names = os.listdir(cells) if cells.is_dir() else []  # noqa: PTH208  names alone
        self._known = {name.partition("-")[0] for name in names if os.path.exists(f"{cells}/{name}/trained.json")}  # noqa: PTH110

    def __call__(self, cell: Cell) -> bool:
        """Whether a cell that was trained like this one, or is this one, has left its weights, by now."""
        if cell.train_id not in self._known and (self.store.folder(cell.id) / "trained.json").exists():
            self.add(cell)
        return cell.train_id in self._known

    def add(self, cell: Cell) -> None:
        """Take note of a training."""
        self._known.add(cell.train_id)

"""Golden numbers of the quickstart on a CPU: the losses of its first steps, and the scores it ends with.

    python -m tests.golden                     compare the losses, and the published scores
    python -m tests.golden --store runs        compare the scores of a run as well: `make demo` leaves one there
    python -m tests.golden --write FILE…       make these files anew, after a change under "Numbers changed"

`losses.json` and `scores.json` beside this file hold what is expected, what it was made with, and how far a number may be off.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.cell import Cell, cell_from_json
from bench.checkpoint import TrainState
from bench.data import entry_of
from bench.data.batches import Batches
from bench.data.cache import Cache, open_cache
from bench.data.prepare import prepare
from bench.data.samples import list_samples
from bench.expand import expand
from bench.experiment import build, environment, set_up
from bench.job import Job
from bench.store import Store, read_json, write_json
from bench.suite import load_suite
from bench.train import Interrupted, build_optimizer, train

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SUITE, PUBLISHED = ROOT / "suites" / "quickstart.yaml", ROOT / "reports" / "quickstart" / "store"
LOSSES, SCORES = "losses.json", "scores.json"
STEPS, THREADS = 10, 1
METRICS = ("miou", "boundary_iou", "pixel_accuracy")
Numbers = dict[str, dict[str, float]]
"""Cell -> step or metric -> value."""


def kinds() -> list[Cell]:
    """A cell of each kind of the quickstart, seed 0."""
    return [cell for cell in expand(load_suite(SUITE)) if cell.seed == 0]


def first_losses(cells: list[Cell], place: Path) -> Numbers:
    """Loss of each of the first steps of cells of one data set, which is prepared in a folder, on a CPU with one thread."""
    entry, spec, threads = entry_of(cells[0].dataset), cells[0].dataset, torch.get_num_threads()
    assert all(cell.dataset == spec for cell in cells)
    cache = open_cache(prepare(list_samples(entry, place, spec, "train"), entry, spec, place / "cache"))
    try:
        return {cell.label: _losses(cell, cache, place) for cell in cells}
    finally:
        torch.set_num_threads(threads)


def _losses(cell: Cell, cache: Cache, store: Path) -> dict[str, float]:
    # The rate of the warm-up does not depend on what follows; the shortest training logs the loss of every step.
    spec = cell.recipe.model_copy(update={"steps": cell.recipe.warmup_steps + 1})
    assert STEPS < cell.recipe.warmup_steps < 50
    job, device = Job(cell, store, {}, threads=THREADS), torch.device("cpu")
    set_up(job, device)
    model = build(job, device)
    state = TrainState(model, build_optimizer(model, spec))
    lines: list[dict[str, Any]] = []
    try:
        train(
            state,
            Batches(cache, np.arange(len(cache)), spec, cell.augmentation, cell.seed),
            spec,
            seed=cell.seed,
            log=lines.append,
            validate=None,
            save=lambda state: None,
            should_save=lambda: False,
            should_stop=lambda: state.step == STEPS,
        )
    except Interrupted:
        return {f"step {line['step']}": line["loss"] for line in lines}
    raise AssertionError("the training was to stop")


def final_scores(store: Path) -> Numbers:
    """Scores of all finished cells of the quickstart in a store."""
    found = {}
    note = read_json(store / "suites" / "quickstart.json")
    for cell_id in note["cells"]:
        path = Store(store).folder(cell_id) / "result.json"
        if path.exists():
            result = read_json(path)
            found[cell_from_json(result["cell"]).label] = {metric: result["metrics"][metric] for metric in METRICS}
    return found


def golden(name: str) -> dict[str, Any]:
    """What a golden file holds."""
    return read_json(FOLDER / name)


def off_losses(found: Numbers, expected: dict[str, Any]) -> list[str]:
    """A sentence for every loss that is off by more than its step's relative tolerance."""
    return list(_off(found, expected["losses"], lambda step, value: expected["relative_tolerance"][step] * value))


def off_scores(found: Numbers, expected: dict[str, Any], *, rerun: bool) -> list[str]:
    """A sentence for every score that is off: by anything, or for a run anew by more than its metric's tolerance."""
    tolerance = expected["tolerance_of_a_run"]
    return list(_off(found, expected["scores"], lambda metric, value: tolerance[metric] if rerun else 1e-12))


def _off(found: Numbers, expected: Numbers, allowed: Callable[[str, float], float]) -> Iterator[str]:
    for cell, numbers in expected.items():
        for key, value in numbers.items():
            given = found.get(cell, {}).get(key)
            if given is None:
                yield f"{cell}, {key}: no number, expected {value:.7g}"
            elif not abs(given - value) <= (most := allowed(key, value)):
                yield f"{cell}, {key}: {given:.7g}, expected {value:.7g} within {most:.2g}"
    for cell in sorted(found.keys() - expected.keys()):
        yield f"{cell}: has numbers, and none were expected"


def write(name: str) -> None:
    """Make a golden file anew; its tolerances, which are argued and not measured, stay."""
    kept = golden(name)
    if name == LOSSES:
        with tempfile.TemporaryDirectory() as place:
            losses = first_losses(kinds(), Path(place))
        made = {"made_with": environment(torch.device("cpu")) | {"threads": THREADS}, "losses": losses}
    else:
        made = {"made_with": {"store": str(PUBLISHED.relative_to(ROOT))}, "scores": final_scores(PUBLISHED)}
    write_json(FOLDER / name, kept | made)

"""What a suite will cost, from a few steps of each of its distinct configurations: `bench plan --measure`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.costs import Cost, Costs, Measured, key, verdict
from bench.drive import Options, first, lines, pending, place, prepare_jobs
from bench.errors import BenchError
from bench.job import Job
from bench.plan import Plan, check
from bench.runners.process import preflight, trial
from bench.store import Store


@dataclass(frozen=True)
class Forecast:
    """What the cells of a suite are predicted to take, and which of them will not fit."""

    device: str
    """The kind of device they were measured on."""
    costs: dict[str, Cost | None]
    """By cell id; None where a step could not be measured."""
    verdicts: dict[str, str]
    """By cell id: "fits", "out of memory", or why it is not known."""
    waiting: list[Cell]
    """The cells that a run would take up."""

    @property
    def device_hours(self) -> float:
        """Hours of devices that the waiting cells will take, one after the other, as far as they could be measured."""
        costs = [(self.costs[cell.id], cell.recipe.devices) for cell in self.waiting]
        return sum(cost.total_s * devices for cost, devices in costs if cost) / 3600


def forecast(plan: Plan, source: Path, store: Store, options: Options, view: Any, told: Callable[[str], None]) -> Forecast:
    """Measure what has not been measured on the first device of this machine, and predict every cell.

    ``source`` is the plan's suite file, and ``told`` gets a line for each measurement. Raises BenchError for whatever
    `bench.drive.drive` would refuse.
    """
    if plan.blocked:
        raise BenchError("\n".join(plan.missing()))
    store.writable()
    check(plan.cells)
    machine = preflight([Job(cell, store.root, {}, device=first(options)) for cell in plan.cells], lines(source))
    jobs = prepare_jobs(plan.cells, plan, store, options, machine, view)
    device = place(options, machine, plan.cells)[0]
    costs = Costs(store)
    _measure(jobs, costs, machine.devices[device], told)
    predicted, verdicts = {}, {}
    for job in jobs:
        measured = costs.of(job.cell, machine.devices[device], job.threads)
        assert measured is not None
        verdicts[job.cell.id] = verdict(measured, options.slots)
        predicted[job.cell.id] = costs.predict(
            job.cell, machine.devices[device], job.threads, plan.samples, options.checkpoint_every_s
        )
    return Forecast(machine.devices[device], predicted, verdicts, pending(plan, store, options))


def _measure(jobs: list[Job], costs: Costs, device: str, told: Callable[[str], None]) -> None:
    """One trial of each distinct configuration that the store knows nothing of, or knows to have failed."""
    distinct = {key(job.cell, device, job.threads): job for job in jobs}
    todo = {name: job for name, job in distinct.items() if name not in costs.known or costs.known[name].error}
    for number, (name, job) in enumerate(todo.items(), start=1):
        answer = trial(job)
        if "step_s" not in answer:  # it said no more than why it ended
            answer = {**dict.fromkeys(_SECONDS, 0.0), "peak_memory_gib": None, "memory_gib": 0.0, **answer}
        measured = Measured(**answer)
        costs.add(name, measured)
        said = measured.error or f"{measured.step_s * 1e3:.3g} ms a step"
        told(f"measured {number} of {len(todo)}: {job.cell.label}: {said}")


_SECONDS = ("begin_s", "step_s", "save_s", "validate_s", "evaluate_s", "profile_s")

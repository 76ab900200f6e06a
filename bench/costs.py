"""What cells cost: measured in a few steps by `bench plan --measure`, kept in the store, and held against what they took.

Cells that differ in seed, share of the data, horizon or rates alone cost the same a step, so each distinct configuration is
measured once on each kind of device.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.cell import Cell, digest
from bench.data.samples import Sample
from bench.data.subsets import horizon, subset_size
from bench.errors import BenchError
from bench.store import Result, Store, read_json, split_key, write_json

NAME = "costs.json"
_FREE = {
    "recipe", "steps", "epochs", "val_every", "lr", "bias_lr_factor", "momentum", "weight_decay", "schedule", "warmup_steps",
    "label_smoothing", "sampling",
}  # fmt: skip
"""Fields of a recipe that change no step's cost."""


@dataclass(frozen=True)
class Measured:
    """What a few steps of a configuration took on a device. Seconds, and GiB of 2^30 bytes."""

    begin_s: float
    """From the start of the process to the first step."""
    step_s: float
    save_s: float
    """One checkpoint."""
    validate_s: float
    """One image."""
    evaluate_s: float
    """One image."""
    profile_s: float
    """The whole profile."""
    peak_memory_gib: float | None
    """Most memory held: on the GPU, or on a CPU by the whole process."""
    memory_gib: float
    """What the device has."""
    error: str | None = None
    """Why a step could not be measured, for want of memory or for another reason."""
    oom: bool = False


@dataclass(frozen=True)
class Cost:
    """What a cell is predicted to take, alone on its device or devices."""

    total_s: float
    train_s: float
    evaluate_s: float
    profile_s: float
    peak_memory_gib: float | None


class Costs:
    """The measured costs of a store."""

    def __init__(self, store: Store) -> None:
        """Read them; a file that is damaged counts as none, since all of it can be measured again."""
        self.path, self.known = store.root / NAME, dict[str, Measured]()
        try:
            told = read_json(self.path) if self.path.exists() else {}
            names = {each.name for each in fields(Measured)}
            self.known = {key: Measured(**value) for key, value in told.items() if set(value) == names}
        except (BenchError, TypeError, AttributeError):
            pass
        self._latest = {name.partition(" on ")[0]: each for name, each in self.known.items()}
        self._configurations: dict[tuple[int, ...], tuple[tuple[Any, ...], str]] = {}

    def add(self, key: str, measured: Measured) -> None:
        """Keep a measurement."""
        self.known.pop(key, None)  # the last one measured stands last
        self.known[key] = measured
        self._latest[key.partition(" on ")[0]] = measured
        write_json(self.path, {key: asdict(each) for key, each in self.known.items()})

    def of(self, cell: Cell, device: str, threads: int | None) -> Measured | None:
        """What was measured of a cell's configuration on a device of that name."""
        return self.known.get(key(cell, device, threads))

    def predict(
        self, cell: Cell, device: str, threads: int | None, samples: Mapping[str, list[Sample]], save_every_s: float
    ) -> Cost | None:
        """What a cell will take, from the samples of every split by `split_key`; None where nothing was measured, or it failed."""
        return self.foretell(cell, self.of(cell, device, threads), samples, save_every_s)

    def latest(self, cell: Cell) -> Measured | None:
        """What was measured of a cell's configuration last, on whatever device."""
        # Cells of a suite share these objects, and ten thousand of them have a few hundred configurations.
        parts = (cell.model, cell.dataset, cell.recipe, cell.augmentation, cell.eval, cell.profile)
        place = tuple(map(id, parts))
        if place not in self._configurations:
            self._configurations[place] = (parts, configuration(cell))  # the parts are held: ids of living objects differ
        name = self._configurations[place][1]
        return self._latest.get(name)

    @staticmethod
    def foretell(cell: Cell, measured: Measured | None, samples: Mapping[str, list[Sample]], save_every_s: float) -> Cost | None:
        """What a cell takes by a measurement of its configuration."""
        counts = images(cell, samples)
        if measured is None or measured.error or counts is None:
            return None
        spec = horizon(cell.recipe, subset_size(counts["train"], cell.fraction))
        assert spec.steps is not None
        share = cell.recipe.devices  # of the images that are scored; each takes its own
        validations = -(-spec.steps // (spec.val_every or max(1, spec.steps // 10))) if counts["val"] else 0
        steps_s = spec.steps * measured.step_s + validations * counts["val"] * measured.validate_s / share
        train_s = steps_s + measured.save_s * (1 + steps_s // max(save_every_s, 1e-3))
        evaluate_s = counts["test"] * measured.evaluate_s / share
        total_s = measured.begin_s + train_s + evaluate_s + measured.profile_s
        return Cost(total_s, train_s, evaluate_s, measured.profile_s, measured.peak_memory_gib)


def key(cell: Cell, device: str, threads: int | None) -> str:
    """The name of a cell's configuration on a kind of device."""
    return f"{configuration(cell)} on {device}" + (f", {threads} threads" if threads and device.startswith("CPU") else "")


def configuration(cell: Cell) -> str:
    """A hash of all that decides the cost of a cell's step on a device."""
    recipe = cell.recipe.model_dump(mode="json", exclude=_FREE | ({"devices"} if cell.recipe.devices == 1 else set()))
    parts = [cell.model.model_dump(mode="json", exclude={"init_from"}), cell.dataset.model_dump(mode="json"), recipe]
    parts += [cell.augmentation.model_dump(mode="json"), cell.eval.model_dump(mode="json")]
    parts += [cell.profile and cell.profile.model_dump(mode="json")]
    return digest(parts)[:16]


def images(cell: Cell, samples: Mapping[str, list[Sample]]) -> dict[str, int] | None:
    """Images by role, 0 where there is no such split; None where the data is not at hand."""
    splits = {role: getattr(cell.dataset, role) for role in ("train", "val", "test")}
    found = {role: len(samples.get(split_key(cell, split), [])) if split else 0 for role, split in splits.items()}
    return found if found["train"] and found["test"] else None


def verdict(measured: Measured, slots: int) -> str:
    """Whether so many such cells fit on a device at once: "fits", "out of memory", or why it is not known."""
    if measured.oom:
        return "out of memory"
    if measured.error:
        return measured.error
    peak = measured.peak_memory_gib
    if peak is not None and peak * slots > measured.memory_gib:
        return "out of memory" if slots == 1 else f"out of memory with --slots {slots}"
    return "fits"


def took(results: Iterable[Result]) -> tuple[float, float] | None:
    """Predicted and actual seconds of the results that were predicted; None where there are none."""
    pairs = [(result.predicted["total_s"], sum(result.seconds.values())) for result in results if result.predicted]
    return (sum(each for each, _ in pairs), sum(each for _, each in pairs)) if pairs else None


def as_dict(cost: Cost | None) -> dict[str, Any] | None:
    """Plain data for a result."""
    return None if cost is None else {key: round(value, 3) if value is not None else None for key, value in asdict(cost).items()}

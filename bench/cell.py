"""One cell of a suite: everything that decides its numbers, and the ids made of it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bench.specs import AnyDatasetSpec, AugmentationSpec, DatasetSpec, EvalSpec, ExternalSpec, ModelSpec, ProfileSpec, TrainSpec

TRAIN_PROTOCOL = 1
"""Raised whenever the same spec would train to other weights."""
RESAMPLING_PROTOCOL = 2
"""The same of trainings whose augmentation resamples images, and of no others; absent from ids while it was 1."""
COLOUR_PROTOCOL = 2
"""The same of trainings whose augmentation changes colours."""
EVAL_PROTOCOL = 2
"""Raised whenever the same weights would get other scores, or more of them."""
PROFILE_PROTOCOL = 2
"""Raised whenever speed or cost is measured in another way."""

Made = TypeVar("Made")
_MOST_KNOWN = 4096
"""Blocks whose plain data is kept; a suite rarely has more, and a process that reads stores for days sees many."""
_LONGEST_LABEL = 1000
"""Files of results may be anyone's, and a name of megabytes would stand in every table and figure."""
_MODEL: TypeAdapter[Any] = TypeAdapter(ModelSpec | ExternalSpec)
_DATASET: TypeAdapter[Any] = TypeAdapter(AnyDatasetSpec)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


@dataclass(frozen=True)
class Cell:
    """A model, a data set, an augmentation, a share of the data and a seed, with the recipe for each stage.

    An external model, trained elsewhere, is a cell without a training: its predictions stand in for it. Labels are the names the
    suite gives; they are shown, and never hashed. ``fingerprints`` holds the content hash of each split once the data has been
    seen; without it a cell has no id yet.
    """

    model_label: str
    dataset_label: str
    augmentation_label: str
    model: Any
    dataset: DatasetSpec
    augmentation: AugmentationSpec
    fraction: float
    seed: int
    train: TrainSpec | None
    """None for an external model, and for no other."""
    eval: EvalSpec
    profile: ProfileSpec | None
    axes: tuple[tuple[str, Any], ...] = ()
    """Further axes of the matrix, as (dotted field, value)."""
    start: "Cell | None" = None
    """The cell whose last weights this one starts from: that of the model's `init_from` on the same data with the same seed."""
    fingerprints: Mapping[str, str] | None = field(default=None, compare=False)
    filed: str | None = field(default=None, compare=False)
    """The folder the cell was read from, which is its id then, whichever version made it. None for a cell of a suite file."""

    @property
    def external(self) -> bool:
        """Whether the model was trained elsewhere, so that its predictions are all that is known of it."""
        return isinstance(self.model, ExternalSpec)

    @property
    def recipe(self) -> TrainSpec:
        """How the cell is trained: for code that runs cells, which an external model never comes to."""
        assert self.train is not None, f"{self.label} was trained elsewhere"
        return self.train

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        """What each id is made of: the fields that decide training, evaluation and profile, as plain data."""
        assert self.fingerprints is not None, "a cell has an id only once its data has been fingerprinted"
        test = self.dataset.test
        assert test is not None
        splits = {split: self.fingerprints[split] for split in (self.dataset.train, self.dataset.val) if split}
        train: dict[str, Any] = {"model": _hashed_model(self.model), "dataset": _hashed_dataset(self.dataset)}
        if self.train is not None:
            train |= {
                "protocol": TRAIN_PROTOCOL,
                "data": splits,
                "augmentation": _plain(self.augmentation),
                "fraction": self.fraction,
                "seed": self.seed,
                "train": _hashed_recipe(self.train),
            }
            train |= {"resampling": RESAMPLING_PROTOCOL} if self.augmentation.resamples else {}
            train |= {"colour": COLOUR_PROTOCOL} if self.augmentation.colour else {}
        if self.start is not None:
            train["start"] = self.start.train_id
        return {
            "train": train,
            "eval": _scored(test, self.fingerprints[test], self.eval),
            "profile": _profiled(self.profile),
        }

    @cached_property
    def id(self) -> str:
        """``<train>-<eval>-<profile>``: cells that share a training share the first part, and so its checkpoint."""
        if self.filed is not None:
            return self.filed
        parts = self.parts
        return f"{digest(parts['train'])[:12]}-{_known_digest(parts['eval'])[:4]}-{_known_digest(parts['profile'])[:4]}"

    @property
    def train_id(self) -> str:
        """The part of the id that names the training."""
        return self.id.partition("-")[0]

    @property
    def label(self) -> str:
        """The cell's name for people: model, data set, and whatever sets it apart."""
        if self.external:
            return f"{self.model_label} · {self.dataset_label} · external"
        extra = [] if self.augmentation_label == "none" else [self.augmentation_label]
        extra += [] if self.fraction == 1 else [f"{self.fraction:.4g} of the data"]
        extra += [f"{path}={value}" for path, value in self.axes]
        return " · ".join([self.model_label, self.dataset_label, *extra, f"seed {self.seed}"])

    @property
    def group(self) -> tuple[Any, ...]:
        """What the cells of one leaderboard row have in common: everything but the seed."""
        return (self.dataset_label, self.model_label, self.augmentation_label, self.fraction, self.axes, self.external)

    def seen(self, fingerprints: Mapping[str, str], start: "Cell | None" = None) -> "Cell":
        """The same cell, its data fingerprinted; ``start`` is the cell it starts from where that has other data."""
        start = start or (self.start and self.start.seen(fingerprints))
        return replace(self, fingerprints=dict(fingerprints), start=start, filed=None)

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `cell_from_json` makes an equal cell."""
        return {
            "labels": {"model": self.model_label, "dataset": self.dataset_label, "augmentation": self.augmentation_label},
            "model": self.model.model_dump(mode="json"),
            "dataset": self.dataset.model_dump(mode="json"),
            "augmentation": self.augmentation.model_dump(mode="json"),
            "fraction": self.fraction,
            "seed": self.seed,
            "train": None if self.train is None else self.train.model_dump(mode="json"),
            "eval": self.eval.model_dump(mode="json"),
            "profile": None if self.profile is None else self.profile.model_dump(mode="json"),
            "axes": [list(axis) for axis in self.axes],
            **({"start": self.start.to_json()} if self.start else {}),
            "fingerprints": None if self.fingerprints is None else dict(self.fingerprints),
        }


def _once(make: Callable[..., Made]) -> Callable[..., Made]:
    """A function of objects that never change, called once for the same ones: the cells of a suite share most of their blocks."""
    known: dict[tuple[int, ...], tuple[tuple[Any, ...], Made]] = {}

    def look(*blocks: Any) -> Made:
        key = tuple(map(id, blocks))
        found = known.get(key)
        if found is None:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            found = known[key] = (blocks, make(*blocks))  # with the blocks, so that their ids stay theirs
        return found[1]

    return look


@_once
def _plain(spec: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = spec.model_dump(mode="json")
    return dumped


@_once
def _hashed_model(model: Any) -> dict[str, Any]:
    return {key: value for key, value in _plain(model).items() if key != "init_from"}


@_once
def _hashed_dataset(dataset: DatasetSpec) -> dict[str, Any]:
    return {key: value for key, value in _plain(dataset).items() if key != "test"}


@_once
def _hashed_recipe(train: TrainSpec) -> dict[str, Any]:
    """Without fields that change no number: the recipe's name, and what to do about memory, or how many devices share a cell, where
    that is nothing out of the ordinary."""
    left_out = {"recipe"} | ({"on_oom"} if train.on_oom == "fail" else set()) | ({"devices"} if train.devices == 1 else set())
    return {key: value for key, value in _plain(train).items() if key not in left_out}


@_once
def _scored(test: str, data: str, rules: EvalSpec) -> dict[str, Any]:
    return {"protocol": EVAL_PROTOCOL, "test": test, "data": data, "eval": _plain(rules)}


@_once
def _profiled(profile: ProfileSpec | None) -> dict[str, Any]:
    return {"protocol": PROFILE_PROTOCOL, "profile": None if profile is None else _plain(profile)}


def cell_from_json(data: Mapping[str, Any]) -> Cell:
    """The inverse of `Cell.to_json`; raises ValueError, pydantic's among them, KeyError or TypeError for others."""
    labels = [data["labels"][name] for name in ("model", "dataset", "augmentation")]
    if not (all(isinstance(each, str) for each in labels) and isinstance(data["fraction"], (int, float))):
        raise TypeError("labels are text, and fraction is a number")
    if max(map(len, labels)) > _LONGEST_LABEL:
        raise ValueError(f"a label of {max(map(len, labels))} characters, where {_LONGEST_LABEL} are the most")
    return Cell(
        model_label=labels[0],
        dataset_label=labels[1],
        augmentation_label=labels[2],
        model=_MODEL.validate_python(data["model"]),
        dataset=_DATASET.validate_python(data["dataset"]),
        augmentation=AugmentationSpec.model_validate(data["augmentation"]),
        fraction=data["fraction"],
        seed=data["seed"],
        train=None if data["train"] is None else TrainSpec.model_validate(data["train"]),
        eval=EvalSpec.model_validate(data["eval"]),
        profile=None if data["profile"] is None else ProfileSpec.model_validate(data["profile"]),
        axes=tuple((path, value) for path, value in data["axes"]),
        start=cell_from_json(data["start"]) if data.get("start") else None,
        fingerprints=data["fingerprints"],
    )


def digest(data: Any) -> str:
    """SHA-256 of canonical JSON, in hexadecimal."""
    return hashlib.sha256(_CANONICAL(data).encode()).hexdigest()


_known_digest = _once(digest)


def differences(one: Any, other: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every dotted field in which two pieces of plain data differ, with both values."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = list(dict.fromkeys([*one, *other]))
        return [row for key in keys for row in differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))]
    return [] if one == other else [(path, one, other)]

"""What models are compared on: a data set, its reported split, and the rules of scoring."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.cell import EVAL_PROTOCOL, Cell, digest
from bench.data import entry_named, entry_of
from bench.errors import BenchError
from bench.expand import known_datasets, with_roles
from bench.registry import DatasetEntry
from bench.specs import AnyDatasetSpec, AugmentationSpec, DatasetSpec, EvalSpec, ExternalSpec
from bench.suite import Suite
from bench.yamlfile import KeyPath

RULES = ("boundary_ratio",)
"""The fields of EvalSpec that decide what a given prediction scores; the others say how predictions come about."""
_DATASET: TypeAdapter[Any] = TypeAdapter(AnyDatasetSpec)


@dataclass(frozen=True)
class Contest:
    """A data set with the split that is reported and the rules of scoring.

    Results can be compared, image by image, when their contests have the same `terms`.
    """

    label: str
    """What the suite calls the data set."""
    dataset: DatasetSpec
    """``test`` is the scored split; ``train`` and ``val`` are unset."""
    eval: EvalSpec
    axes: tuple[str, ...] = ()
    """Further axes of the suite's matrix, on which an external model has no place."""
    truth: str | None = None
    """Hash of the scored split's labels once they have been seen, photographs apart."""

    @property
    def entry(self) -> DatasetEntry:
        """The data set's entry in the table."""
        return entry_of(self.dataset)

    @property
    def split(self) -> str:
        """The scored split."""
        assert self.dataset.test is not None
        return self.dataset.test

    @property
    def key(self) -> str:
        """Hash of all that is known without the labels."""
        return digest(replace(self, truth=None).to_json())

    @property
    def terms(self) -> str:
        """Hash of what two results must share to be comparable: the labels, their size, the rules and their version."""
        assert self.truth is not None, "a contest has terms only once its labels have been seen"
        return digest(
            [EVAL_PROTOCOL, self.truth, self.dataset.model_dump(mode="json")["resize"], self.eval.model_dump(mode="json")]
        )

    def on(self, split: str) -> "Contest":
        """The same contest on another split."""
        return replace(self, dataset=self.dataset.model_copy(update={"test": split}), truth=None)

    def cell(self, name: str, predictions: str, stride: int | None) -> Cell:
        """The cell of an external model, by the hash of its label maps."""
        assert self.truth is not None
        return Cell(
            model_label=name,
            dataset_label=self.label,
            augmentation_label="none",
            model=ExternalSpec(predictions=predictions, stride=stride),
            dataset=self.dataset,
            augmentation=AugmentationSpec(),
            fraction=1.0,
            seed=0,
            train=None,
            eval=self.eval,
            profile=None,
            fingerprints={self.split: self.truth},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `contest_from_json` makes an equal contest."""
        dumped = {"dataset": self.dataset.model_dump(mode="json"), "eval": self.eval.model_dump(mode="json")}
        return {"label": self.label, **dumped, "axes": list(self.axes), "truth": self.truth}


def contest_from_json(data: dict[str, Any]) -> Contest:
    """The inverse of `Contest.to_json`."""
    dataset, rules = _DATASET.validate_python(data["dataset"]), EvalSpec.model_validate(data["eval"])
    return Contest(data["label"], dataset, rules, tuple(data["axes"]), data["truth"])


def contest(label: str, dataset: DatasetSpec, eval: EvalSpec, axes: Iterable[str] = ()) -> Contest:
    """The contest of a data set whose reported split is spelt out."""
    scored = dataset.model_copy(update={"train": None, "val": None})
    return Contest(label, scored, EvalSpec(**eval.model_dump(include=set(RULES))), tuple(axes))


def contest_on(name: str) -> Contest:
    """The contest on a data set of the table, as `bench list datasets` names it; raises BenchError for a name it does not have."""
    entry = entry_named(name)
    try:
        dataset = _DATASET.validate_python({"name": name, "test": entry.roles["test"]})
    except ValidationError:  # a data set that has to be told where it lies
        raise BenchError(f"data set {name!r} needs fields: write a file with a block `dataset: {{name: {name}, ...}}`") from None
    return contest(name, dataset, EvalSpec())


def contests(suite: Suite, cells: Iterable[Cell]) -> list[Contest]:
    """The distinct contests of a suite: those of its cells, or, where it has no matrix, of all the data sets it names."""
    if suite.matrix:
        found = {(cell.dataset_label, cell.dataset.model_dump_json(), cell.eval): cell for cell in cells}
        made = [contest(each.dataset_label, each.dataset, each.eval, (path for path, _ in each.axes)) for each in found.values()]
    else:
        known_datasets(suite)
        named: list[tuple[str, DatasetSpec, KeyPath]] = [
            (label, spec, ("datasets", label)) for label, spec in suite.datasets.items()
        ]
        named += [(suite.name, suite.dataset, ("dataset",))] if suite.dataset else []
        made = [contest(label, with_roles(suite, spec, path), suite.eval) for label, spec, path in named]
    return list({each.key: each for each in made}.values())

"""From a suite to its cells: product, minus `exclude`, plus `include`, then `overrides`, and what these start from."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from bench.cell import Cell
from bench.data import DATASETS, entry_named, entry_of
from bench.errors import BenchError, nearest
from bench.explain import describe
from bench.lineage import link
from bench.models import MODELS
from bench.recipes import RECIPES
from bench.specs import AnyDatasetSpec, AugmentationSpec, EvalSpec, FolderSpec, ModelSpec, ProfileSpec, TrainSpec
from bench.specs.blocks import plain
from bench.suite import CELL_ROOTS, Suite
from bench.yamlfile import KeyPath

NAMED_AXES = ("dataset", "model", "augmentation", "fraction", "seed")
_SPECS: dict[str, Any] = {
    "model": TypeAdapter(ModelSpec),
    "dataset": TypeAdapter(AnyDatasetSpec),
    "augmentation": TypeAdapter(AugmentationSpec),
    "train": TypeAdapter(TrainSpec),
    "eval": TypeAdapter(EvalSpec),
    "profile": TypeAdapter(ProfileSpec | None),
}
Values = dict[str, Any]
_MOST_CELLS = 50_000
"""Combinations of one suite, before `exclude`: years of work, and still planned in seconds."""
_TABLES: dict[str, dict[str, Any]] = {"model": dict(MODELS), "dataset": dict(DATASETS), "augmentation": {"none": None}}


def expand(suite: Suite) -> list[Cell]:
    """All cells of a suite in the order of its axes, seeds innermost, each combination once; none for a suite without a matrix.

    Raises BenchError with file and line for a name no block and no table holds, and for a field or value a cell cannot have.
    """
    known_datasets(suite)
    if not suite.matrix:
        return []
    if suite.augmentations.get("none", AugmentationSpec()) != AugmentationSpec():
        raise BenchError(
            f"{suite.place(('augmentations', 'none'))}: `none` is the augmentation that changes nothing; choose another name"
        )
    matrix: dict[str, list[Any]] = {"augmentation": ["none"], "fraction": [1], "seed": [0], **suite.matrix}
    order = [*NAMED_AXES[:-1], *(axis for axis in matrix if axis not in NAMED_AXES), "seed"]
    for axis, values in matrix.items():
        _known_axis(suite, axis, ("matrix", axis))
        matrix[axis] = [_value(suite, axis, value, ("matrix", axis, index)) for index, value in enumerate(values)]
    _bounded(suite, [matrix, *({**matrix, **_listed(entry)} for entry in suite.include)])
    excluded = [_condition(suite, entry, ("exclude", index), matrix) for index, entry in enumerate(suite.exclude)]
    combinations = [values for values in _products(matrix, order) if not any(matches(values) for matches in excluded)]
    for index, entry in enumerate(suite.include):
        wanted = {axis: _values(suite, axis, value, ("include", index, axis)) for axis, value in _listed(entry).items()}
        combinations += _products({**matrix, **wanted}, order)
    _expected(suite, matrix)
    build = _Builder(suite, matrix)
    unique = {json.dumps(values, sort_keys=True): values for values in combinations}
    if not unique:
        raise BenchError(f"{suite.place(('exclude',))}: exclude leaves no cell; take an entry out")
    return link(
        [build.cell(values) for values in unique.values()],
        [*suite.models, *(name for name in MODELS if name not in suite.models)],
        build.like,
        lambda label: suite.place(("models", label, "init_from")),
    )


def known_datasets(suite: Suite) -> None:
    """Raise BenchError with file and line for a data set that no table holds."""
    named: list[tuple[KeyPath, Any]] = [(("datasets", label), spec) for label, spec in suite.datasets.items()]
    for path, spec in [*named, (("dataset",), suite.dataset)]:
        try:
            entry_of(spec) if spec else None
        except BenchError as error:
            raise BenchError(f"{suite.place((*path, 'name'))}: {error}") from None


def with_roles(suite: Suite, dataset: Any, path: KeyPath) -> Any:
    """The data set of a block with the splits it trains, chooses and reports on spelt out."""
    entry = entry_of(dataset)
    roles = {role: getattr(dataset, role) or entry.roles[role] for role in ("train", "val", "test")}
    for role, split in roles.items():
        if split is not None and split not in entry.splits:
            place = suite.place((*path, role))
            known = f"{nearest(split, entry.splits)} It has {', '.join(entry.splits)}."
            raise BenchError(f"{place}: {role}: dataset {dataset.name} has no split {split!r}.{known}")
    return dataset.model_copy(update=roles)


def _trainable(suite: Suite, dataset: Any, path: tuple[str, ...]) -> None:
    """Refuse a data set that can only be scored, in a suite that trains."""
    if not (dataset.train or entry_of(dataset).roles["train"]):
        raise BenchError(f"{suite.place(path)}: {'.'.join(path)}: splits: none is named 'train'; say which it is with `train:`")
    if isinstance(dataset, FolderSpec) and dataset.images is None:
        where = f"{suite.place(path)}: {'.'.join(path)}"
        raise BenchError(f"{where}: images: missing. A data set that is trained on needs them; only for scoring labels are enough.")


def _bounded(suite: Suite, products: list[dict[str, list[Any]]]) -> None:
    """Refuse products of axes that nobody could run, before they are written out: the matrix, then each entry of `include`."""
    combinations = 0
    for index, axes in enumerate(products):
        combinations += prod(map(len, axes.values()))
        if combinations > _MOST_CELLS:
            lengths = " x ".join(f"{len(values)} {axis}" for axis, values in axes.items() if len(values) > 1)
            place = suite.place(("include", index - 1) if index else ("matrix",))
            here = f"{combinations} combinations of axes, {lengths} among them"
            raise BenchError(f"{place}: {here}; {_MOST_CELLS} are the most of one suite. Shorten an axis, or divide the suite.")


def _listed(entry: dict[str, Any]) -> dict[str, list[Any]]:
    return {axis: given if isinstance(given, list) else [given] for axis, given in entry.items()}


def _products(axes: dict[str, list[Any]], order: list[str]) -> Iterator[Values]:
    names = [*(axis for axis in order if axis in axes), *(axis for axis in axes if axis not in order)]
    for values in product(*(axes[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _known_axis(suite: Suite, axis: str, path: KeyPath) -> None:
    if axis not in NAMED_AXES and axis.partition(".")[0] not in CELL_ROOTS:
        hint = nearest(axis, [*NAMED_AXES, "model.stride", "train.lr", "train.steps"])
        raise BenchError(f"{suite.place(path)}: unknown axis {axis!r}.{hint} Axes are {', '.join(NAMED_AXES)} and dotted fields.")


def _values(suite: Suite, axis: str, given: list[Any], path: KeyPath) -> list[Any]:
    """The values an entry gives for an axis, once they are known to be values of it."""
    _known_axis(suite, axis, path)
    return [_value(suite, axis, value, path) for value in given]


def _value(suite: Suite, axis: str, value: Any, path: KeyPath) -> Any:
    """Check one value of a named axis; dotted fields are checked with the cell they build."""
    place = suite.place(path)
    if axis in ("model", "dataset", "augmentation"):
        blocks, table = getattr(suite, f"{axis}s"), _TABLES[axis]
        if axis == "dataset" and isinstance(value, str) and ":" in value and value not in blocks:
            return _plugged(value, place)
        if not isinstance(value, str) or (value not in blocks and value not in table):
            known = [*blocks, *table]
            where = f"It is neither below `{axis}s:` nor built in ({', '.join(table)})."
            raise BenchError(f"{place}: unknown {axis} {value!r}.{nearest(value, known)} {where}")
    elif axis == "fraction":
        try:
            text = str(value)
            number = float(Fraction(text) if "/" in text else text)  # as a fraction, 1e999999999 would fill the memory
        except (ValueError, ZeroDivisionError, OverflowError):
            number = 0.0
        if isinstance(value, bool) or not 0 < number <= 1:
            raise BenchError(f"{place}: fraction: given {value!r}, expected a share above 0 and up to 1, such as 0.25 or 1/4")
        return number
    elif axis == "seed" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise BenchError(f"{place}: seed: given {value!r}, expected a whole number from 0")
    elif axis not in NAMED_AXES:
        try:
            plain(value)
        except ValueError as error:
            raise BenchError(f"{place}: {axis}: {error}") from None
    return value


def _plugged(name: str, place: str) -> str:
    """The name of a data set in a module of the user's, once it is known to be there."""
    try:
        entry_named(name)
    except BenchError as error:
        raise BenchError(f"{place}: {error}") from None
    return name


def _condition(suite: Suite, entry: dict[str, Any], path: KeyPath, matrix: dict[str, Any]) -> Callable[[Values], bool]:
    """A test whether a combination has one of the values an entry names for each of its axes."""
    wanted = {axis: _values(suite, axis, given, (*path, axis)) for axis, given in _listed(entry).items()}
    for axis in wanted:
        if axis not in matrix:
            raise BenchError(f"{suite.place((*path, axis))}: {axis!r} is no axis of this matrix ({', '.join(matrix)})")
    return lambda values: all(values[axis] in options for axis, options in wanted.items())


def _expected(suite: Suite, matrix: dict[str, Any]) -> None:
    """Refuse a published score for rows that no suite like this has; a matrix that was narrowed by --set may lack some."""
    for index, each in enumerate(suite.expected):
        path: KeyPath = ("expected", index, "when")
        if "seed" in each.when:
            raise BenchError(f"{suite.place((*path, 'seed'))}: a published score is for a row, which has all seeds; leave seed out")
        _condition(suite, each.when, path, matrix)


class _Builder:
    """Builds cells, validating each distinct block once however many cells share it."""

    def __init__(self, suite: Suite, matrix: dict[str, Any]) -> None:
        self.suite = suite
        self.base = {key: _plain(getattr(suite, key)) for key in ("train", "eval", "profile")}
        self.overrides = [
            (index, _condition(suite, override.when, ("overrides", index, "when"), matrix), override.set)
            for index, override in enumerate(suite.overrides)
        ]
        self.blocks: dict[tuple[str, str], Any] = {}
        self.known: dict[tuple[str, int | str], Any] = {}

    def cell(self, values: Values) -> Cell:
        """The cell of one combination of axis values."""
        blocks = {**self.base, **{root: self.block(root, values[root]) for root in ("model", "dataset", "augmentation")}}
        origin: dict[str, KeyPath] = {}
        axes = {axis: value for axis, value in values.items() if axis not in NAMED_AXES}
        for axis, value in axes.items():
            self.assign(blocks, axis, value, origin, ("matrix", axis))
        for index, matches, changes in self.overrides:
            if matches(values):
                for field, value in changes.items():
                    self.assign(blocks, field, value, origin, ("overrides", index, "set", field))
        specs = {root: self.validate(root, block, values, origin) for root, block in blocks.items()}
        return Cell(
            model_label=values["model"],
            dataset_label=values["dataset"],
            augmentation_label=values["augmentation"],
            fraction=values["fraction"],
            seed=values["seed"],
            axes=tuple(axes.items()),
            **{**specs, "dataset": self.dataset(specs["dataset"], values["dataset"])},
        )

    def like(self, cell: Cell, model: str) -> Cell:
        """The cell of another model that agrees with this one in everything else."""
        named = (model, cell.dataset_label, cell.augmentation_label, cell.fraction, cell.seed)
        return self.cell(
            {**dict(zip(("model", "dataset", "augmentation", "fraction", "seed"), named, strict=True)), **dict(cell.axes)}
        )

    def block(self, root: str, label: str) -> Any:
        """The raw block a label names; a name without a block is a table entry with its defaults."""
        if (root, label) not in self.blocks:
            named = getattr(self.suite, f"{root}s")
            bare = {} if root == "augmentation" else {"name": label}
            self.blocks[root, label] = _plain(named[label]) if label in named else bare
        return self.blocks[root, label]

    def assign(self, blocks: dict[str, Any], field: str, value: Any, origin: dict[str, KeyPath], path: KeyPath) -> None:
        """Set a dotted field, remembering where in the file that was asked for."""
        root, _, key = field.partition(".")
        if root not in CELL_ROOTS or not key or "." in key:
            place = self.suite.place(path)
            raise BenchError(
                f"{place}: unknown field {field!r}; it is one of {', '.join(CELL_ROOTS)}, a dot, and a field of that block"
            )
        # A recipe sets the horizon too, so one in epochs gives way to it.
        recipe = {**RECIPES.get(str(value), {}), "epochs": None} if field == "train.recipe" else {}
        blocks[root] = {**(blocks[root] or {}), **recipe, key: value}
        origin[field] = path

    def validate(self, root: str, block: Any, values: Values, origin: dict[str, KeyPath]) -> Any:
        """The frozen spec of a raw block; errors point at the line that set the field."""
        # Most cells share most blocks, which are quicker to know again by themselves than by their text.
        whole = (root, id(block))
        if whole in self.known:
            return self.known[whole]
        key = root, json.dumps(block, sort_keys=True, default=str)
        if key not in self.known:
            try:
                self.known[key] = _SPECS[root].validate_python(block)
            except ValidationError as error:
                raise BenchError(self.explain(error, root, block, values, origin)) from None
        if block is self.base.get(root) or block is self.blocks.get((root, str(values.get(root)))):
            self.known[whole] = self.known[key]
        return self.known[key]

    def dataset(self, spec: Any, label: str) -> Any:
        """A data set that can be trained on, with its roles spelt out; the same object for all cells that have it."""
        if ("roles", id(spec)) not in self.known:
            _trainable(self.suite, spec, ("datasets", label))
            self.known["roles", id(spec)] = with_roles(self.suite, spec, ("datasets", label))
        return self.known["roles", id(spec)]

    def explain(self, error: ValidationError, root: str, block: Any, values: Values, origin: dict[str, KeyPath]) -> str:
        """One line, at the override, axis or block that made the cell invalid."""
        item = error.errors()[0]
        # Locations of a union begin with the branch's name, which no file contains.
        loc = [part for part in item["loc"] if not (root in ("model", "dataset") and part == item["loc"][0])]
        field = str(loc[0]) if loc else ""
        home: KeyPath = (f"{root}s", values[root]) if root in ("model", "dataset", "augmentation") else (root,)
        path = origin.get(f"{root}.{field}") or next((origin[each] for each in origin if each.startswith(f"{root}.")), home)
        known = {"name": block.get("name")} if isinstance(block, dict) else {}
        shaped = {"models": {"_": known}, "datasets": {"_": known}, "augmentations": {"_": {}}}
        spot: KeyPath = (f"{root}s", "_", *loc) if f"{root}s" in shaped else (root, *loc)
        text = describe(spot, [dict(each) for each in error.errors()], shaped, Suite).replace(f"{root}s._", root)
        return f"{self.suite.place(path)}: {text}"


def _plain(spec: BaseModel | None) -> Any:
    # Without defaults, so that an axis `train.epochs` displaces the default of `train.steps`, and contradicts steps in the file.
    return None if spec is None else spec.model_dump(mode="json", exclude_unset=True)

"""A suite file: what it may say, and how it is read."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from bench.errors import BenchError
from bench.explain import explain
from bench.specs import AnyDatasetSpec, AugmentationSpec, EvalSpec, Expectation, ModelSpec, ProfileSpec, Spec, TrainSpec
from bench.yamlfile import Document, KeyPath, parse_setting, read_yaml

Axis = Annotated[list[Any], Field(min_length=1)]
SCORING = {"name", "title", "dataset", "datasets", "eval"}
"""The blocks of a file that trains nothing and serves `bench score`."""
SCHEMA_LINE = "# yaml-language-server: $schema="


class Override(Spec):
    """A change to all cells that match."""

    when: dict[str, Any] = {}
    """Axis -> value, or a list of values any of which matches. Empty: all cells."""
    set: Annotated[dict[str, Any], Field(min_length=1)]
    """Dotted field of a cell -> value: `train.lr`, `model.width`, `eval.batch`, `dataset.resize`, `augmentation.flip`."""


class Suite(Spec):
    """Models x data sets x augmentations x shares of the data x seeds, and how each is trained, scored and profiled."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    """Name of the suite, of its MLflow experiment and of its exports. Unset: the file's name."""
    title: str = ""
    """One line for headings."""
    dataset: AnyDatasetSpec | None = None
    """The data set of a file without a matrix, on which `bench score` scores predictions. A bare name stands for `{name: ...}`."""
    datasets: dict[str, AnyDatasetSpec] = {}
    """Data sets by a name of your choice. A name from `bench list datasets` needs no block."""
    models: dict[str, ModelSpec] = {}
    """Models by a name of your choice. A name from `bench list models` needs no block."""
    augmentations: dict[str, AugmentationSpec] = {}
    """Augmentations by a name of your choice; `none` is always there."""
    matrix: dict[str, Axis] = {}
    """Axes whose product is the suite: `model`, `dataset`, `augmentation`, `fraction`, `seed`, dotted fields (`model.stride`)."""
    include: list[dict[str, Any]] = []
    """Further combinations; an axis that an entry leaves out takes all the values it has in the matrix."""
    exclude: list[dict[str, Any]] = []
    """Combinations of the matrix to leave out: axis -> value or list of values."""
    overrides: list[Override] = []
    """Changes to some cells, applied in order."""
    expected: list[Expectation] = []
    """Published scores, which the leaderboard prints beside the rows they are for, with pass or fail."""
    train: TrainSpec = TrainSpec()
    eval: EvalSpec = EvalSpec()
    profile: ProfileSpec | None = ProfileSpec()
    """How speed and cost are measured; `null` leaves the profile out."""
    _document: Document = PrivateAttr()

    @field_validator("matrix", mode="before")
    @classmethod
    def _scalars_are_lists(cls, value: Any) -> Any:
        return (
            {key: item if isinstance(item, list) else [item] for key, item in value.items()} if isinstance(value, dict) else value
        )

    @field_validator("dataset", mode="before")
    @classmethod
    def _a_name_is_a_block(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_axes(self) -> "Suite":
        given = self.model_fields_set
        if "matrix" not in given:
            if not given & {"dataset", "datasets"} or given - SCORING:
                raise ValueError("matrix: missing. Add `matrix:` here. Only a file with nothing but a `dataset:` needs none.")
            return self
        if self.dataset is not None:
            raise ValueError("`dataset:` is for a file without a matrix; put it below `datasets:`, under a name of your choice")
        for axis in ("model", "dataset"):
            if axis not in self.matrix:
                raise ValueError(f"matrix has no axis {axis!r}; say `{axis}: [name, ...]` below `matrix:`")
        return self

    @property
    def document(self) -> Document:
        """The file this suite was read from."""
        return self._document

    def place(self, path: KeyPath) -> str:
        """``file:line`` of a key path, or the ``--set`` that said it."""
        if path[:1] == ("overrides",) and len(path) > 1 and path[:2] not in self._document.lines:
            return f"--set {path[-1]}"
        return self._document.place(path)


def load_suite(path: Path, settings: list[str] | None = None) -> Suite:
    """Read a suite file and apply ``--set path=value`` settings, which win over everything the file says.

    Raises BenchError with file, line, field, the value given and the nearest valid name, for all mistakes at once.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise BenchError(f"{path}: a suite is a mapping with at least `matrix:` or `dataset:`; see `bench schema`")
    return build_suite(Document(path, {"name": path.stem, **document.data}, document.lines), settings or [])


def build_suite(document: Document, settings: list[str]) -> Suite:
    """The suite that a mapping says, with settings applied; raises BenchError as `load_suite` does."""
    data = dict(document.data)
    # Whole blocks first: `overrides=[]` empties the file's, and not what another --set has added.
    ordered = sorted(settings, key=lambda setting: "." in setting.partition("=")[0])
    said = frozenset(path for setting in ordered if (path := _apply(data, setting)))
    document = Document(document.path, data, document.lines, said)
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise BenchError(explain(error, document, Suite)) from None
    suite._document = document
    return suite


def _apply(data: dict[str, Any], setting: str) -> KeyPath:
    """Put one ``path=value`` into raw suite data: cell fields as a last override, the suite's own fields in place.

    Returns the key path that no longer says what stands in the file, () for none.
    """
    path, value = parse_setting(setting, "path=value", "train.steps=200")
    root, _, rest = path.partition(".")
    if rest and root == "eval" and "matrix" not in data:  # nothing but rules of scoring, and no cells to override
        data["eval"] = {**(data.get("eval") or {}), rest: value}
    elif rest and root in CELL_ROOTS:
        overrides = data.get("overrides")
        data["overrides"] = [*(overrides if isinstance(overrides, list) else []), {"set": {path: value}}]
    elif rest and root == "matrix":
        matrix = data.get("matrix")
        data["matrix"] = {**(matrix if isinstance(matrix, dict) else {}), rest: value}
        return ("matrix", rest)
    elif not rest and root in WHOLE:
        data[root] = value
        return (root,)
    else:
        hint = ""
        if root in ("models", "datasets", "augmentations") and rest:
            label, _, key = rest.rpartition(".")
            field, text = f"{root[:-1]}.{key if label else 'FIELD'}", setting.partition("=")[2]
            one = f"--set 'matrix.{root[:-1]}=[{label or key}]' --set {field}={text}"
            hint = f" {field} sets it in all cells; of one block alone: {one}, or edit the file."
        roots = ", ".join(CELL_ROOTS)
        raise BenchError(
            f"--set {setting}: unknown field {path!r}.{hint} A field begins with {roots} or matrix, or is {', '.join(WHOLE)}."
        )
    return ()


WHOLE = ("name", "title", "profile", "include", "exclude", "overrides", "expected")
"""Blocks that --set replaces as they are."""
CELL_ROOTS = ("train", "eval", "profile", "model", "dataset", "augmentation")


def schema() -> str:
    """The JSON Schema of suite files, as text; `name` may be left out in a file."""
    data = Suite.model_json_schema()
    del data["required"]
    data["anyOf"] = [{"required": [block]} for block in ("matrix", "dataset", "datasets")]
    data["title"] = "Stridebench suite"
    # The shorthand of one value for a list of one, which the reader accepts.
    data["properties"]["matrix"]["additionalProperties"] = {
        "anyOf": [{"type": "array", "minItems": 1}, {"type": ["string", "number"]}]
    }
    data["properties"]["dataset"]["anyOf"].append({"type": "string"})  # a name without options
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **data}, indent=2) + "\n"

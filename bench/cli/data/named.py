"""The data sets that a command's NAME means: one of the table, or those of a suite file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from bench.cli.options import suite_path
from bench.data import DATASETS, entry_of
from bench.data.samples import Sample, labelled, list_samples
from bench.errors import BenchError
from bench.explain import describe
from bench.registry import DatasetEntry, lookup
from bench.specs import AnyDatasetSpec, DatasetSpec
from bench.suite import Suite
from bench.trust import read_suite
from bench.yamlfile import parse_setting

NameArgument = Annotated[
    str,
    typer.Argument(help="A data set of `bench data list`, a suite file, or SUITE:LABEL for one of its data sets.", metavar="NAME"),
]
FieldOption = Annotated[
    list[str], typer.Option("--set", help="A field of the data set, e.g. data_seed=3. Repeatable.", metavar="FIELD=VALUE")
]
SplitOption = Annotated[list[str], typer.Option("--split", help="Only this split. Repeatable.", metavar="SPLIT")]
_SPEC: TypeAdapter[Any] = TypeAdapter(AnyDatasetSpec)


@dataclass(frozen=True)
class Named:
    """A data set as a command was asked for it."""

    label: str
    spec: DatasetSpec
    entry: DatasetEntry

    def roles(self) -> dict[str, str]:
        """Role -> split, where the spec or else the data set's convention has one."""
        named = {role: getattr(self.spec, role) or self.entry.roles[role] for role in ("train", "val", "test")}
        return {role: split for role, split in named.items() if split}

    def samples(self, root: Path, split: str) -> list[Sample]:
        """The samples of a split below the data root; raises BenchError as `list_samples` does, with the label."""
        with labelled(self.label, self.spec):
            return list_samples(self.entry, root, self.spec, split)

    def file_name(self) -> str:
        """The label fit for a file's name."""
        return re.sub(r"[^\w.-]", ".", self.label)


def datasets(name: str, settings: list[str]) -> list[Named]:
    """The data sets a NAME means, with ``--set`` applied; raises BenchError for what is unknown or contradicts itself."""
    path, _, label = name.partition(":")
    if name in DATASETS or not _is_file(path):
        return [_named(name, _validated(name, {"name": name}, settings))]
    known = _in_suite(read_suite(suite_path(path)))
    if not known:
        raise BenchError(f"{path}: names no data set. Name one of `bench data list` instead.")
    blocks = {label: lookup("dataset", known, label)} if label else known
    return [
        _named(each, _validated(each, spec.model_dump(mode="json", exclude_unset=True), settings)) for each, spec in blocks.items()
    ]


def _in_suite(suite: Suite) -> dict[str, DatasetSpec]:
    """The data sets of a suite by label: its blocks, and what its matrix names without one."""
    found: dict[str, DatasetSpec] = {**suite.datasets, **({suite.dataset.name: suite.dataset} if suite.dataset else {})}
    for name in suite.matrix.get("dataset", []):
        if name not in found:
            found[str(name)] = _validated(str(name), {"name": str(name)}, [])
    return found


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml") or (Path("suites") / f"{name}.yaml").exists()


def _named(label: str, spec: DatasetSpec) -> Named:
    return Named(label, spec, entry_of(spec))


def _validated(label: str, data: dict[str, Any], settings: list[str]) -> DatasetSpec:
    data = dict(data)
    for setting in settings:
        key, value = parse_setting(setting, "field=value", "data_seed=3")
        data[key] = value
    try:
        spec: DatasetSpec = _SPEC.validate_python(data)
        return spec
    except ValidationError as error:
        if data.keys() == {"name"}:
            raise BenchError(f"{label}: must be described in a suite file's `datasets:`. Give that file as NAME.") from None
        raw = {"datasets": {label: data}}
        raise BenchError(
            "\n".join(describe(("datasets", label, *each["loc"][1:]), [dict(each)], raw, Suite) for each in error.errors())
        ) from None


def presence(named: Named, root: Path) -> dict[str, int | None]:
    """Split -> images listed below the data root, None where it is not whole."""
    found: dict[str, int | None] = {}
    for split in named.entry.splits:
        try:
            found[split] = len(list_samples(named.entry, root, named.spec, split))
        except BenchError:
            found[split] = None
    return found


def one(name: str, settings: list[str]) -> Named:
    """The one data set a NAME means; raises BenchError when a suite has several."""
    found = datasets(name, settings)
    if len(found) > 1:
        raise BenchError(
            f"{name} has {len(found)} data sets: {', '.join(f'{name}:{each.label}' for each in found)}. Name one of them."
        )
    return found[0]

"""From pydantic's errors to lines a person can act on: file, line, field, value given, nearest valid name."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.data import DATASETS
from bench.errors import nearest, unknown
from bench.models import MODELS
from bench.specs import (
    DATASET_SPECS,
    AugmentationSpec,
    DatasetSpec,
    EvalSpec,
    Expectation,
    FcnSpec,
    PluginSpec,
    ProfileSpec,
    SmpSpec,
    TorchvisionSpec,
    TrainSpec,
    UnetSpec,
)
from bench.yamlfile import Document, KeyPath

BLOCKS: dict[str, type[BaseModel]] = {"train": TrainSpec, "eval": EvalSpec, "profile": ProfileSpec}
MODEL_SPECS: dict[str, type[BaseModel]] = {"fcn": FcnSpec, "unet": UnetSpec, "smp": SmpSpec, "torchvision": TorchvisionSpec}


MOST_LISTED = 24
"""Names that are listed in full although one of them is near to what was given."""


def explain(error: ValidationError, document: Document, root: type[BaseModel]) -> str:
    """One line a mistake in a file that ``root`` describes, each beginning ``file:line:``."""
    found: dict[KeyPath, list[dict[str, Any]]] = {}
    for item in error.errors():
        found.setdefault(_in_file(item["loc"], document.data, item["type"] == "missing"), []).append(dict(item))
    told: dict[str, str] = {}
    for path, items in found.items():
        told.setdefault(describe(path, items, document.data, root), document.place(path))
    return "\n".join(f"{place}: {text}" for text, place in told.items())


def describe(path: KeyPath, items: list[dict[str, Any]], data: Any, root: type[BaseModel]) -> str:
    """What is wrong at one place; several items are the branches of one union."""
    item, name = items[0], dotted(path)
    kind = item["type"]
    block = path[:2] if path[:1] == ("datasets",) else path[:1] if path[:1] == ("dataset",) else ()
    given = _at(data, block).get("name") if kind == "extra_forbidden" and block else None
    if isinstance(given, str) and given not in DATASETS and ":" not in given:
        return f"{dotted(block)}.name: {unknown('dataset', given, DATASETS)}"
    if kind == "extra_forbidden":
        return f"{name}: unknown key {path[-1]!r}.{nearest(path[-1], _keys_at(path[:-1], data, root))}"
    if kind == "missing" and isinstance(path[-1], int):
        return f"{dotted(path[:-1])}: the list is too short; its value number {path[-1] + 1} is missing"
    if kind == "missing":
        return f"{name}: missing. Add `{path[-1]}:` here."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        if isinstance(item["input"], str):
            return f"{name}: given {item['input']!r}, expected a block: write {{name: {item['input']}}}"
        given = item["input"].get("name") if isinstance(item["input"], dict) else item["input"]
        if given is None:
            return f"{name}: missing `name:`, one of {', '.join(MODELS)}"
        if given == "external":
            return f"{name}.name: an external model cannot be trained; `bench score` scores its predictions"
        return f"{name}.name: {unknown('model', given, MODELS)}"
    if kind == "string_pattern_mismatch" and path[-1:] == ("name",) and ":" in str(item["input"]):
        return f"{name}: given {_short(item['input'])}, expected package.module:function"
    if kind == "string_pattern_mismatch":
        return f"{name}: given {_short(item['input'])}, expected letters, digits, '.', '_' and '-', a letter or digit first"
    if kind == "invalid_key":
        return f"{name}: the key {path[-1] if path else item['input']!r} is not text; put it in quotes"
    if kind == "too_short" and path[:1] == ("matrix",):
        return f"{name}: the axis is empty; give it at least one value or leave it out"
    if kind == "too_short" and path[-1:] == ("when",):
        return f"{name}: is empty; say which rows it is for, such as {{model: fcn8s}}"
    if kind == "value_error":
        return f"{name}: {item['msg'].removeprefix('Value error, ')}" if name else item["msg"].removeprefix("Value error, ")
    wanted = " or ".join(dict.fromkeys(_plain(each["msg"]) for each in items))
    names = re.findall(r"'([^']+)'", " ".join(str(each.get("ctx", {}).get("expected", "")) for each in items))
    hint = nearest(item["input"], names) if isinstance(item["input"], str) else ""
    if len(names) > MOST_LISTED and hint:
        return f"{name}: given {_short(item['input'])}, which is none of the {len(names)} there are.{hint}"
    return f"{name}: given {_short(item['input'])}, expected {wanted}.{hint}"


def dotted(path: Iterable[str | int]) -> str:
    """``overrides[0].set`` for a key path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _plain(message: str) -> str:
    message = message.split(",")[0] if message.startswith("Input should be a valid") else message
    message = re.sub(r"^(Input|Value) should ", "", re.sub(r" or instance of \w+", "", message)).replace(
        "a valid dictionary", "a mapping"
    )
    message = message.replace("a valid tuple", "a list")
    message = re.sub(r"^(be|have) ", "", message)
    return message[0].lower() + message[1:] if message else message


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _in_file(loc: KeyPath, data: Any, missing: bool) -> KeyPath:
    """The key path in the file of an error's location: of what is not there, only a missing key is named, no branch of a union."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        listed = isinstance(data, list) and isinstance(part, int) and part < len(data)
        inside = listed or (isinstance(data, dict) and part in data)
        if inside:
            path.append(part)
            data = data[part]
        elif missing and position == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _at(data: Any, path: KeyPath) -> Any:
    """What stands at a place of a file."""
    for key in path:
        data = data[key]
    return data


def _keys_at(path: KeyPath, data: Any, root: type[BaseModel]) -> list[str]:
    """The keys that are valid below a path of the file."""
    match path:
        case ():
            return list(root.model_fields)
        case (str() as block,) if block in BLOCKS:
            return list(BLOCKS[block].model_fields)
        case ("models", label):
            return list(MODEL_SPECS.get(str(data["models"][label]["name"]), PluginSpec).model_fields)
        case ("datasets", label):
            return _keys_at(("dataset",), {"dataset": data["datasets"][label]}, root)
        case ("dataset",):
            return list(DATASET_SPECS.get(str(data["dataset"].get("name")), DatasetSpec).model_fields)
        case ("augmentations", _):
            return list(AugmentationSpec.model_fields)
        case ("overrides", int()):
            return ["when", "set"]
        case ("expected", int()):
            return list(Expectation.model_fields)
    return []

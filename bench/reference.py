"""The page of all fields of a suite file, made from the schema that editors read."""

import json
import re
from typing import Any

from bench.suite import schema

ORDER = (
    "FolderSpec", "PhantomSpec", "IsbiSpec", "DatasetSpec", "FcnSpec", "UnetSpec", "SmpSpec", "TorchvisionSpec", "PluginSpec",
    "AugmentationSpec", "Override", "Expectation", "TrainSpec", "BorderSpec", "EvalSpec", "ProfileSpec",
)  # fmt: skip
"""Blocks in the order in which a file is written."""
HEAD = """\
# Suite reference

Every block and field of a suite file, made from its schema by `bench schema --markdown`. [The tutorial](tutorial.md) has a suite to
begin with. An unknown key is an error; a field without a default has to be given.
"""


def reference() -> str:
    """The Markdown page: a table of fields for the file itself and for each kind of block in it."""
    data = json.loads(schema())
    blocks: dict[str, Any] = data["$defs"]
    assert set(ORDER) == set(blocks), set(ORDER) ^ set(blocks)
    parts = [HEAD, "## The file\n", f"{data['description']}\n", _table(data, required={"matrix"})]
    for name in ORDER:
        block = blocks[name]
        parts += [f"## {name}\n", f"{_prose(block['description'])}\n", _table(block, required=set(block.get("required", ())))]
    return "\n".join(parts)


def _table(block: dict[str, Any], required: set[str]) -> str:
    lines = ["| field | takes | default | |", "| --- | --- | --- | --- |"]
    for name, field in block["properties"].items():
        default = "" if name in required or "default" not in field else _default(field["default"])
        lines.append(f"| `{name}` | {_type(field)} | {default} | {_cell(_prose(field.get('description', '')))} |")
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "that of its fields"
    return "unset" if value is None or value in ("", [], {}) else f"`{json.dumps(value)}`"


def _type(field: dict[str, Any]) -> str:
    """What a field takes, in words; links lead to the block."""
    branches = field.get("anyOf") or field.get("oneOf")
    if branches:
        known = [_type(each) for each in branches if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(known))
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field or "enum" in field:
        return ", ".join(f"`{json.dumps(each)}`" for each in field.get("enum", [field.get("const")]))
    return _plain(field)


def _plain(field: dict[str, Any]) -> str:
    kind = field.get("type")
    if kind == "array" and "prefixItems" in field:
        return f"[{', '.join(_type(each) for each in field['prefixItems'])}]"
    if kind == "array":
        inner = field.get("items")
        return f"list of {_type(inner)}" if inner else "list"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"name: {_type(inner)}" if isinstance(inner, dict) else "mapping"
    if isinstance(kind, list):
        return " or ".join(kind)
    return f"{kind or 'anything'}{_bounds(field)}"


def _bounds(field: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    found = [f"{sign} {field[key]:,}" for key, sign in signs.items() if key in field]
    return f" {', '.join(found)}" if found else ""


def _prose(text: str) -> str:
    """Docstrings are wrapped for editors, and refer to code as reStructuredText does."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

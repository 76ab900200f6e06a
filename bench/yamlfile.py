"""YAML with positions: every key path of a file knows the line it stands on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError

KeyPath = tuple[str | int, ...]
# libyaml's parser where it is compiled in: ten times faster, the same grammar.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Aliases may multiply a small file into billions of nodes; no honest suite comes near this.
_MOST_NODES = 200_000
_DEEPEST = 64
"""Lists and mappings inside one another. The compiled parser ends the process where thousands are."""
_FOREIGN = ("timestamp", "binary", "set", "omap", "pairs", "value")
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What the parser raises, for explicit tags among others: a `!!bool` that is none is a KeyError."""


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and the line (from 1) of every key and list item."""

    path: Path
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    said: frozenset[KeyPath] = frozenset()
    """What the command line said with --set in the place of the file."""

    def place(self, path: KeyPath) -> str:
        """``file:line`` of a key path, or of its nearest parent that stands in the file."""
        for depth in range(len(path)):
            if path[: depth + 1] in self.said:
                return f"--set {'.'.join(map(str, path[: depth + 1]))}"
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines.get(path, 1)}"


def read_yaml(path: Path) -> Document:
    """Parse a file safely (no tags that run code); raises BenchError with the line for what is not YAML or says a key twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BenchError(f"{path}: no such file. `bench list suites` prints the suites below ./suites.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: cannot be read as text: {error}") from None
    try:
        _shallow(path, text)
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {}
        if node is not None:
            _walk(path, node, (), lines, (), count(1))
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = " (YAML is indented with spaces, never with tabs)" if "\t" in text else ""
        raise BenchError(f"{path}:{line}: not valid YAML: {error.problem or error.context}{hint}") from None
    except _NOT_YAML as error:
        raise BenchError(f"{path}: not valid YAML: {next(iter(str(error).splitlines()), type(error).__name__)}") from None
    return Document(path, data, lines)


def _shallow(file: Path | str, text: str) -> None:
    """Refuse what is nested too deeply, before anything reads it that calls itself."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise _too_deep(file, event.start_mark)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" not in str(error.problem):  # newer parsers have a bound of their own, and read ahead
            raise
        raise _too_deep(file, error.problem_mark) from None


def _too_deep(file: Path | str, mark: Any) -> BenchError:
    line = mark.line + 1 if mark else 1
    return BenchError(f"{file}:{line}: more than {_DEEPEST} lists and mappings inside one another; write it flatter")


def _walk(file: Path, node: Any, path: KeyPath, lines: dict[KeyPath, int], inside: tuple[int, ...], visits: Iterator[int]) -> None:
    """Note the line of everything below a node, and refuse repeated keys and aliases that contain themselves."""
    lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in inside:
        raise BenchError(f"{file}:{node.start_mark.line + 1}: an alias contains itself; write the block out")
    if (kind := node.tag.removeprefix("tag:yaml.org,2002:")) in _FOREIGN:
        given = repr(node.value) if isinstance(node, yaml.ScalarNode) else "this"
        raise BenchError(f"{file}:{node.start_mark.line + 1}: {given} is a {kind} to YAML, which no field is; put it in quotes")
    if next(visits) > _MOST_NODES:  # counted, since merged blocks (`<<`) stand on one path
        raise BenchError(f"{file}: more than {_MOST_NODES} entries once its aliases are written out; make the file smaller")
    inside = (*inside, id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise BenchError(f"{file}:{key.start_mark.line + 1}: a key must be a plain word")
            below = (*path, key.value)
            if below in lines and key.value != "<<":
                raise BenchError(f"{file}:{key.start_mark.line + 1}: key {key.value!r} stands twice, first on line {lines[below]}")
            lines[below] = key.start_mark.line + 1
            _walk(file, value, below, lines, inside, visits)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(file, value, (*path, index), lines, inside, visits)


def parse_setting(setting: str, form: str, example: str) -> tuple[str, Any]:
    """The name and the YAML value of a ``--set name=value``; raises BenchError, with the form and an example, for anything else."""
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise BenchError(f"--set {setting}: expected {form}, for example --set {example}")
    try:
        _shallow(f"--set {name}", text)
        return name, yaml.safe_load(text)
    except _NOT_YAML:
        raise BenchError(f"--set {setting}: the value {text!r} is not valid YAML") from None

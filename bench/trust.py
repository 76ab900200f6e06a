"""Which suites may run code of their user's own. A suite is trusted by its content: once changed, it is not any more."""

import hashlib
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.errors import BenchError
from bench.registry import permit, permitted
from bench.specs import PluginSpec
from bench.store import read_json, write_json
from bench.suite import Suite, load_suite


def trust_file() -> Path:
    """The user's list: ``stridebench/trusted.json`` below $XDG_CONFIG_HOME or ~/.config."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "stridebench" / "trusted.json"


def plugins(models: Iterable[Any]) -> list[str]:
    """The functions of users' own that these specs name, each once."""
    return list(dict.fromkeys(spec.name for spec in models if isinstance(spec, PluginSpec)))


def trust(suite: Path) -> str:
    """Put a suite file, as it is now, on the user's list; returns the SHA-256 of its content."""
    key = _hash(suite)
    known = {**_trusted(), key: {"path": str(suite.resolve()), "trusted": datetime.now(UTC).isoformat(timespec="seconds")}}
    try:
        trust_file().parent.mkdir(parents=True, exist_ok=True)
        write_json(trust_file(), known)
    except OSError as error:
        raise BenchError(
            f"{trust_file()} cannot be written: {error.strerror}. Choose another folder with XDG_CONFIG_HOME."
        ) from error
    return key


def revoke(suite: Path) -> bool:
    """Take a suite off the list: its content, and whatever was trusted under its path; whether there was any."""
    key, place, known = _hash(suite), str(suite.resolve()), _trusted()
    kept = {each: facts for each, facts in known.items() if each != key and facts.get("path") != place}
    if len(kept) < len(known):
        write_json(trust_file(), kept)
    return len(kept) < len(known)


def read_suite(path: Path, settings: list[str] | None = None) -> Suite:
    """`load_suite`, with the data sets of the user's own permitted that a suite on the list names in its text."""
    suite = load_suite(path, settings)
    _permit_trusted(_datasets(suite), path)
    return suite


def code_of(suite: Suite) -> list[str]:
    """The names of the user's own code that a suite says: models, then data sets."""
    return [*plugins(suite.models.values()), *_datasets(suite)]


def _datasets(suite: Suite) -> list[str]:
    blocks = [*suite.datasets.values(), *([suite.dataset] if suite.dataset else [])]
    axes = [*suite.matrix.get("dataset", []), *(value for entry in suite.include for value in _listed(entry.get("dataset")))]
    return list(dict.fromkeys(name for name in [*(spec.name for spec in blocks), *map(str, axes)] if ":" in name))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_plugins(cells: Iterable[Cell], suite: Path, *, allowed: bool) -> None:
    """Permit the code of these cells' models, where it is ``allowed`` or the suite trusted; else raise BenchError before it is met.

    Code that nobody permitted is refused where it would be imported as well, by `bench.registry.own_module`.
    """
    named = plugins(cell.model for cell in cells)
    if allowed:
        permit(named)
    _permit_trusted([name for name in named if not permitted(name)], suite)
    refused = [name for name in named if not permitted(name)]
    if not refused:
        return
    raise BenchError(
        f"{', '.join(refused)}: this is code, which would run with your rights, and {suite} is not on your trust list as it is "
        f"now. --allow-plugins allows it once, `bench trust {suite}` until the file changes."
    )


def check_spec(spec: Any, *, allowed: bool) -> None:
    """The same for one model named on the command line, which no list can trust."""
    if allowed:
        permit(plugins([spec]))
    elif any(not permitted(name) for name in plugins([spec])):
        raise BenchError(f"{spec.name}: this is code, which would run with your rights. Allow it with --allow-plugins.")


def _permit_trusted(names: list[str], suite: Path) -> None:
    """Permit what a suite on the list names in its text: trust does not cover what came with ``--set``."""
    if names and _hash(suite) in _trusted():
        text = suite.read_text(encoding="utf-8")
        permit(name for name in names if re.search(rf"(?<![\w.:]){re.escape(name)}(?![\w.:])", text))


def _trusted() -> dict[str, dict[str, str]]:
    if not trust_file().exists():
        return {}
    try:
        known = read_json(trust_file())
    except BenchError as error:
        raise BenchError(f"{trust_file()}: cannot be read as JSON. Mend or remove it, then trust your suites anew.") from error
    if not isinstance(known, dict) or not all(isinstance(facts, dict) for facts in known.values()):
        raise BenchError(f"{trust_file()}: not a trust list. Remove it, then trust your suites anew.")
    return known


def _hash(suite: Path) -> str:
    try:
        return hashlib.sha256(suite.read_bytes()).hexdigest()
    except OSError as error:
        raise BenchError(f"{suite}: cannot be read: {error.strerror}") from error

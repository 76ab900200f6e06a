"""Which rows differ in one thing alone."""

from collections.abc import Sequence
from typing import Any

from bench.cell import Cell, differences
from bench.errors import BenchError, nearest
from bench.leaderboard import Row

SPECS = ("model", "dataset", "augmentation", "fraction", "train", "eval")
"""The parts of a cell that decide its scores, seed apart."""


def pairs_along(rows: Sequence[Row], fields: Sequence[str]) -> list[tuple[Row, Row]]:
    """Pairs of rows on the same images that differ in these fields alone: `augmentation`, `fraction`, `model.stride`.

    The first of a pair is the one with an augmentation where the other has none, else the one that stands first in ``rows``.
    Raises BenchError when there is no pair.
    """
    scored = [row for row in rows if row.images]
    found: list[tuple[Row, Row]] = []
    known: dict[str, None] = {}
    for place, first in enumerate(scored):
        for second in scored[place + 1 :]:
            changed = [path for path, _, _ in spec_differences(first.cells[0], second.cells[0])]
            known |= dict.fromkeys(changed)
            same = first.images[0].truth == second.images[0].truth
            if same and changed and all(_covered(path, fields) for path in changed):
                plain_first = first.cells[0].augmentation_label == "none" != second.cells[0].augmentation_label
                found.append((second, first) if plain_first else (first, second))
    if not found:
        raise _none(fields, scored, list(known))
    return found


def _none(fields: Sequence[str], rows: Sequence[Row], known: list[str]) -> BenchError:
    """Why no pair differs in these fields: one is unknown, or the rows on the same images differ in other things."""
    asked = f"--pairs {' --pairs '.join(fields)}"
    paths = {path for row in rows for path in _paths({key: row.cells[0].to_json().get(key) for key in SPECS})}
    unknown = [field for field in fields if field not in paths]
    if unknown:
        return BenchError(f"{asked}: unknown field {unknown[0]!r}.{nearest(unknown[0], [*known, *sorted(paths)])}")
    differ = f" Rows differ in {', '.join(known)}." if known else ""
    return BenchError(f"{asked}: no two rows with results on the same images differ in that alone.{differ}")


def _paths(data: Any, path: str = "") -> list[str]:
    """Every dotted field of plain data, blocks themselves included."""
    blocks = data.items() if isinstance(data, dict) else ()
    inner = [each for key, value in blocks for each in _paths(value, f"{path}.{key}" if path else key)]
    return [path, *inner] if path else inner


def spec_differences(one: Cell, other: Cell) -> list[tuple[str, Any, Any]]:
    """The dotted fields that decide scores, seed apart, in which two cells differ, with both values."""
    first, second = one.to_json(), other.to_json()
    return differences({key: first.get(key) for key in SPECS}, {key: second.get(key) for key in SPECS})


def _covered(path: str, fields: Sequence[str]) -> bool:
    return any(path == field or path.startswith(f"{field}.") for field in fields)

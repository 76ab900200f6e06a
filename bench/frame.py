"""Results as tidy pandas frames, for notebooks and figures. Columns and their units: docs/notebook.md.

Scores are in [0, 1]; what has no value is NaN or None, never 0.
"""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.breakdown import BREAKDOWNS
from bench.cell import Cell
from bench.curve import read_curve
from bench.errors import BenchError, nearest
from bench.leaderboard import BOUNDED, COST, PERCENT, SPEED, Row
from bench.names import names
from bench.store import Store
from bench.stored import inside, ranked, read_suite, suites

KINDS = (*BREAKDOWNS, "cell", "step")
"""What `load_results` can take results apart by."""
_NUMBERS = (*PERCENT, *BOUNDED, *COST, *SPEED, "rank", "fraction", "seeds", "seeds_missing", "train_images", "p_leader")


def load_results(
    store: str | Path = "runs", suite: str | None = None, by: str | None = None, *, metric: str = "miou"
) -> pd.DataFrame:
    """The results in a store, one line a row of the leaderboard, or taken apart ``by`` one of `KINDS`.

    All suites unless one is named, each ranked by itself by ``metric``. Cells that cannot be read are left out, with a warning
    each; their rows count them in "seeds_missing" and say so in "status". Raises BenchError for a store without suites, an unknown
    suite, score or kind.
    """
    place = Store(Path(store))
    if metric not in PERCENT:
        raise BenchError(f"metric {metric!r}: unknown score.{nearest(metric, PERCENT)} It is one of {', '.join(PERCENT)}.")
    if by is not None and by not in KINDS:
        raise BenchError(f"by {by!r}: unknown.{nearest(by, KINDS)} It is one of {', '.join(KINDS)}.")
    chosen = [suite] if suite is not None else suites(place)
    if not chosen:
        raise BenchError(f"{place.root} holds no suite. Run one into it: bench run suites/quickstart.yaml --store {place.root}")
    frames = []
    for name in chosen:
        found, problems = _read(place, name, by, metric)
        found.insert(0, "suite", name)
        frames.append(found)
        for problem in problems:
            warnings.warn(problem, stacklevel=2)
    return pd.concat(frames, ignore_index=True)


def _read(store: Store, suite: str, by: str | None, metric: str) -> tuple[pd.DataFrame, list[str]]:
    if by in ("cell", "step"):
        found = read_suite(store, suite)
        return (cells_frame if by == "cell" else curves_frame)(found.cells, store), found.problems
    rows, problems = ranked(store, suite, metric)
    return (rows_frame(rows) if by is None else breakdown_frame(rows, by)), problems


def rows_frame(rows: list[Row]) -> pd.DataFrame:
    """One line a row of the leaderboard: the keys of `Row.to_json`, its short name, family, ceilings and conditions of speed."""
    named, families = names(rows), _families(rows)
    records = [
        {
            "row": name,
            "family": family,
            **row.to_json(),
            "seeds_missing": _missing(row),
            **_ceilings(row),
            "measured": _measured(row),
        }
        for name, family, row in zip(named, families, rows, strict=True)
    ]
    columns = ["row", "family", "rank", "dataset", "model", "external", "augmentation", "fraction", "output_stride", "status"]
    frame = pd.DataFrame(records) if records else pd.DataFrame(columns=[*columns, *_NUMBERS, "cells", "measured"])
    numbers = [name for name in frame if name in _NUMBERS or any(str(name).startswith(f"{each}_") for each in PERCENT)]
    for name in numbers:
        if not str(name).endswith(("_source", "_verdict")):
            frame[name] = pd.to_numeric(frame[name]).astype("float64")
    return frame


def breakdown_frame(rows: list[Row], by: str) -> pd.DataFrame:
    """One line a record of `bench leaderboard --by`; raises BenchError when the rows hold no such thing."""
    return pd.DataFrame(BREAKDOWNS[by](rows).records)


def cells_frame(cells: Iterable[Cell], store: Store) -> pd.DataFrame:
    """One line a cell: what it is, its state, the scores of its own seed, wall times, and why it failed."""
    return pd.DataFrame([_cell_record(cell, store) for cell in cells])


def _cell_record(cell: Cell, store: Store) -> dict[str, Any]:
    state = store.state(cell.id)
    result = store.result(cell.id) if state == "finished" else None
    failure = store.failure(cell.id) if state == "failed" else None
    record: dict[str, Any] = {
        "cell": cell.id, "label": cell.label, "dataset": cell.dataset_label, "model": cell.model_label,
        "external": cell.external, "augmentation": cell.augmentation_label, "fraction": cell.fraction, "seed": cell.seed,
        **dict(cell.axes), "state": state, "cause": failure.cause if failure else None,
        "message": failure.message if failure else None, "steps": cell.train.steps if cell.train else None,
    }  # fmt: skip
    merged = {**(result.profile or {}), **result.model, **result.metrics} if result else {}
    record |= {name: merged.get(name) for name in (*PERCENT, *COST, *SPEED)}
    seconds = result.seconds if result else {}
    return record | {name: seconds.get(name) for name in ("train_s", "evaluate_s", "profile_s")}


def curves_frame(cells: Iterable[Cell], store: Store) -> pd.DataFrame:
    """One line a line of a training's log: step, loss, learning rate or the score on the validation split, and seconds."""
    records = [
        {"cell": cell.id, "label": cell.label, **{name: line.get(name) for name in ("step", "loss", "lr", "val_miou", "seconds")}}
        for cell in cells
        for line in read_curve(inside(store, cell.id, "curve.jsonl"))
    ]
    return pd.DataFrame(records, columns=["cell", "label", "step", "loss", "lr", "val_miou", "seconds"])


def _families(rows: list[Row]) -> list[str]:
    """The line each row belongs to in a figure over output stride: rows of a family differ in the stride alone.

    Named by architecture and trunk; where two families would share that name by further axes, and then by a member as well.
    """
    keys = [_family_key(row) for row in rows]
    named = [_family_name(row) for row in rows]
    first = {key: row.cells[0].model_label for key, row in reversed(list(zip(keys, rows, strict=True)))}
    axes = [[f"{path}={value}" for path, value in row.cells[0].axes if path != "model.stride"] for row in rows]
    for more in ([" ".join(each) for each in axes], [f"({first[key]})" for key in keys]):
        shared = _shared(named, keys)
        named = [f"{name} {word}".strip() if name in shared else name for name, word in zip(named, more, strict=True)]
    return named


def _shared(named: list[str], keys: list[str]) -> set[str]:
    """The names that several keys have."""
    members: dict[str, set[str]] = {}
    for name, key in zip(named, keys, strict=True):
        members.setdefault(name, set()).add(key)
    return {name for name, held in members.items() if len(held) > 1}


def _family_key(row: Row) -> str:
    cell = row.cells[0]
    if row.external:
        return cell.model_label
    model = cell.model.model_dump(mode="json", exclude={"stride", "init_from"})
    axes = [axis for axis in cell.axes if axis[0] != "model.stride"]
    return json.dumps([cell.dataset_label, model, cell.augmentation_label, cell.fraction, axes], default=str)


def _family_name(row: Row) -> str:
    cell = row.cells[0]
    if row.external:
        return f"{cell.model_label} (external)"
    parts = [cell.model.name, *(str(getattr(cell.model, name, "") or "") for name in ("arch", "backbone", "encoder"))]
    parts += [] if cell.augmentation_label == "none" else [cell.augmentation_label]
    parts += [] if cell.fraction == 1 else [f"{cell.fraction:.3g} of the data"]
    return " ".join(part for part in parts if part)


def _missing(row: Row) -> int | None:
    """Seeds that the row's scores and intervals do without; None for an external model, which has none."""
    return None if row.external else len(row.cells) - len(row.results)


def _ceilings(row: Row) -> dict[str, float | None]:
    known = next((result.ceiling for result in row.results if result.ceiling), None) or {}
    return {f"{name}_ceiling": known.get(name) for name in BOUNDED}


def _measured(row: Row) -> str | None:
    """How the row's speed was measured: only rows that say the same can be compared in it."""
    profile = row.results[0].profile if row.results else None
    if not profile:
        return None
    threads = f", {profile['threads']} threads" if profile.get("threads") else ""
    size = f"{profile.get('height_px')}x{profile.get('width_px')} px"
    return f"{profile.get('device')}{threads}, {profile.get('precision')}, {size}, batch {profile.get('batch')}"

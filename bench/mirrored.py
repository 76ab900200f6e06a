"""Whether the files that a server has of a cell belong together: its id, spec, record and sums."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cell import Cell, cell_from_json, digest
from bench.contest import contest_from_json
from bench.errors import BenchError
from bench.metrics.scores import miou
from bench.per_image import PerImage
from bench.plan import roles
from bench.store import Result, Store, read_json


def checked(stage: Store, cell_id: str) -> Result | None:
    """The result of a fetched cell, None for a failed one; raises BenchError for files that do not belong together."""
    result, failure = stage.result(cell_id), stage.failure(cell_id)
    cell = replace(stage.cell(cell_id), filed=None)
    if _id(cell) != cell_id:
        raise BenchError(f"cell.json: its id is {_id(cell)}, so it was changed, or made by another version.")
    if (record := result or failure) and record.cell_id != cell_id:
        raise BenchError(f"{'result' if result else 'failed'}.json: is that of cell {record.cell_id[:80]!r}.")
    if result is None:
        return None
    try:
        stated = cell_from_json(result.cell)
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"result.json: holds no spec ({str(error).splitlines()[0]}).") from None
    if _id(stated) != cell_id:
        raise BenchError("result.json: holds another spec than cell.json.")
    folder = stage.folder(cell_id)
    summed, told = float(miou(PerImage.read(folder / "per_image.npz").counts.sum(0))), result.metrics.get("miou")
    if (told is None) != (summed != summed) or (told is not None and abs(summed - told) > 1e-6):
        raise BenchError(f"result.json: its mIoU is {told}, and that of the sums in per_image.npz {summed:.6f}.")
    ids = folder / "train_ids.json"
    if ids.exists() and digest(read_json(ids))[:16] != result.data.get("train_ids_hash"):
        raise BenchError("train_ids.json: is not the list that result.json has the hash of.")
    return result


def _id(cell: Cell) -> str | None:
    """The id this version gives a cell, None for one whose data is not that of its splits."""
    prints = cell.fingerprints
    named = isinstance(prints, dict) and set(prints) == set(roles(cell).values())
    return cell.id if named and all(isinstance(each, str) for each in (prints or {}).values()) else None


def suite_of(path: Path) -> dict[str, Any]:
    """What a fetched note says of a suite beside its cells; raises BenchError for one that is none."""
    note = read_json(path)
    try:
        contests = [contest_from_json(each).to_json() for each in note["contests"]]
        return {"source": Path(str(note["source"])).name, "contests": contests, "place": int(note["place"])}
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: is no note of a suite ({str(error).splitlines()[0]}).") from None

"""What cells were predicted to take beside what they took, from what the store knows: no device is asked, and nothing measured."""

from typing import Any

from bench.cell import Cell
from bench.cli.options import Opened
from bench.costs import Costs
from bench.drive import Options
from bench.errors import BenchError
from bench.store import Result

SAVE_EVERY_S = Options.checkpoint_every_s


def add_foretold(rows: list[dict[str, Any]], opened: Opened) -> str | None:
    """Add ``predicted_s`` and ``took_s`` to rows with ids, if costs were measured; returns how the two compare in all."""
    costs = Costs(opened.store)
    cells = {cell.id: cell for cell in opened.plan.cells} if costs.known else {}
    if not any(costs.latest(cell) for cell in cells.values()):
        return None
    pairs = []
    for row in rows:
        cell = cells.get(row["id"])
        result = _result(opened, cell) if cell and row["state"] == "finished" else None
        row["predicted_s"] = _predicted(cell, result, costs, opened) if cell else None
        row["took_s"] = round(sum(result.seconds.values()), 1) if result else None
        if result and row["predicted_s"] is not None:
            pairs.append((row["predicted_s"], row["took_s"]))
    if not pairs:
        return None
    predicted_s, took_s = map(sum, zip(*pairs, strict=True))
    return f"Predicted {predicted_s:.0f} s for finished cells that were measured before; they took {took_s:.0f} s."


def _result(opened: Opened, cell: Cell) -> Result | None:
    try:
        return opened.store.result(cell.id)
    except BenchError:
        return None  # `run` and `leaderboard`, which need it, say what is wrong


def _predicted(cell: Cell, result: Result | None, costs: Costs, opened: Opened) -> float | None:
    """What was foretold when the cell was run; else what its configuration took where it was last measured."""
    if result and result.predicted:
        return round(float(result.predicted["total_s"]), 1)
    cost = costs.foretell(cell, costs.latest(cell), opened.plan.samples, SAVE_EVERY_S)
    return round(cost.total_s, 1) if cost else None

"""`bench gc`: room on the disk."""

from typing import Annotated, Any

import typer

from bench.cli.options import STORE, JsonOption, StoreOption, checked
from bench.cli.printing import print_json, print_table, say
from bench.gc import Sizes, free
from bench.litter import Waste
from bench.store import Store
from bench.waste import find

LOST = (
    "Without their weights these cells cannot be scored or profiled anew (another eval: or profile: trains again), no further cell "
    "can start from them (init_from) without training them again, and pictures of the dashboard that were not kept "
    "(eval.keep_predictions) cannot be made. Their results stay."
)


def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Free without asking.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Also the weights of finished cells: no rescoring and no init_from after that.")
    ] = False,
    old_cells: Annotated[
        bool, typer.Option("--old-cells", help="Also cells of older versions, which this one would run anew; with their results.")
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Free room in the store: checkpoints of finished cells, rests of dead processes, prepared data that no cell uses.

    Prints what would go and asks; exit code 1 when the answer is no. With --json it asks nothing, and frees only with --yes.
    """
    place = checked(store)
    found = find(place, weights=weights, old_cells=old_cells)
    sizes = Sizes(found.items)
    rows = _rows(place, found.items, sizes)
    if not as_json and found.items:
        shown = [{**row, "paths": _short(row["paths"]), "bytes": _size(row["bytes"])} for row in rows]
        print_table([{("size" if key == "bytes" else key): value for key, value in row.items()} for row in shown])
    for note in found.notes:
        say(note)
    total = sum(row["bytes"] for row in rows)
    say(f"{_size(total)} in {_items(len(rows))} could be freed." if rows else "Nothing to free.")
    if weights and any(item.kind == "weights" for item in found.items):
        say(LOST)
    agreed = bool(found.items) and (yes or (not as_json and _asked()))
    left = _free(place, found.items, again=not yes, weights=weights, old_cells=old_cells) if agreed else {}
    if as_json:
        freed = [agreed and item not in left for item in found.items]
        print_json([{**row, "freed": gone} for row, gone in zip(rows, freed, strict=True)])
    if agreed:
        for item, why in left.items():
            say(f"left: {_where(place, item)} {why}")
        gone_bytes = sum(sizes.freed_bytes(item for item in found.items if item not in left).values())
        say(f"Freed {_size(gone_bytes)} in {_items(len(rows) - len(left))}.")
    elif found.items and not as_json:
        say("Nothing was freed; --yes frees without asking.")
        raise typer.Exit(1)


def _free(store: Store, items: list[Waste], *, again: bool, **options: bool) -> dict[Waste, str]:
    """Remove what is still to go; returns why the rest was left. After a question everything is looked at ``again``."""
    still = set(find(store, **options).items) if again else set(items)
    left = {}
    for item in items:
        why = free(store, item) if item in still else "has changed in the meantime"
        if why:
            left[item] = why
    return left


def _asked() -> bool:
    try:
        return typer.confirm("Free it?", default=False, err=True)
    except typer.Abort:  # nobody is there to ask
        return False


def _rows(store: Store, items: list[Waste], sizes: Sizes) -> list[dict[str, Any]]:
    room = sizes.freed_bytes(items)
    return [
        {
            "kind": item.kind,
            "cell": item.cell_id,
            "paths": [path.relative_to(store.root).as_posix() for path in item.paths],
            "bytes": room[item],
            "reason": item.reason,
        }
        for item in items
    ]


def _short(paths: list[str]) -> str:
    """Paths for people; those in the folder of a cell stand beside its id and go by their names."""
    return ", ".join(path.rpartition("/")[2] if path.startswith("cells/") else path for path in paths)


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def _where(store: Store, item: Waste) -> str:
    return item.cell_id or item.paths[0].relative_to(store.root).as_posix()


def _size(size_bytes: int) -> str:
    """A size with its unit; a GiB is 2^30 bytes."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size_bytes >= 2**power:
            return f"{size_bytes / 2**power:.1f} {unit}"
    return f"{size_bytes} B"

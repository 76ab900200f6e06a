"""Publish the results of a suite: its store without weights and logs, small enough for a repository.

    python reports/publish.py STORE SUITE reports/SUITE/store

writes what the dashboard, `bench.load_results` and every table are made from: `suites/SUITE.json`, and of each cell `cell.json`,
`result.json` or `failed.json`, `per_image.npz`, `curve.jsonl` and `train_ids.json`. Numbers are copied, never computed.
"""

import shutil
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.store import Store, read_json
from bench.stored import inside, note_of

FILES = ("cell.json", "result.json", "failed.json", "per_image.npz", "curve.jsonl", "train_ids.json")
MOST_BYTES = 2_000_000


def publish(store: Store, suite: str, out: Path) -> int:
    """Copy a suite's results to ``out``, which must not exist yet; returns the bytes. Raises BenchError for an unknown suite."""
    note = note_of(store, suite)
    if out.exists():
        raise BenchError(f"{out}: is there already. Remove it, or choose another folder.")
    (out / "suites").mkdir(parents=True)
    shutil.copyfile(store.root / "suites" / f"{suite}.json", out / "suites" / f"{suite}.json")
    entered = sorted((store.root / "external").glob("*.json"))
    for cell_id in [*note["cells"], *(read_json(path)["cell"] for path in entered)]:
        place = out / "cells" / cell_id
        place.mkdir(parents=True)
        for name in FILES:
            if (source := inside(store, cell_id, name)).is_file():
                shutil.copyfile(source, place / name)
    for path in entered:
        (out / "external").mkdir(exist_ok=True)
        shutil.copyfile(path, out / "external" / path.name)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


if __name__ == "__main__":
    source, suite, out = sys.argv[1:]
    size = publish(Store(Path(source)), suite, Path(out))
    print(f"{out}: {size / 1e6:.2f} MB")
    if size > MOST_BYTES:
        sys.exit(f"{out} is larger than {MOST_BYTES / 1e6:.0f} MB: too much for a repository")

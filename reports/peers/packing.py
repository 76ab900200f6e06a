"""What it brings to run several small cells on one device at once (`bench run --slots N`), and that it changes no result.

    python reports/peers/packing.py --slots 4            # on a GPU
    python reports/peers/packing.py --device cpu --slots 2 --steps 30 --rounds 2

The cells are small ones of the quickstart, started by the runner of `bench run` in a fresh store each time. A round runs all of
them one at a time and in N slots, in an order drawn anew; medians of the rounds are shown, the gain first. On a CPU a cell has
all threads when it is alone, and its share of them in a slot; sums are rounded otherwise on other numbers of threads, so there
the results of N slots are compared with those of one slot and as few threads, and on CUDA cells train in deterministic mode.
"""

import argparse
import datetime
import hashlib
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch, as the processes of cells have it

import numpy as np
import torch
from rows import Row, write

from bench.cell import Cell
from bench.curve import read_curve
from bench.data import entry_of
from bench.data.prepare import prepare
from bench.data.samples import list_samples
from bench.expand import expand
from bench.job import Job
from bench.per_image import PerImage
from bench.profiler import device_name
from bench.runners.local import fair_threads, run
from bench.store import Store, read_json
from bench.suite import load_suite

SUITE = Path(__file__).resolve().parents[2] / "suites" / "quickstart.yaml"


def main() -> None:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on_cpu = args.device == "cpu"
    share = fair_threads([args.device] * args.slots) if on_cpu else None
    entrants: dict[str, tuple[int, int | None]] = {"one at a time": (1, None), f"{args.slots} slots": (args.slots, share)}
    if on_cpu:
        entrants["one at a time, threads of a slot"] = (1, share)
    with tempfile.TemporaryDirectory() as place:
        cells = chosen(args.cells, args.steps, deterministic=not on_cpu)
        cells, caches = prepared(cells, Path(place))
        times: dict[str, list[float]] = {name: [] for name in entrants}
        results: dict[str, list[object]] = {}
        rng = np.random.default_rng(0)
        for turn in range(args.rounds):
            for index in rng.permutation(len(entrants)):
                name = list(entrants)[index]
                slots, threads = entrants[name]
                store = Path(place) / f"store-{turn}-{index}"
                jobs = [Job(cell, store, caches, device=args.device, threads=threads) for cell in cells]
                times[name].append(timed(jobs, [args.device] * slots))
                results.setdefault(name, numbers(store, cells))
    alike = "one at a time, threads of a slot" if on_cpu else "one at a time"
    same = results[alike] == results[f"{args.slots} slots"]
    alone, packed = (statistics.median(times[name]) for name in ("one at a time", f"{args.slots} slots"))
    print(f"{len(cells)} cells of {args.steps} steps, {args.rounds} rounds, {device_name(torch.device(args.device))}, ", end="")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {datetime.date.today()}")
    print(f"{'gain':>7}  {'seconds':>8}  {'all rounds':>20}  entrant")
    for name, values in times.items():
        spread = f"{min(values):.1f} .. {max(values):.1f}"
        print(f"{alone / statistics.median(values):6.2f}x  {statistics.median(values):8.1f}  {spread:>20}  {name}")
    print(f"scores, sums of all images and losses of {args.slots} slots and of {alike!r}: {'the same' if same else 'NOT THE SAME'}")
    if args.json:
        write(args.json, [Row(f"{len(cells)} small cells, {args.slots} slots against one", "s", packed, alone, "one at a time")])
    if not same:
        raise SystemExit(1)


def chosen(count: int, steps: int, *, deterministic: bool) -> list[Cell]:
    """The first cells of the quickstart's FCN-8s and U-Net, shortened."""
    cells = [
        cell for cell in expand(load_suite(SUITE)) if cell.model_label in ("fcn8s", "unet") and cell.augmentation_label == "none"
    ]
    short = {"steps": steps, "warmup_steps": min(cells[0].recipe.warmup_steps, steps // 2), "deterministic": deterministic}
    cells = [replace(cell, train=cell.recipe.model_copy(update=short), profile=None) for cell in cells]
    return [replace(cells[index % len(cells)], seed=index) for index in range(count)]


def prepared(cells: list[Cell], place: Path) -> tuple[list[Cell], dict[str, Path]]:
    """The cells with their data's fingerprints, and the caches of its splits."""
    spec, caches, prints = cells[0].dataset, {}, {}
    entry = entry_of(spec)
    for split in ("train", "val", "test"):
        caches[split] = prepare(list_samples(entry, place, spec, split), entry, spec, place / f"cache-{split}")
        prints[split] = read_json(caches[split] / "manifest.json")["fingerprint"]
    return [cell.seen(prints) for cell in cells], caches


def timed(jobs: list[Job], devices: list[str]) -> float:
    """Seconds in which the runner brings all jobs to their results."""
    jobs[0].store.mkdir()
    begin = time.perf_counter()
    outcome = run(jobs, devices=devices, on_event=lambda kind, job, details: None, stopping=lambda: 0)
    if set(outcome.values()) != {"finished"}:
        raise SystemExit(f"not every cell finished: {outcome}")
    return time.perf_counter() - begin


def numbers(store: Path, cells: list[Cell]) -> list[object]:
    """All that tables are made of, cell by cell: a hash of the sums of all images, the scores, the curve of the training."""
    found: list[object] = []
    for cell in cells:
        folder = Store(store).folder(cell.id)
        sums = {
            name: value for name, value in vars(PerImage.read(folder / "per_image.npz")).items() if isinstance(value, np.ndarray)
        }
        content = hashlib.sha256(b"".join(sums[name].tobytes() for name in sorted(sums))).hexdigest()
        curve = [(line["step"], line.get("loss"), line.get("val_miou")) for line in read_curve(folder / "curve.jsonl")]
        found.append((cell.label, content, read_json(folder / "result.json")["metrics"], curve))
    return found


if __name__ == "__main__":
    main()

"""The real tables, from a GPU machine that may have neither network nor MLflow, and gives a command ten minutes.

    python reports/gpu.py run --data-root DATA --store STORE --out OUT       # there, again and again until it says that all is done
    python reports/gpu.py publish OUT                                        # here: reports/SUITE/ with tables, figures and results

`run` brings the cells of the suites to their results, one after the other. Before the limit it has the cell that is at work save
and end; the next call goes on from there where the store is still on the machine. Finished cells are copied to OUT/SUITE/store,
without weights; those of `--smoke` to OUT/smoke, which is not for publishing. On a fresh machine `--from OUT` puts them back
first, so that only the others are run. `publish` writes `table.csv`, `.json`, `.md` and `.tex`, figures as SVG and PDF, and a
README with command, device, versions, date and cost. It takes suites of this repository alone.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from publish import publish

from bench.errors import BenchError
from bench.store import Store, read_json, write_whole

ROOT = Path(__file__).resolve().parents[1]
SUITES = ("camvid_strides", "isbi_unet_augmentation", "camvid_low_data")
GRACE_S = 45.0
"""Time before the limit in which a cell saves and ends, and results are copied."""
TABLES = {"csv": "csv", "json": "json", "md": "md", "latex": "tex"}
FIGURES = ("svg", "pdf")


def main() -> int:
    """Run or publish; returns the exit code: 0 when all is done, 75 when cells are left, 3 when some failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    doing = parser.add_subparsers(dest="what", required=True)
    run = doing.add_parser("run", help="run suites for a limited time and leave their results in a folder")
    suites = "names or files; three CamVid and ISBI suites unless given"
    run.add_argument("--suite", nargs="+", type=suite_given, default=SUITES, help=suites)
    run.add_argument("--data-root", type=absolute, required=True)
    run.add_argument("--store", type=absolute, required=True)
    run.add_argument("--out", type=absolute, required=True)
    run.add_argument("--from", dest="before", type=absolute, help="what earlier calls left in --out, to be put back first")
    run.add_argument("--limit-s", type=float, default=590.0, help="time of the whole call")
    run.add_argument("--smoke", action="store_true", help="a few steps on generated data")
    run.add_argument("--slots", type=int, default=1)
    show = doing.add_parser("publish", help="write reports/SUITE/ from what `run` has left")
    show.add_argument("out", type=absolute)
    show.add_argument("--reports", type=absolute, default=ROOT / "reports")
    args = parser.parse_args()
    try:
        return run_suites(args) if args.what == "run" else publish_all(args.out, args.reports)
    except BenchError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return 2


def absolute(name: str) -> Path:
    """A path from where the caller stands: `bench` itself is run in the repository."""
    return Path(name).absolute()


def suite_given(name: str) -> str:
    """A file from where the caller stands, or a name, which `bench run` looks for below suites/."""
    return str(absolute(name)) if Path(name).is_file() else name


def run_suites(args: argparse.Namespace) -> int:
    """Run each suite until all is done or the time is up, and copy what has finished."""
    deadline = time.monotonic() + args.limit_s - GRACE_S
    # What is only a rehearsal never lies where `publish` and the next real call look.
    root, out, before = (place / "smoke" if place and args.smoke else place for place in (args.store, args.out, args.before))
    if before:
        print(f"{restore(before, root)} cells put back from {before}")
    codes = {0}
    for suite in args.suite:
        if (left_s := deadline - time.monotonic()) <= 0:
            codes.add(75)
            break
        words = [sys.executable, "-m", "bench", "run", str(suite), "--store", str(args.store), "--data-root", str(args.data_root)]
        words += ["--tracking", "off", "--slots", str(args.slots), *(["--smoke"] if args.smoke else [])]
        code = run_until(words, left_s)
        name = Path(suite).stem
        if code in (0, 3, 75) and (root / "suites" / f"{name}.json").exists():
            done, total = collect(Store(root), name, out)
            print(f"{name}: {done} of {total} cells have a result", flush=True)
        codes.add(code)
    worst = max(codes - {0, 3, 75}, default=75 if 75 in codes else max(codes))
    said = {0: "all is done", 3: "all is done, but some cells failed", 75: "cells are left: run the same command again"}
    print(said.get(worst, "see above for what went wrong"))
    return worst


def run_until(words: list[str], seconds: float) -> int:
    """The exit code of a command, which is interrupted once when its time is up, and killed if it does not end then."""
    process = subprocess.Popen(words, cwd=ROOT)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        if (code := process.wait(timeout=GRACE_S * 0.7)) in (0, 3):
            return code  # it was at its last cell
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 75


def collect(store: Store, suite: str, out: Path) -> tuple[int, int]:
    """Put a suite's results into ``out/SUITE/store``, whole or not at all; returns the cells with a result, and all."""
    place = out / suite / "store"
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as beside:
        publish(store, suite, Path(beside) / "store")
        shutil.rmtree(place, ignore_errors=True)
        os.replace(Path(beside) / "store", place)  # noqa: PTH105  a folder
    cells = store.suite(suite)["cells"]
    return sum((place / "cells" / cell / "result.json").exists() for cell in cells), len(cells)


def restore(kept: Path, root: Path) -> int:
    """Put the finished cells of ``kept/SUITE/store`` into a store that lacks them; returns how many."""
    count = 0
    for note in kept.glob("*/store/suites/*.json"):
        # A suite of which nothing is left to run writes none, and would not be collected.
        if not (place := root / "suites" / note.name).exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, note.read_bytes())
    for result in sorted(kept.glob("*/store/cells/*/result.json")):
        place = root / "cells" / result.parent.name
        if not (place / "result.json").exists():
            place.mkdir(parents=True, exist_ok=True)
            # The result comes last: its presence says that the cell has finished.
            for path in sorted(result.parent.iterdir(), key=lambda path: path.name == "result.json"):
                write_whole(place / path.name, path.read_bytes())
            count += 1
    return count


def publish_all(out: Path, reports: Path) -> int:
    """Write the report of every suite whose cells have all ended; returns 75 where some have not."""
    found = sorted(path.parent.name for path in out.glob("*/store"))
    if not found:
        raise BenchError(f"{out}: holds no SUITE/store. It is the folder that `gpu.py run --out` wrote.")
    code = 0
    for suite in found:
        store = Store(out / suite / "store")
        missing = [cell for cell in store.suite(suite)["cells"] if store.state(cell) not in ("finished", "failed")]
        if missing:
            print(f"{suite}: {len(missing)} cells have no result yet, so it is not published")
            code = 75
            continue
        publish_one(store, suite, reports / suite)
        print(f"{reports / suite}: published")
    return code


def publish_one(store: Store, suite: str, folder: Path) -> None:
    """Results, tables, figures and README of a suite, each by one command from the results; nothing unless all of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        beside = Path(place)
        publish(store, suite, beside / "store")
        for form, ending in TABLES.items():
            export(suite, beside / "store", form, beside / f"table.{ending}")
        for form in FIGURES:
            export(suite, beside / "store", form, beside / "figures")
        write_whole(beside / "README.md", readme(suite, beside / "store").encode())
        folder.mkdir(exist_ok=True)
        for made in sorted(beside.iterdir()):
            shutil.rmtree(folder / made.name, ignore_errors=True)
            made.replace(folder / made.name)


def export(suite: str, store: Path, form: str, out: Path) -> None:
    """One `bench export` of a published suite; raises BenchError with what it said when it fails."""
    words = [sys.executable, "-m", "bench", "export", suite, "--store", str(store), "--format", form, "--out", str(out)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{suite}: {form} was not written: {done.stderr.strip()}")


def readme(suite: str, store: Path) -> str:
    """How a table was made: command, device, versions, date, cost; every word of it from the results."""
    results = [read_json(path) for path in sorted(store.glob("cells/*/result.json"))]
    failed = len(list(store.glob("cells/*/failed.json")))
    made = {each: ", ".join(sorted({environment(result, each) for result in results})) for each in ("device", "torch", "python")}
    days = sorted({result["finished"][:10] for result in results})
    hours = sum(sum(result["seconds"].values()) for result in results) / 3600
    commands = f"`bench run suites/{suite}.yaml --data-root DATA`, then `bench export {suite} --store reports/{suite}/store`."
    lines = [f"# {suite}", "", commands, "", "| | |", "| --- | --- |", f"| device | {made['device']} |"]
    lines += [f"| versions | torch {made['torch']}, Python {made['python']} |"]
    lines += [f"| date | {' to '.join(dict.fromkeys([days[0], days[-1]])) if days else '–'} |"]
    lines += [
        f"| cost | {hours:.2f} device hours, {len(results)} cells, {failed} failed |",
        "",
        "[Table](table.md), [figures](figures/).",
    ]
    return "\n".join(lines) + "\n"


def environment(result: dict[str, Any], name: str) -> str:
    """A part of what a result was trained with."""
    return str(result["environment"].get("training", result["environment"]).get(name))


if __name__ == "__main__":
    sys.exit(main())

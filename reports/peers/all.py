"""Everything beside this file, one after the other, and one table of it: the ratio first, the device named.

    python reports/peers/all.py --data-root DATA --out reports/peers/gpu.md      # on a GPU
    python reports/peers/all.py --data-root DATA --out reports/peers/cpu.md --short

Each script is a process of its own. What one of them prints goes beside the table, into FILE.txt; one that fails is named in
the table, and the command then ends with 1. ``--short`` takes few rounds of small networks, as a CPU bears.
"""

import argparse
import datetime
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from rows import Row, markdown, read

from bench.profiler import device_name
from bench.store import write_whole

HERE = Path(__file__).parent
SHORT = {
    "training_loop": "--width 16 --size 180 240 --batch 4 --steps 6 --rounds 5",
    "packing": "--steps 40 --rounds 3 --slots 2",
    "loader_speed": "--rounds 5",
    "metrics_speed": "--rounds 7",
    "metrics_share": "--head-width 64 --images 4 --batch 2 --rounds 3",
}
LONG = {"training_loop": "", "packing": "--slots 4 --cells 8", "loader_speed": "", "metrics_speed": "", "metrics_share": ""}


def main() -> int:
    """Run all, write the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[*LONG, "step_on_cached_data"])
    args = parser.parse_args()
    rows: list[Row] = []
    texts, failed = [], []
    with tempfile.TemporaryDirectory() as place:
        for name, command in commands(args.data_root, args.device, short=args.short).items():
            if args.only and name not in args.only:
                continue
            print(f"{name} {' '.join(command)}", flush=True)
            file = Path(place) / f"{name}.json"
            words = [sys.executable, str(HERE / f"{name}.py"), *command, "--json", str(file)]
            done = subprocess.run(words, capture_output=True, text=True)
            texts.append(f"$ python reports/peers/{name}.py {' '.join(command)}\n{done.stdout}")
            if done.returncode or not file.exists():
                failed.append(name)
                print(done.stderr, file=sys.stderr)
            else:
                rows += read(file)
    write_whole(args.out, page(rows, failed, torch.device(args.device)).encode())
    write_whole(args.out.with_suffix(".txt"), "\n".join(texts).encode())
    print(f"{args.out}: {len(rows)} rows")
    return int(bool(failed))


def commands(data_root: Path, device: str, *, short: bool) -> dict[str, list[str]]:
    """The words after each script's name."""
    given = {name: words.split() for name, words in (SHORT if short else LONG).items()}
    labels = data_root / "CamVid" / "testannot"
    given["training_loop"] += ["--device", device, "--data-root", str(data_root)]
    given["packing"] += ["--device", device]
    given["loader_speed"] += ["--camvid", str(data_root)]
    given["metrics_speed"] += ["--labels", str(labels), "--void", "11", "--classes", "11"]
    given["metrics_share"] += ["--device", device, "--precision", "bf16" if device.startswith("cuda") else "fp32"]
    if device.startswith("cuda"):
        given["step_on_cached_data"] = ["--data-root", str(data_root), "--dataset", "camvid"]
    return given


def page(rows: list[Row], failed: list[str], device: torch.device) -> str:
    """The table as Markdown, under a line that says where it was measured."""
    today = datetime.datetime.now(datetime.UTC).date()
    cpu = device_name(torch.device("cpu")).removeprefix("CPU: ")
    head = f"{device_name(device)}; {torch.get_num_threads()} threads of {cpu}; torch {torch.__version__}, "
    head += f"Python {platform.python_version()}, {today}. Goals are goals and not measurements.\n\n"
    return head + markdown(rows) + "".join(f"\n{name}: failed, no figure.\n" for name in failed)


if __name__ == "__main__":
    sys.exit(main())

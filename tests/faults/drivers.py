"""Eight drivers on one store with forty cells: forty results, forty MLflow runs, no error.

python -m tests.faults.drivers FOLDER --drivers 8 --seeds 20
"""

import argparse
import json
import subprocess
from pathlib import Path

from tests.faults.stores import FEW, command, environment

RUNS = """\
import sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
for run in client.search_runs([client.get_experiment_by_name(sys.argv[2]).experiment_id], max_results=1000):
    curve = client.get_metric_history(run.info.run_id, "loss")
    print(run.data.tags["stridebench.cell"], run.info.status, len(curve))
"""


def main(folder: Path, drivers: int, seeds: int) -> None:
    """Run the fault; raises AssertionError for a cell that was done twice, is missing, or is not mirrored once."""
    (folder / "few.yaml").write_text(FEW.replace("[fcn, unet]", f"[fcn, unet]\n  seed: {list(range(seeds))}"), encoding="utf-8")
    line = command("run", "few.yaml", "--threads", "1", "--store", "runs")
    running = [
        subprocess.Popen(line, cwd=folder, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(drivers)
    ]
    told = [each.communicate(timeout=3000) for each in running]
    for each, (_, words) in zip(running, told, strict=True):
        assert each.returncode == 0 and "Traceback" not in words, words
    store, cells = folder / "runs", 2 * seeds
    assert sum(1 for _ in store.glob("cells/*/result.json")) == cells
    for log in store.glob("cells/*/log.txt"):
        assert log.read_text(encoding="utf-8").splitlines().count("finished") == 1, f"{log}: done twice"
    assert not list((store / "claims").iterdir())
    synced = subprocess.run(
        command("sync", "few.yaml", "--store", "runs"), cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert synced.returncode == 0, synced.stderr
    check_mirror(store, f"sqlite:///{(store / 'mlflow.db').resolve()}")


def check_mirror(store: Path, uri: str, suite: str = "few") -> None:
    """Raise AssertionError unless each result has one finished run with its whole curve."""
    done = subprocess.run(
        [*command()[:1], "-W", "ignore", "-c", RUNS, uri, suite], env=environment(), capture_output=True, text=True, check=True
    )
    expected = []
    for path in store.glob("cells/*/result.json"):
        lines = [json.loads(line) for line in (path.parent / "curve.jsonl").read_text().splitlines()]
        expected.append(f"{path.parent.name} FINISHED {sum('loss' in line for line in lines)}")
    assert sorted(done.stdout.split("\n")[:-1]) == sorted(expected), done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drivers", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    main(given.folder.resolve(), given.drivers, given.seeds)
    print("all is well")

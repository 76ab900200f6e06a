"""The mirror of a store in MLflow: one experiment a suite, one run a cell.

The cell folders are the truth and MLflow is for browsing: a mirror runs in a process of its own, reads what the cells wrote,
and may fail, be late or be made later (`bench sync`) without any result being touched. Mirroring twice changes nothing.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cell import digest
from bench.curve import read_curve
from bench.store import Store, read_json, write_json

# Before MLflow is imported: no usage reports, and a server that does not answer costs seconds, not minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
ARTIFACTS = ("cell.json", "train_ids.json", "curve.jsonl", "per_image.npz", "result.json", "failed.json", "log.txt")
SUITE = "suite.json"
"""The artifact with what a cell's own files do not say of its suite: file name, contests, and the cell's place."""
CELL_TAG = "stridebench.cell"


def default_uri(store: Path) -> str:
    """The SQLite file of a store, for whom no server is named."""
    return f"sqlite:///{(store / 'mlflow.db').resolve()}"


def connect(uri: str) -> Any:
    """MLflow's client of a server."""
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri)


def place_of(uri: str, experiment: str) -> str:
    """The key under which a cell's ``mlflow.json`` remembers what an experiment has of it."""
    return digest([uri, experiment])[:12]


def current_of(store: Store, cell_id: str) -> dict[str, Any]:
    """How far a cell has come: what a mirror compares with what it sent, so that equal means that there is nothing to send."""
    folder = store.folder(cell_id)
    lines = len(read_curve(folder / "curve.jsonl"))
    return {"state": store.state(cell_id), "lines": lines, "content": _content(folder)}


class Mirror:
    """Brings the MLflow runs of one suite up to date with the store."""

    def __init__(self, store: Store, uri: str, experiment: str) -> None:
        import mlflow

        self.store, self.uri, self.suite = store, uri, experiment
        self.place = place_of(uri, experiment)
        self.entities = mlflow.entities
        with _one_at_a_time(store.root):  # the first use creates tables and the experiment
            self.client: Any = connect(uri)
            found = self.client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            local = uri.startswith("sqlite:")
            artifacts = (store.root / "mlartifacts").resolve().as_uri() if local else None
            self.experiment = (
                found.experiment_id if found else self.client.create_experiment(experiment, artifact_location=artifacts)
            )

    def sync(self, cell_id: str) -> bool:
        """Mirror one cell as far as it has come; returns whether anything was sent."""
        folder = self.store.folder(cell_id)
        note = folder / "mlflow.json"
        memory: dict[str, Any] = read_json(note) if note.exists() else {}
        known = memory.get(self.place)
        current = current_of(self.store, cell_id)
        if known and all(known.get(key) == value for key, value in current.items()):
            return False
        if not (folder / "cell.json").exists():
            return False
        with _one_at_a_time(folder):
            for torn in folder.glob(".mlflow.json.*"):  # of a mirror that was killed
                torn.unlink(missing_ok=True)
            run = known["run"] if known and self._exists(known["run"]) else self._run(cell_id, folder)
            state, lines = current["state"], read_curve(folder / "curve.jsonl")[: current["lines"]]
            sent = known["lines"] if known and known["run"] == run and known["lines"] <= len(lines) else 0
            self._send_curve(run, lines[sent:])
            if state in ("finished", "failed"):
                self._send_end(run, cell_id, folder, state)
            write_json(note, {**memory, self.place: {**current, "run": run, "uri": self.uri}})
        return True

    def _exists(self, run: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client.get_run(run).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _run(self, cell_id: str, folder: Path) -> str:
        """The run of a cell, found by its tag, or a new one, with the cell's parameters."""
        cell = read_json(folder / "cell.json")
        run = self._found(cell_id)
        if run is None:
            label = cell["labels"]
            recipe = f"{label['augmentation']} {cell['fraction']:.4g} seed {cell['seed']}" if cell["train"] else "external"
            tags = {CELL_TAG: cell_id, **{f"label.{k}": v for k, v in label.items()}}
            made = self.client.create_run(self.experiment, run_name=f"{label['model']} {recipe}", tags=tags)
            run = self._found(cell_id) or str(made.info.run_id)
        if "start" in cell:  # a cell of its own, with a run of its own
            cell["start"] = cell["start"]["labels"]["model"]
        # Also of a run that was found: what made it may have come no further. Sent twice they change nothing.
        params = [self.entities.Param(key, str(value)[:6000]) for key, value in _flat(cell)]
        for begin in range(0, len(params), 100):  # as many as a server takes at once
            self.client.log_batch(run, params=params[begin : begin + 100])
        return run

    def _found(self, cell_id: str) -> str | None:
        """The run with a cell's tag. Of several the first stays: a server that answers late may have been asked twice."""
        runs = self.client.search_runs([self.experiment], f"tags.`{CELL_TAG}` = '{cell_id}'", max_results=100)
        ids = [str(run.info.run_id) for run in sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))]
        for other in ids[1:]:
            self.client.delete_run(other)
        return ids[0] if ids else None

    def _send_curve(self, run: str, lines: list[dict[str, Any]]) -> None:
        metrics = [
            self.entities.Metric(key, float(value), int(line.get("time", 0) * 1000), line["step"])
            for line in lines
            for key, value in line.items()
            if key in ("loss", "lr", "val_miou") and value is not None
        ]
        for begin in range(0, len(metrics), 1000):
            self.client.log_batch(run, metrics=metrics[begin : begin + 1000])

    def _send_end(self, run: str, cell_id: str, folder: Path, state: str) -> None:
        """Final scores, artefacts and status of a finished or failed cell."""
        now = int(time.time() * 1000)
        result, failure = self.store.result(cell_id), self.store.failure(cell_id)
        if result is not None:
            now = int(_seconds(result.finished) * 1000)
            values = {**result.metrics, **result.model, **_numbers(result.profile or {}), **result.seconds}
            values |= {f"{metric}/{name}": value for metric, named in result.per_class.items() for name, value in named.items()}
            metrics = [self.entities.Metric(_key(key), float(value), now, 0) for key, value in values.items() if value is not None]
            tags = [self.entities.RunTag(f"environment.{key}", str(value)) for key, value in result.environment.items()]
            self.client.log_batch(run, metrics=metrics, tags=tags)
        elif failure is not None:
            self.client.set_tag(run, "failure", f"{failure.cause}: {failure.message}")
        for name in ARTIFACTS:
            if (folder / name).exists():
                self.client.log_artifact(run, str(folder / name))
        note = self.store.suite(self.suite)
        if note and cell_id in note.get("cells", []):
            told = {"source": note.get("source", ""), "contests": note.get("contests", []), "place": note["cells"].index(cell_id)}
            self.client.log_dict(run, told, SUITE)
        self.client.set_terminated(run, "FINISHED" if state == "finished" else "FAILED", now)


def _content(folder: Path) -> list[int]:
    """Sizes and times of the files whose change must be mirrored."""
    files = [folder / "result.json", folder / "failed.json"]
    return [number for file in files if file.exists() for number in (file.stat().st_size, file.stat().st_mtime_ns)]


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, f"{path}.{key}" if path else key)
    else:
        yield path, data


def _numbers(data: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in data.items() if isinstance(value, (int, float)) and not isinstance(value, bool)}


def _key(name: str) -> str:
    """A metric name with MLflow's alphabet."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)


def _seconds(iso: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(iso).timestamp()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """A lock among the mirrors on this machine."""
    with (folder / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Follow a run: cell ids come as lines on standard input, and its end is the end of the run.

    Arguments are the store, the tracking URI and the experiment. Each cell is mirrored when it is named, and those named and
    not yet ended every few seconds. Says at the end how many could not be mirrored, by the exit code.
    """
    store, uri, experiment = Store(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
    named: dict[str, bool] = {}
    mirror: Mirror | None = None
    reader = _Lines()
    while True:
        ids, ended = reader.take(3.0)
        named |= dict.fromkeys(ids, False)
        for cell_id in [each for each, done in named.items() if not done]:
            try:
                mirror = mirror or Mirror(store, uri, experiment)
                mirror.sync(cell_id)
                named[cell_id] = store.state(cell_id) in ("finished", "failed")
            except Exception as error:  # a mirror that fails must never end a run; `bench sync` makes up for it
                print(json.dumps({"cell": cell_id, "error": str(error).splitlines()[0][:300]}), file=sys.stderr, flush=True)
                if ended:
                    sys.exit(1)
                named[cell_id] = named.pop(cell_id)  # behind the others, which it may not hold up
                break
        if ended:
            sys.exit(0)


class _Lines:
    """Standard input, line by line, without waiting longer than asked."""

    def __init__(self) -> None:
        self.rest = b""

    def take(self, seconds: float) -> tuple[list[str], bool]:
        """Whole lines that arrived within ``seconds``, and whether the input has ended."""
        import select

        if not select.select([0], [], [], seconds)[0]:
            return [], False
        data = os.read(0, 65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode() for line in lines if line], not data


if __name__ == "__main__":
    main()

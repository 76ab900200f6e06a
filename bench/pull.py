"""A store rebuilt from an MLflow server, out of what `bench.tracking` mirrored there.

A server may be anyone's. Files of fixed names alone are fetched, into a folder of their own beside the cells, and read there with
the same care as any store; a cell is taken over only if its tag, its spec, its record and its sums agree.
"""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bench.cell import Cell
from bench.claims import hold
from bench.contest import Contest
from bench.entrants import beside, enter
from bench.errors import BenchError, nearest
from bench.mirrored import checked, suite_of
from bench.store import Store, write_json, write_whole
from bench.tracking import ARTIFACTS, CELL_TAG, SUITE, connect, current_of, place_of

ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{4}-[0-9a-f]{4}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
"""Names of suites, as `bench.suite.Suite` has them."""
MEND = "Mirror it again from the store that ran it: remove its mlflow.json there, then bench sync."
_STATES = ("failed.json", "result.json")
"""Their presence is a cell's state, so they come after all else."""
Progress = Callable[[int, int], None]


@dataclass
class Pulled:
    """What came of the runs of an experiment."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """How many cells: "taken", "here already", "kept" (it has weights here), "unfinished" (there), "run now", "refused"."""
    problems: list[str] = field(default_factory=list)
    """A sentence for each cell that was refused."""
    cells: list[Cell] = field(default_factory=list)
    """The cells of the experiment that have ended and are here now."""
    places: dict[str, int] = field(default_factory=dict)
    """Cell id -> its place in the suite, as far as its run says it."""
    note: dict[str, Any] = field(default_factory=dict)
    """What the run of the cell that ended last says of the suite."""
    noted: str = ""
    """When that cell ended."""


def pull(store: Store, uri: str, suite: str, progress: Progress = lambda done, total: None) -> Pulled:
    """Take over the finished and failed cells that the experiment ``suite`` has and the store has not, and note the suite.

    Doing it twice changes nothing; what is finished here stays. Raises BenchError for an experiment that is not there.
    """
    if not NAME.fullmatch(suite):
        raise BenchError(f"{suite[:80]!r} is no name of a suite: letters, digits, `_`, `.` and `-`, 80 at most")
    _is_there(uri)
    client = connect(uri)
    experiment = client.get_experiment_by_name(suite)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        known = [each.name for each in client.search_experiments()]
        raise BenchError(f"{uri} has no experiment {suite!r}.{nearest(suite, known)} It has {', '.join(known) or 'none'}.")
    store.writable()
    runs, pulled = _runs(client, experiment.experiment_id), Pulled()
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".pull.") as scratch:
        stage = Store(Path(scratch))
        for done, (cell_id, run) in enumerate(runs.items(), start=1):
            try:
                outcome = _take(client, run, cell_id, store, stage, pulled)
                if outcome == "taken":
                    known_as = {**current_of(store, cell_id), "run": run, "uri": uri}
                    write_json(store.folder(cell_id) / "mlflow.json", {place_of(uri, suite): known_as})
                if outcome in ("taken", "here already"):
                    pulled.cells.append(store.cell(cell_id))
            except BenchError as error:
                outcome = "refused"
                said = str(error).replace(f"{scratch}/cells/{cell_id}/", "")
                pulled.problems.append(f"{uri}, run {run}, cell {cell_id[:80]!r} was not taken over. {said} {MEND}")
            pulled.outcomes[outcome] += 1
            progress(done, len(runs))
        if pulled.outcomes["taken"] or store.suite(suite) is None:
            _note(store, suite, pulled, stage)
    return pulled


def _is_there(uri: str) -> None:
    """Raise BenchError for a local tracking store that is not there: the client would make an empty one."""
    scheme, path = urlsplit(uri).scheme, unquote(urlsplit(uri).path)
    local = {"sqlite": path[1:], "file": path, "": uri}.get(scheme)
    if local is not None and not Path(local).exists():
        raise BenchError(
            f"--tracking-uri {uri}: {local} is not there. Give a server (http://…), or the file that `bench sync` wrote."
        )


def _runs(client: Any, experiment: str) -> dict[str, str]:
    """Tagged cell id -> its newest run, cells in the order of their first."""
    found: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], order_by=["attributes.start_time ASC"], max_results=1000, page_token=token)
        found |= {run.data.tags[CELL_TAG]: run.info.run_id for run in page if CELL_TAG in run.data.tags}
        token = page.token
        if not token:
            return found


def _take(client: Any, run: str, cell_id: str, store: Store, stage: Store, pulled: Pulled) -> str:
    """Take over one cell; returns what came of it. Raises BenchError for files that are not what they should be."""
    if not ID.fullmatch(cell_id):
        raise BenchError(f"Its tag {CELL_TAG} is no id of a cell.")
    folder, state = store.folder(cell_id), store.state(cell_id)
    if state == "finished":
        return "here already"
    if (folder / "trained.json").exists() or any(folder.glob("*.pt")):
        return "kept"
    there = {each.path for each in client.list_artifacts(run) if not each.is_dir}
    ending = "result.json" if "result.json" in there else "failed.json"
    if ending not in there or (state, ending) == ("failed", "failed.json"):
        return "here already" if state == "failed" else "unfinished"
    with hold(store.claims, cell_id) as mine:
        if not mine or store.state(cell_id) != state:
            return "run now"
        fetched = stage.folder(cell_id)
        fetched.mkdir(parents=True)
        try:
            for name in (*ARTIFACTS, SUITE):
                if name in there and (name not in _STATES or name == ending):
                    _fetch(client, run, name, fetched)
            result = checked(stage, cell_id)
            if (fetched / SUITE).exists():
                note = suite_of(fetched / SUITE)
                pulled.places[cell_id] = note["place"]
                if result is not None and result.finished >= pulled.noted:
                    pulled.note, pulled.noted = note, result.finished
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "failed.json").unlink(missing_ok=True)
            for name in sorted(ARTIFACTS, key=lambda name: name in _STATES):
                if (fetched / name).exists():
                    write_whole(folder / name, (fetched / name).read_bytes())
        finally:
            shutil.rmtree(fetched)
    return "taken"


def _fetch(client: Any, run: str, name: str, folder: Path) -> None:
    """One artifact of a fixed name as a plain file of a folder; whatever else the server sends is thrown away."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch.") as scratch:
        client.download_artifacts(run, name, scratch)
        file = Path(scratch) / name
        if file.is_symlink() or not file.is_file():
            raise BenchError(f"{name}: is no file.")
        file.replace(folder / name)


def _note(store: Store, suite: str, pulled: Pulled, stage: Store) -> None:
    """Note the suite for readers without its data, and enter its external models; what is noted here already stays."""
    last = len(pulled.places)
    trained = sorted((each for each in pulled.cells if not each.external), key=lambda cell: pulled.places.get(cell.id, last))
    before = store.suite(suite) or {}
    stage.note_suite(suite, Path(pulled.note.get("source", f"{suite}.yaml")), trained, pulled.note.get("contests", []))
    made = stage.suite(suite) or {}
    cells = list(dict.fromkeys([*before.get("cells", []), *made["cells"]]))
    (store.root / "suites").mkdir(exist_ok=True)
    prints = {**made["fingerprints"], **before.get("fingerprints", {})}
    write_json(store.root / "suites" / f"{suite}.json", {**made, **before, "cells": cells, "fingerprints": prints})
    for cell in pulled.cells:
        if cell.external and store.state(cell.id) == "finished":
            contest = Contest(cell.dataset_label, cell.dataset, cell.eval, (), (cell.fingerprints or {})[str(cell.dataset.test)])
            if cell.model_label not in {each.model_label for each in beside([contest], store)}:
                enter(store, cell.model_label, contest, cell)

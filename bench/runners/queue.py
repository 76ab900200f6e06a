"""In which order cells run: the longest first, what others start from before them, and what can no longer start not at all."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from bench.cell import Cell
from bench.job import Job
from bench.plan import Trained
from bench.store import Failure, Store, write_json


class Queue:
    """The jobs that wait, in the order in which they should begin."""

    def __init__(self, jobs: Iterable[Job], seconds: Callable[[Job], float]) -> None:
        """``seconds(job)`` is a cell's length in any unit: a chain of cells counts with all that follows it."""
        jobs = list(jobs)
        after: dict[str, list[Job]] = {}
        for job in jobs:
            if job.cell.start:
                after.setdefault(job.cell.start.train_id, []).append(job)
        known: dict[str, float] = {}

        def length(job: Job) -> float:
            if job.cell.id not in known:
                known[job.cell.id] = seconds(job) + max((length(each) for each in after.get(job.cell.train_id, [])), default=0.0)
            return known[job.cell.id]

        self._jobs = {job.cell.id: job for job in sorted(jobs, key=length, reverse=True)}

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def take(self, job: Job) -> None:
        """Take a job out."""
        del self._jobs[job.cell.id]

    def put(self, job: Job) -> None:
        """Put a job back, behind all others."""
        self._jobs[job.cell.id] = job

    def clear(self) -> None:
        """Forget all."""
        self._jobs.clear()

    def next(self, trained: Trained, held: Callable[[Job], bool]) -> Job | None:
        """The first job whose start is trained and which nobody else holds."""
        return next((job for job in self._jobs.values() if ready(job, trained) and not held(job)), None)

    def orphans(self, running: Iterable[Job], trained: Trained) -> list[Job]:
        """The jobs that wait for a cell which is neither trained nor about to be."""
        waiting = [job for job in self._jobs.values() if job.cell.start]
        if not waiting:
            return []
        coming = {job.cell.train_id for job in (*self._jobs.values(), *running)}
        return [job for job in waiting if job.cell.start and job.cell.start.train_id not in coming and not ready(job, trained)]


def ready(job: Job, trained: Trained) -> bool:
    """Whether the cell that a job starts from, if any, has its weights."""
    return job.cell.start is None or trained(job.cell.start)


def no_start(job: Job) -> Failure:
    """Write the failure of a cell whose start has failed: the cause is that of the first cell of the chain which did."""
    store = Store(job.store)
    culprit, why = _culprit(job.cell, store)
    message = f"it starts from {culprit.label}, which " + (f"failed: {why.message}" if why else "has not been trained")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    failure = Failure(cell_id=job.cell.id, cause=why.cause if why else "input", message=message, finished=now)
    write_json(store.open_cell(job.cell) / "failed.json", failure.model_dump())
    return failure


def _culprit(cell: Cell, store: Store) -> tuple[Cell, Failure | None]:
    """The earliest ancestor that has a failure of its own, with it; without any the nearest ancestor."""
    assert cell.start is not None
    found: tuple[Cell, Failure | None] = (cell.start, None)
    each: Cell | None = cell.start
    while each is not None:
        failure = store.failure(each.id)
        if failure is not None:
            found = each, failure
        each = each.start
    return found

"""Mutated suite files through `bench plan`: each must give a plan or one clear error, soon and in little memory.

    python -m tests.faults.fuzz [--cases 10000] [--seed 0] [--limit-s 30] [--memory-gib 2] [--keep DIR]

Every case is one shipped suite with one to four mutations of its text or of its structure, made from the seed and the case's number
alone; every second one is planned with --smoke. A traceback, a case that takes longer than the limit, and a process that dies are
findings: they are printed with their number, their files are kept, and the exit code is 1.
"""

import argparse
import contextlib
import io
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.cli.app import app
from bench.errors import BenchError
from tests.faults.mutations import mutated

ROOT = Path(__file__).resolve().parents[2]
SUITES = sorted((ROOT / "suites").glob("*.yaml"))
CHUNK = 100


class TooLong(BaseException):
    """No error of the command's own: nothing in it may catch this."""


def case(number: int, seed: int) -> str:
    """The text of a case."""
    rng = random.Random(f"{seed} {number}")
    return mutated(rng.choice(SUITES).read_text(encoding="utf-8"), rng)


def outcome(text: str, folder: Path, limit_s: float, *options: str) -> str:
    """ "plan", "error", or a finding: "too long" or the traceback of what no user should see."""
    path = folder / "mutated.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    command = ["plan", str(path), "--json", "--store", str(folder / "runs"), "--data-root", str(folder / "data"), *options]
    try:
        with _alarm(limit_s), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            app(command, standalone_mode=False)
    except BenchError as error:
        return "error" if str(error).strip() else "an error without words"
    except TooLong:
        return f"too long: more than {limit_s:g} s of the processor"
    except BaseException as error:
        return "".join(traceback.format_exception(error, chain=False, limit=-8))
    return "plan"


@contextlib.contextmanager
def _alarm(limit_s: float) -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise TooLong

    # The process's own time, so that a busy machine makes no finding.
    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _work(numbers: range, asked: argparse.Namespace, told: Any) -> None:
    """Try cases in a process of their own, and say before each that it has begun."""
    most = int(asked.memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            told.send((number, None))
            begin = time.process_time()
            smoke = ["--smoke"] * (number % 2)  # on generated data, where every cell gets its id
            found = outcome(case(number, asked.seed), Path(folder), asked.limit_s, *smoke)
            told.send((number, (found, time.process_time() - begin)))
    told.send(None)


def _results(numbers: range, asked: argparse.Namespace) -> Iterator[tuple[int, str, float]]:
    """Outcome and seconds of the processor of every case, those included that end the process which tries them."""
    context = multiprocessing.get_context("fork")
    while numbers:
        mine, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(numbers[:CHUNK], asked, theirs))
        worker.start()
        theirs.close()
        number = numbers[0]
        try:
            while (said := mine.recv()) is not None:
                number, result = said
                if result:
                    yield number, *result
            numbers = numbers[CHUNK:]
        except EOFError:
            worker.join()
            yield number, f"the process died with code {worker.exitcode}", 0.0
            numbers = numbers[number + 1 - numbers[0] :]
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="Number of the first case.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit-s", type=float, default=30.0)
    parser.add_argument("--memory-gib", type=float, default=2.0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="Folder for the files of findings.")
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    slowest = (0.0, 0)
    for number, found, seconds in _results(range(asked.first, asked.first + asked.cases), asked):
        counts[found if found in ("plan", "error") else "finding"] += 1
        slowest = max(slowest, (seconds, number))
        if found not in ("plan", "error"):
            asked.keep.mkdir(parents=True, exist_ok=True)
            path = asked.keep / f"{asked.seed}-{number}.yaml"
            path.write_bytes(case(number, asked.seed).encode("utf-8", "surrogatepass"))
            print(f"case {number}, kept as {path}: {found}", flush=True)
    shown = ", ".join(f"{counts[each]} {each}s" for each in ("plan", "error", "finding"))
    print(f"{asked.cases} cases: {shown}; the slowest took {slowest[0]:.2f} s (case {slowest[1]})")
    sys.exit(1 if counts["finding"] else 0)


if __name__ == "__main__":
    main()

"""A suite as a Slurm job array: the script, and beside it a file with the cells of each task."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cell import Cell
from bench.errors import BenchError
from bench.lineage import ancestors

MOST_TASKS = 1000
"""Tasks of an array unless more are asked for: what Slurm's own default, a MaxArraySize of 1001, allows."""
_WORD = re.compile(r"[A-Za-z0-9_.,:=/+@%*\[\]-]+")
"""What may stand behind a directive: nothing that a shell, or a second directive, could be made of."""
SCRIPT = """\
#!/bin/bash
# {cells} cells in {tasks} tasks. Submit with: sbatch {out}
{directives}

cd {folder} || exit 2
mapfile -t tasks < {listed}
read -r -a cells <<< "${{tasks[$SLURM_ARRAY_TASK_ID]}}"
[ "${{#cells[@]}}" -gt 0 ] || {{ echo "no cells for task $SLURM_ARRAY_TASK_ID in" {listed} >&2; exit 2; }}

stop=0 pid=
trap 'stop=1; [ -z "$pid" ] || kill -USR1 "$pid" 2> /dev/null' USR1 TERM

worst=0
for cell in "${{cells[@]}}"; do
  [ "$stop" -eq 0 ] || {{ worst=75; break; }}
  {command} --cell "$cell" &
  pid=$!
  [ "$stop" -eq 0 ] || kill -USR1 "$pid"    # the signal came between the two lines above
  wait "$pid"; code=$?
  while kill -0 "$pid" 2> /dev/null; do wait "$pid"; code=$?; done    # a signal ended the wait, and the cell is still saving
  if [ "$code" -gt 128 ]; then    # the signal's own code, unless the cell was ended by one
    wait "$pid" 2> /dev/null; again=$?
    [ "$again" -eq 127 ] || code=$again
  fi
  pid=
  [ "$code" -lt 128 ] || [ "$stop" -eq 0 ] || code=75    # asked to stop before it could listen
  [ "$code" -eq 75 ] && {{ worst=75; break; }}
  [ "$code" -eq 0 ] || worst=$code
done

if [ "$worst" -eq 75 ]; then
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$worst"
"""


@dataclass(frozen=True)
class Request:
    """What a task asks of Slurm; None leaves it to the cluster's defaults."""

    partition: str | None = None
    account: str | None = None
    time: str | None = None
    gpus: int | None = None
    cpus: int | None = None
    memory: str | None = None
    array_limit: int | None = None
    """Tasks that run at the same time."""
    warn_s: int = 120
    """Seconds before the time limit at which a task is told to save and end."""
    more: tuple[str, ...] = field(default=())
    """Further options of sbatch, as NAME=VALUE."""

    def directives(self, name: str, tasks: int) -> list[str]:
        """The #SBATCH lines; raises BenchError for a value that a line cannot hold."""
        limit = f"%{self.array_limit}" if self.array_limit else ""
        pairs: list[tuple[str, object]] = [
            ("job-name", re.sub(r"[^A-Za-z0-9_.-]+", "-", name)),
            ("array", f"0-{tasks - 1}{limit}"),
            ("partition", self.partition),
            ("account", self.account),
            ("time", self.time),
            ("gpus", self.gpus),
            ("cpus-per-task", self.cpus),
            ("mem", self.memory),
            ("signal", f"B:USR1@{self.warn_s}"),
        ]
        pairs += [(key, value) for each in self.more for key, _, value in [each.partition("=")]]
        for key, value in pairs:
            if value is not None and not (_WORD.fullmatch(str(value)) and re.fullmatch(r"[a-z][a-z-]*", key)):
                raise BenchError(f"--{key} {value}: expected letters, digits and _.,:=/+@%*[]- alone")
        lines = [f"#SBATCH --{key}={value}" for key, value in pairs if value is not None]
        return [*lines, "#SBATCH --requeue", "#SBATCH --open-mode=append"]


def tasks(cells: Sequence[Cell], most: int = MOST_TASKS) -> list[list[str]]:
    """The ids of each task's cells: a cell stands behind the one it starts from, and so its task never waits for another's.

    Of several that start from one cell the first follows it; the others have tasks of their own, later in the array, and wait for
    it or train it themselves, whoever claims it first. Where there are more than ``most`` tasks, each takes several.
    """
    chains: list[list[Cell]] = []
    ends: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda each: len(ancestors(each))):
        chain = ends.pop(cell.start.id, None) if cell.start else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(cell)
        ends[cell.id] = chain
    chains.sort(key=lambda chain: chain[0].start is not None)
    found: list[list[str]] = [[] for _ in range(min(most, len(chains)))]
    for number, chain in enumerate(chains):
        found[number % len(found)] += [cell.id for cell in chain]
    return found


def script(name: str, listed: Path, out: Path, made: Sequence[Sequence[str]], command: Iterable[str], request: Request) -> str:
    """The job array's script; ``command`` is the `bench run` of one cell without its --cell."""
    return SCRIPT.format(
        cells=sum(map(len, made)),
        tasks=len(made),
        out=shlex.quote(str(out)),
        directives="\n".join(request.directives(name, len(made))),
        folder=shlex.quote(str(Path.cwd())),
        listed=shlex.quote(str(listed.resolve())),
        command=shlex.join(command),
    )

"""The CPUs a measurement runs on: threads pinned to them, and what the system says of their clocks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError

CPUS = Path("/sys/devices/system/cpu")


@contextmanager
def pinned(threads: int | None) -> Iterator[dict[str, Any]]:
    """Compute with so many threads, bound to as many CPUs, while the context lasts; gives what was done, for the result.

    Unset, with as many as torch would take. Raises BenchError for more threads than this process may use CPUs.
    """
    before = torch.get_num_threads()
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if threads and threads > len(allowed):
        raise BenchError(f"--threads {threads}: this process may use {len(allowed)} CPUs; give at most as many")
    chosen = allowed[: threads or min(before, len(allowed))]
    torch.set_num_threads(len(chosen))
    refusal = _bind(chosen)
    try:
        yield {
            "threads": len(chosen),
            "cpus": chosen if refusal is None else None,
            "pinning": refusal or f"bound to {len(chosen)} CPU{'s' if len(chosen) > 1 else ''}",
            **clocks(chosen),
        }
    finally:
        torch.set_num_threads(before)
        _bind(allowed)


def _bind(cpus: list[int]) -> str | None:
    """Bind all threads there are, and so those they start, to these CPUs; why not, where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: this system has no call for it"
    try:
        for task in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(task.name), cpus)
    except OSError as error:
        return f"not pinned: {error.strerror}"
    return None


def clocks(cpus: list[int], root: Path = CPUS) -> dict[str, Any]:
    """Governor and mean frequency of these CPUs as the system gives them, None where it does not (a virtual machine, say)."""
    governors = {text for cpu in cpus if (text := _text(root / f"cpu{cpu}/cpufreq/scaling_governor"))}
    khz = [int(text) for cpu in cpus if (text := _text(root / f"cpu{cpu}/cpufreq/scaling_cur_freq")).isdecimal()]
    return {
        "governor": ", ".join(sorted(governors)) or None,
        "frequency_mhz": round(sum(khz) / len(khz) / 1e3) if khz else None,
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

"""The samples of a batch side by side on the cores of a CPU.

An operation over a whole batch splits itself between the threads, which wait for each other after every one; besides, what it
leaves behind has left the cores' caches before the next one reads it. A sample that one thread carries from beginning to end costs
neither, and its numbers depend on nothing but itself.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

Made = TypeVar("Made")


def side_by_side(work: Callable[[slice], Made], samples: int) -> list[Made]:
    """What ``work`` returns for the slice of every sample of a batch, called in as many threads as torch has."""
    each = [slice(sample, sample + 1) for sample in range(samples)]
    threads = torch.get_num_threads()
    if threads == 1 or samples == 1:
        return list(map(work, each))
    todo, made = enumerate(each), dict[int, Made]()

    def some(_: int) -> None:  # one call a thread: handing over every sample takes longer than many a sample
        for sample, part in todo:
            made[sample] = work(part)

    list(_pool(threads).map(some, range(threads)))
    return [made[sample] for sample in range(samples)]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch computes alone."""
    begun = Barrier(threads + 1)

    def begin() -> None:
        torch.set_num_threads(1)  # for this thread, and for those that have not asked yet
        torch.get_num_threads()  # it has asked: what is set below changes it no more
        begun.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="samples", initializer=begin)
    for _ in range(threads):
        pool.submit(int)
    begun.wait()
    torch.set_num_threads(threads)
    return pool

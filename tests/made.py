"""A data set of three random images of different sizes. No torch here, so that processes that prepare it start at once."""

import numpy as np

from bench.data.samples import Sample
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec

SIZES = [(7, 9), (5, 6), (12, 4)]
ENTRY = DatasetEntry(
    samples="", class_names=("a", "b", "c"), palette=((0, 0, 0),) * 3, ignore_index=255, splits={}, version="1", license="",
    paper="", obtain="", decode="tests.made:decode",
)  # fmt: skip
SPEC = DatasetSpec(name="made")


def made(index: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(index)
    height, width = SIZES[index]
    return chance.integers(0, 256, (height, width, 3), np.uint8), chance.choice(np.array([0, 1, 2, 255], np.uint8), (height, width))


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    if sample.id == "broken":
        raise BenchError("broken.png: truncated")
    return made(sample.index)


SAMPLES = [Sample(str(index), index=index) for index in range(len(SIZES))]

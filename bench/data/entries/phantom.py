"""The embedded data set."""

from bench.registry import DatasetEntry

PHANTOM = DatasetEntry(
    samples="bench.data.phantom:samples",
    decode="bench.data.phantom:decode",
    class_names=("background", "disc", "weave", "bar", "dot", "plate", "keyed"),
    palette=((32, 32, 32), (214, 72, 60), (74, 178, 86), (236, 208, 66), (74, 128, 232), (176, 92, 206), (86, 210, 214)),
    ignore_index=None,
    splits={"train": None, "val": None, "test": None},
    version="1",
    license="Apache-2.0",
    paper="bench/data/phantom.py",
    obtain="nothing to get: it is drawn from dataset.data_seed",
)

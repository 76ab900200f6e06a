"""Any pair of folders: what the suite says of it, as an entry."""

from dataclasses import replace

from bench.data.entries.colours import colours
from bench.registry import DatasetEntry
from bench.specs import FolderSpec

FOLDER = DatasetEntry(
    samples="bench.data.folder:samples",
    decode="bench.data.folder:decode",
    class_names=(),
    palette=(),
    ignore_index=None,
    splits={},
    version="1",
    license="its owner's",
    paper="none",
    obtain="your own images and labels, in the folders below <data root> that dataset.images and dataset.labels name",
    layout="bench.data.layouts:folder",
)


def folder_entry(spec: FolderSpec) -> DatasetEntry:
    """The entry of the classes and splits that a suite gives; labels that are colours have the ids 0, 1, 2 … once decoded."""
    values = list(spec.classes.values()) if isinstance(spec.classes, dict) else list(range(len(spec.classes)))
    ids = [value for value in values if isinstance(value, int)]
    return replace(
        FOLDER,
        class_names=tuple(spec.classes),
        palette=spec.colours or colours(len(spec.classes)),
        ids={value: label for label, value in enumerate(ids)} if ids else None,
        ignore_index=255 if isinstance(spec.ignore, tuple) else spec.ignore,
        splits=dict.fromkeys(spec.splits),
        roles=spec.roles,
    )

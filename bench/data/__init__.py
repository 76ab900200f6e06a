"""The table of data sets. Importing it imports neither torch nor numpy."""

from pathlib import Path

from bench.data.entries.few_classes import ISBI2012, PET
from bench.data.entries.folder import FOLDER, folder_entry
from bench.data.entries.indoor import SCANNET, SUNRGBD
from bench.data.entries.phantom import PHANTOM
from bench.data.entries.street import CAMVID, CITYSCAPES
from bench.data.entries.synthia import SYNTHIA, SYNTHIA_13, SYNTHIA_16, SYNTHIA_19
from bench.data.entries.voc import SBD, VOC2012, VOC2012_SBD
from bench.errors import BenchError
from bench.registry import DatasetEntry, lookup, own_module
from bench.specs import DatasetSpec, FolderSpec

DATASETS: dict[str, DatasetEntry] = {
    "phantom": PHANTOM,
    "camvid": CAMVID,
    "voc2012": VOC2012,
    "sbd": SBD,
    "voc2012_sbd": VOC2012_SBD,
    "cityscapes": CITYSCAPES,
    "synthia": SYNTHIA,
    "synthia_13": SYNTHIA_13,
    "synthia_19": SYNTHIA_19,
    "synthia_16": SYNTHIA_16,
    "scannet": SCANNET,
    "sunrgbd": SUNRGBD,
    "pet": PET,
    "isbi2012": ISBI2012,
    "folder": FOLDER,
}


def entry_of(spec: DatasetSpec) -> DatasetEntry:
    """The entry of a suite's data set; raises BenchError for a name that no table and no module has."""
    return folder_entry(spec) if isinstance(spec, FolderSpec) else entry_named(spec.name)


def entry_named(name: str) -> DatasetEntry:
    """The entry of that name in the table, or the one that ``module:NAME`` names in a module of the user's.

    Modules are looked for in the installed packages and in the current folder. Raises BenchError when there is none, and for
    code that the user has not allowed.
    """
    if ":" not in name:
        return lookup("dataset", DATASETS, name)
    module, _, attribute = name.partition(":")
    try:
        entry = getattr(own_module("dataset", name), attribute, None)
    except (ImportError, SyntaxError, ValueError) as error:
        raise BenchError(
            f"dataset {name!r}: the module {module!r} cannot be imported: {error}. "
            f"It is looked for in the installed packages and in {Path.cwd()}."
        ) from None
    if not isinstance(entry, DatasetEntry):
        raise BenchError(
            f"dataset {name!r}: {module} has no DatasetEntry named {attribute!r}. Write one, or correct the part after the colon."
        )
    return entry

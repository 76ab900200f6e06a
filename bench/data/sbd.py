"""The Semantic Boundaries Dataset as its release lays it out: img, cls and the lists below benchmark_RELEASE/dataset.

Labels are MATLAB files, one struct ``GTcls`` each, whose field ``Segmentation`` is the label map with VOC's class ids.
"""

from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from bench.data.decode import Array, Pair, read_label, read_pair, to_ids
from bench.data.samples import Sample, listed, paired, require
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `train` or `val` of the release, which are not VOC's; raises BenchError for what the folders lack."""
    source = folder(root) / f"{split}.txt"
    return named(root, spec, listed(source, spec.name, root), source)


def folder(root: Path) -> Path:
    """Where the release's files lie below a data root."""
    return root / "benchmark_RELEASE" / "dataset"


def named(root: Path, spec: DatasetSpec, ids: list[str], source: Path) -> list[Sample]:
    """The samples of some ids, which the list ``source`` names."""
    images, labels = folder(root) / "img", folder(root) / "cls"
    require([labels], spec.name, root)
    return paired(ids, lambda each: (images / f"{each}.jpg", labels / f"{each}.mat"), source)


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> Pair:
    """A sample whose label is a .mat of SBD, or a palette PNG of VOC."""
    return read_pair(sample, spec, lambda path: read_mat(path, entry) if path.suffix == ".mat" else read_label(path, entry))


def read_mat(path: Path, entry: DatasetEntry) -> Array:
    """The label map (H, W) of a file of SBD with void as 255; raises BenchError for a file that is none."""
    try:
        label = loadmat(path, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0]
    except FileNotFoundError:
        raise BenchError(f"{path}: is not there. Unpack the data set again.") from None
    except (OSError, MatReadError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise BenchError(
            f"{path}: has no label map GTcls.Segmentation ({type(error).__name__}: {error}). Unpack or download this file again."
        ) from None
    if label.ndim != 2 or not np.issubdtype(label.dtype, np.unsignedinteger):
        raise BenchError(f"{path}: GTcls.Segmentation is {label.dtype} of shape {label.shape}, and a label map is (H, W) of uint8.")
    return to_ids(label, entry, path)

"""The vocabulary of a suite file: one frozen class a block, one docstring a field.

The docstrings become the descriptions of the JSON Schema (`bench schema`), so an editor shows them while a suite is written.
"""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from bench.specs.blocks import Count, Images, Probability, Side, Size, Spec
from bench.specs.datasets import DatasetSpec, IsbiSpec, PhantomSpec
from bench.specs.folder import FolderSpec
from bench.specs.models import ExternalSpec, FcnSpec, ModelSpec, NetSpec, PluginSpec, SmpSpec, TorchvisionSpec, UnetSpec
from bench.specs.scoring import EvalSpec, Expectation, ProfileSpec
from bench.specs.training import AugmentationSpec, BorderSpec, TrainSpec

DATASET_SPECS: dict[str, type[DatasetSpec]] = {"phantom": PhantomSpec, "isbi2012": IsbiSpec, "folder": FolderSpec}
"""The data sets with fields of their own; all others are a `DatasetSpec`."""


def _dataset_tag(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in DATASET_SPECS else "files"


AnyDatasetSpec = Annotated[
    Annotated[PhantomSpec, Tag("phantom")]
    | Annotated[IsbiSpec, Tag("isbi2012")]
    | Annotated[FolderSpec, Tag("folder")]
    | Annotated[DatasetSpec, Tag("files")],
    Discriminator(_dataset_tag),
]

__all__ = [
    "DATASET_SPECS",
    "AnyDatasetSpec",
    "AugmentationSpec",
    "BorderSpec",
    "Count",
    "DatasetSpec",
    "EvalSpec",
    "Expectation",
    "ExternalSpec",
    "FcnSpec",
    "FolderSpec",
    "Images",
    "IsbiSpec",
    "ModelSpec",
    "NetSpec",
    "PhantomSpec",
    "PluginSpec",
    "Probability",
    "ProfileSpec",
    "Side",
    "Size",
    "SmpSpec",
    "Spec",
    "TorchvisionSpec",
    "TrainSpec",
    "UnetSpec",
]

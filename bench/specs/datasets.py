"""The blocks of `datasets:` but for folders of one's own: a data set, its splits, its size, and what only some have."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    model_validator,
)

from bench.specs.blocks import Images, Size, Spec


class DatasetSpec(Spec):
    """A data set, the splits used of it, and the size it is read at."""

    name: str
    """A name that `bench list datasets` prints, or `module:NAME` for a DatasetEntry in a module of your own."""
    train: str | None = None
    """Split trained on. Unset: the data set's own convention."""
    val: str | None = None
    """Split on which the best checkpoint is chosen. Unset: the data set's own convention."""
    test: str | None = None
    """Split that is reported. Unset: the data set's own convention."""
    resize: Size | None = None
    """(height, width) in pixels that images (area-averaged) and labels (nearest) are brought to before anything else."""


class PhantomSpec(DatasetSpec):
    """The embedded resolution chart."""

    name: Literal["phantom"]
    size: Size = (96, 96)
    """(height, width) in pixels of every generated image."""
    train_images: Images = 400
    """Number of images in the split `train`."""
    val_images: Images = 60
    """Number of images in the split `val`."""
    test_images: Images = 120
    """Number of images in the split `test`."""
    data_seed: NonNegativeInt = 0
    """Seed of the generator; another seed is another data set."""


class IsbiSpec(DatasetSpec):
    """The 30 labelled slices of ISBI 2012, cut into contiguous blocks for cross-validation."""

    name: Literal["isbi2012"]
    folds: Annotated[int, Field(ge=2, le=30)] = 5
    """Number of blocks the stack is cut into."""
    fold: NonNegativeInt = 0
    """The block that is the split `test`, from 0; the others are `train`."""

    @model_validator(mode="after")
    def _fold_exists(self) -> "IsbiSpec":
        if self.fold >= self.folds:
            raise ValueError(f"fold is {self.fold}, and with folds {self.folds} they are 0 to {self.folds - 1}")
        return self

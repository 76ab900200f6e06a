"""The block of a data set of one's own: any folder of images and any folder of labels."""

import re
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    Tag,
    field_serializer,
    field_validator,
    model_validator,
)

from bench.specs.datasets import DatasetSpec


def _stays_below(path: str) -> str:
    if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError(f"given {path!r}, expected a path below the data root, with `/` and without `..`")
    if "*" in path and (path.count("*") > 1 or "." not in path.partition("*")[2]):
        raise ValueError(
            f"given {path!r}, expected one `*` and an ending: it stands for what an image and its label share, as in `a/*_rgb.png`"
        )
    return path


def _from_hex(value: Any) -> Any:
    """``"#00c800"`` as (0, 200, 0); anything else is left to the checks of a colour."""
    return tuple(bytes.fromhex(value[1:])) if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value) else value


def _from_fraction(value: Any) -> Any:
    """``"1/2"`` as 0.5, as `fraction` takes it; anything else, `2020/01` too, is a path or is refused as a share."""
    share = Fraction(value) if isinstance(value, str) and re.fullmatch(r"[1-9]\d*/[1-9]\d*", value) else 2
    return float(share) if share <= 1 else value


Byte = Annotated[int, Field(ge=0, le=255)]
Hex = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Colour = Annotated[tuple[Byte, Byte, Byte], BeforeValidator(_from_hex, json_schema_input_type=tuple[Byte, Byte, Byte] | Hex)]
LabelValue = Annotated[int, Field(ge=0, le=65_535)]
BelowRoot = Annotated[str, AfterValidator(_stays_below)]
# One branch a shape, so that a mistake in one is not told as a mistake in all.
IdOrColour = Annotated[
    Annotated[LabelValue, Tag("id")] | Annotated[Colour, Tag("colour")],
    Discriminator(lambda value: "colour" if isinstance(value, (list, tuple)) or str(value).startswith("#") else "id"),
]
Classes = Annotated[
    Annotated[tuple[str, ...], Tag("names")] | Annotated[dict[str, IdOrColour], Tag("values")],
    Discriminator(lambda value: "values" if isinstance(value, dict) else "names"),
]
Share = Annotated[float, Field(gt=0, le=1)]
SplitRule = Annotated[
    Annotated[Share, Tag("share")] | Annotated[BelowRoot, Tag("path")],
    Discriminator(lambda value: "path" if isinstance(value, str) else "share"),
    BeforeValidator(_from_fraction),
]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=40)]


class FolderSpec(DatasetSpec):
    """Any folder of images and any folder of labels. All paths are below the data root."""

    name: Literal["folder"]
    images: BelowRoot | None = None
    """Folder of images, read with its sub-folders, or a pattern such as `photos/*_rgb.png` whose `*` is the image's name. May be
    left out where nothing is trained: labels are enough to score predictions."""
    labels: BelowRoot
    """Folder or pattern of labels; a label belongs to the image of the same name, sub-folder included."""
    classes: Classes
    """Names in the order of the ids 0, 1, 2 …, or name -> id in the label files, or name -> [red, green, blue] or "#rrggbb"."""
    ignore: IdOrColour | None = None
    """The id or colour in the label files that means "not annotated". Unset: every pixel is annotated."""
    splits: Annotated[dict[SplitName, SplitRule], Field(min_length=1)]
    """Split -> a list file (its name ends with .txt, one image's name a line), a sub-folder of both, or a share (0.7, 7/10)."""
    split_seed: NonNegativeInt = 0
    """Seed of the draw that deals images to shares; another seed is another split."""

    @field_validator("classes", mode="before")
    @classmethod
    def _pairs_are_a_mapping(cls, value: Any) -> Any:
        paired = isinstance(value, (list, tuple)) and value and all(isinstance(each, (list, tuple)) for each in value)
        return dict(value) if paired and all(len(each) == 2 for each in value) else value

    @field_serializer("classes")
    def _keep_the_order(self, value: Any) -> list[Any]:
        # As pairs: ids are hashes of JSON with sorted keys, and the order of the classes is part of what is trained.
        return [list(pair) for pair in value.items()] if isinstance(value, dict) else list(value)

    @model_validator(mode="after")
    def _classes_differ(self) -> "FolderSpec":
        values = list(self.classes.values()) if isinstance(self.classes, dict) else list(range(len(self.classes)))
        if not 0 < len(values) < 256:
            raise ValueError(f"classes: {len(values)} are given, and a suite has 1 to 255")
        if len(set(self.classes)) < len(values) or len(set(values)) < len(values):
            raise ValueError("classes: two of them share a name, an id or a colour")
        if len({type(value) for value in [*values, *([] if self.ignore is None else [self.ignore])]}) > 1:
            raise ValueError("classes and ignore: give ids for all of them, or colours for all of them")
        if self.ignore in values:
            shown = list(self.ignore) if isinstance(self.ignore, tuple) else self.ignore
            raise ValueError(f"ignore: {shown} is also the value of a class")
        return self

    @model_validator(mode="after")
    def _splits_make_sense(self) -> "FolderSpec":
        shares = [rule for rule in self.splits.values() if isinstance(rule, float)]
        if shares and (len(shares) < len(self.splits) or sum(shares) > 1 + 1e-9):
            raise ValueError("splits: either all are shares that sum up to 1 at most, or none is one")
        if not (self.test or self.roles["test"]):
            raise ValueError("splits: none is named 'test'; say which it is with `test:`")
        return self

    @property
    def colours(self) -> tuple[Colour, ...] | None:
        """The colours of the classes in the label files, in order, or None where those hold ids."""
        values = self.classes.values() if isinstance(self.classes, dict) else ()
        return tuple(value for value in values if isinstance(value, tuple)) or None

    @property
    def roles(self) -> dict[str, str | None]:
        """Role -> the split of that name; a set without `test` is reported on `val`, and nothing is chosen on that."""
        three: dict[str, str | None] = {role: role if role in self.splits else None for role in ("train", "val", "test")}
        return three if three["test"] else {"train": three["train"], "val": None, "test": three["val"]}

"""What all blocks of a suite are made of: bounds, and a frozen class in which every unknown key is an error."""

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
)

# Bounds beyond anything sensible: a slip of the finger is a message, not a machine without memory.
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
Images = Annotated[int, Field(gt=0, le=1_000_000)]
Side = Annotated[int, Field(gt=0, le=32_768)]
Size = tuple[Side, Side]
Probability = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """A frozen block of a suite in which every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

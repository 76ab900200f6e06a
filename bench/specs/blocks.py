"""What all blocks of a suite are made of: bounds, and a frozen class in which every unknown key is an error."""

import json
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
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


def plain(value: Any) -> Any:
    """A value that is its own JSON, so that it can be hashed and written down; raises ValueError for any other."""
    try:
        json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        kinds = "text, finite numbers, true, false, null, lists, and mappings whose keys are text"
        raise ValueError(f"given {repr(value)[:80]}, expected {kinds}") from None
    return value


Options = Annotated[dict[str, Any], AfterValidator(plain)]
"""Arguments of somebody else's code."""


class Spec(BaseModel):
    """A frozen block of a suite in which every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

"""The result of one call of the protocol: every condition, every raw time, and what they come to. Imports no torch."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from bench.errors import BenchError
from bench.store import read_json

SCHEMA_VERSION = 1
ADVICE = "Give a file that `bench profile --out FILE` wrote."


class Block(BaseModel):
    """A frozen part of the document in which every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Settings(Block):
    """What a caller chooses of the protocol; the same for all models of one call."""

    batch: PositiveInt = 8
    """Images a pass for the fixed-batch throughput and for the split."""
    precision: Literal["fp32", "bf16"] = "fp32"
    rounds: int = Field(default=20, ge=2)
    """Every round visits every model once, in an order of its own."""
    window_s: PositiveFloat = 0.1
    """Passes are repeated within a round until about so much time is measured."""
    burn_in_s: PositiveFloat = 10.0
    """A model that is not steady after so long is measured all the same, and said not to be."""
    tolerance: PositiveFloat = 0.02
    """Steady: the medians of the last three windows lie within this share of each other."""
    gain: PositiveFloat = 0.05
    """Doubling the batch ends where the throughput has twice in a row gained less than this share."""
    most_batch: PositiveInt = 256
    """Doubling the batch ends here at the latest."""
    seed: int = 0
    """Of the weights, the noise that is labelled, and the order of each round."""


class Reading(Block):
    """What the device said of itself at one moment; None for what it does not say."""

    when: str
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    slowed_by: tuple[str, ...] | None = None
    """Why its clocks are held down, empty for no reason."""


class BurnIn(Block):
    """How a model was warmed up."""

    steady: bool
    windows_s: tuple[float, ...]
    """Median seconds a pass of each window."""
    seconds: float


class Tried(Block):
    """One batch of the search."""

    batch: PositiveInt
    images_per_s: float | None
    """None: it did not fit into the memory."""


class Search(Block):
    """Doubling the batch from 1."""

    tried: tuple[Tried, ...]
    stopped: Literal["gain", "memory", "bound"]
    candidates: tuple[PositiveInt, ...]
    """The batches among which, with the fixed one, the rounds decide."""


class Visit(Block):
    """The raw seconds of one model in one round."""

    anchor_latency_s: tuple[float, ...]
    """Of the anchor's passes at batch 1, just before the model's."""
    anchor_s: tuple[float, ...]
    """Of the anchor's passes at its own batch, back to back."""
    latency_s: tuple[float, ...]
    """Of single passes at batch 1, the device waited for after each."""
    batches_s: dict[int, tuple[float, ...]]
    """Batch -> seconds of its passes, back to back: the fixed batch, if it fits, and the candidates for the best."""
    split_s: dict[str, float] | None
    """Trunk, head, upsampling and argmax of a pass at the fixed batch, the mean of several."""


class Estimate(Block):
    """A figure and its 95 % interval, rounds resampled."""

    value: PositiveFloat
    low: PositiveFloat
    high: PositiveFloat


class Latency(Block):
    """Quantiles of single passes at batch 1, in milliseconds."""

    p50_ms: PositiveFloat
    p90_ms: PositiveFloat
    p99_ms: float | None
    """None with fewer than a hundred passes, which have no such quantile."""
    passes: int
    of_anchor: Estimate
    """The anchor's time over this one: above 1 is quicker than the anchor."""


class Speed(Block):
    """Throughput at one batch."""

    batch: PositiveInt
    images_per_s: Estimate
    of_anchor: Estimate
    """Images a second over the anchor's."""


class Split(Block):
    """Where the time of a pass at the fixed batch goes, in milliseconds; ``whole_ms`` is of passes in which nothing is marked."""

    whole_ms: float
    trunk_ms: float
    head_ms: float
    upsampling_ms: float
    argmax_ms: float
    rest_ms: float
    """The whole less the four parts: below 0 where marking them took time."""
    adds_up: bool
    """Whether the rest is within 5 % of the whole."""


class Measured(Block):
    """One model at one size."""

    label: str
    height_px: PositiveInt
    width_px: PositiveInt
    model: dict[str, Any]
    """Its specification, as in a suite."""
    num_classes: PositiveInt
    output_stride: int
    parameters: int
    flops: int
    burn_in: BurnIn
    search: Search
    visits: tuple[Visit, ...]
    latency: Latency
    fixed: Speed | None
    best: Speed
    split: Split | None
    split_note: str | None
    """Why there is no split."""
    energy_j_per_image: NonNegativeFloat | None
    """Of the whole board, at the best batch, idle power included; None where the device does not count it."""
    peak_memory_gib: float | None
    """Allocated on the device at most during a pass at the fixed batch, the model's weights included; None on a CPU."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What names a line of the table."""
        return self.label, self.height_px, self.width_px


class Anchor(Block):
    """The model that is measured with all others, and is the unit of their speeds."""

    name: str
    version: int
    height_px: int
    width_px: int
    batch: int
    parameters: int
    flops: int
    burn_in: BurnIn
    latency_p50_ms: float
    images_per_s: Estimate


class Document(Block):
    """One call of the protocol."""

    kind: Literal["stridebench.throughput"] = "stridebench.throughput"
    schema_version: Literal[1] = 1
    begun: str
    seconds: float
    settings: Settings
    device: str
    conditions: dict[str, Any]
    """Versions, threads and the CPUs they were pinned to, governor and frequency, numerical modes."""
    sensors: str
    """Where clocks, power and temperature were read, or why not."""
    readings: tuple[Reading, ...]
    anchor: Anchor
    orders: tuple[tuple[int, ...], ...]
    """The order of the models in each round."""
    models: tuple[Measured, ...]


def read_document(path: Path) -> Document:
    """A document from its file; raises BenchError for one that is damaged, of another version, or something else."""
    data = read_json(path, ADVICE)
    if not isinstance(data, dict) or data.get("kind") != "stridebench.throughput":
        raise BenchError(f"{path}: not a result of the throughput protocol. {ADVICE}")
    if data.get("schema_version") != SCHEMA_VERSION:
        given = json.dumps(data.get("schema_version"))
        raise BenchError(f"{path}: of schema version {given}, and this program reads {SCHEMA_VERSION}. Measure anew.")
    try:
        return Document.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BenchError(f"{path}: {where}: {first['msg']}. {ADVICE}") from None

"""How far two calls of the protocol agree. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.throughput.document import Document, Measured

TOLERANCE = 0.03
"""Two calls on one device agree within this."""
MODES = ("stridebench", "torch", "cuda", "cudnn", "cudnn_benchmark", "cudnn_tf32", "matmul_tf32")
"""Conditions that may change a speed, and whose change may be what two calls are to show."""


@dataclass(frozen=True)
class Difference:
    """One figure of one model in two documents."""

    model: str
    figure: str
    raw: float
    """Second over first, less 1, of images or passes a second."""
    of_anchor: float
    """The same of the speed relative to the anchor."""

    @property
    def agrees(self) -> bool:
        """Whether the relative speeds do: the raw ones also hold what happened to the machine between the calls."""
        return abs(self.of_anchor) <= TOLERANCE


def differences(first: Document, second: Document, names: tuple[Path, Path]) -> list[Difference]:
    """Latency and throughput of all models that both have.

    Raises BenchError for documents of different conditions, and where no model is in both. Devices may differ: then the speeds
    relative to the anchor are what is compared.
    """
    _comparable(first, second, names)
    others = {each.key: each for each in second.models}
    found = [line for each in first.models if each.key in others for line in _lines(each, others[each.key])]
    if not found:
        raise BenchError(f"{names[0]} and {names[1]} have no model in common at the same size; there is nothing to compare")
    return found


def left_out(first: Document, second: Document, names: tuple[Path, Path]) -> list[str]:
    """What stands in one of the documents alone and is not compared: a sentence for each document."""
    said = []
    for one, other, name in ((first, second, names[0]), (second, first, names[1])):
        others = {each.key: each for each in other.models}
        alone = [_name(each) for each in one.models if each.key not in others]
        alone += [
            f"{_name(each)} at batch {each.fixed.batch}"
            for each in one.models
            if each.fixed and each.key in others and not others[each.key].fixed
        ]
        said += [f"Not compared, only in {name}: {', '.join(alone)}."] if alone else []
    return said


def changed(first: Document, second: Document) -> list[str]:
    """Versions and numerical modes of one device that changed between the calls: a sentence, or none."""
    pairs = [(mode, first.conditions.get(mode), second.conditions.get(mode)) for mode in MODES]
    found = [f"{mode} {one}, then {two}" for mode, one, two in pairs if one != two] if first.device == second.device else []
    return [f"Not the same in both calls: {'; '.join(found)}."] if found else []


def _comparable(first: Document, second: Document, names: tuple[Path, Path]) -> None:
    values = [
        (
            "anchor",
            f"{first.anchor.name}, version {first.anchor.version}",
            f"{second.anchor.name}, version {second.anchor.version}",
        ),
        ("precision", first.settings.precision, second.settings.precision),
        ("batch", first.settings.batch, second.settings.batch),
    ]
    if first.device == second.device:
        values.append(("threads", first.conditions.get("threads"), second.conditions.get("threads")))
    for name, one, two in values:
        if one != two:
            raise BenchError(f"{name}: {names[0]} has {one}, and {names[1]} has {two}; measure both alike")


def _name(one: Measured) -> str:
    return f"{one.label} {one.height_px}x{one.width_px}"


def _lines(one: Measured, two: Measured) -> list[Difference]:
    label = _name(one)
    if (one.model, one.num_classes) != (two.model, two.num_classes):
        raise BenchError(f"{label} is not the same model in both files; measure both alike")
    passes = one.latency.p50_ms / two.latency.p50_ms - 1
    lines = [Difference(label, "latency", passes, two.latency.of_anchor.value / one.latency.of_anchor.value - 1)]
    if one.fixed and two.fixed:
        raw = two.fixed.images_per_s.value / one.fixed.images_per_s.value - 1
        lines.append(Difference(label, f"batch {one.fixed.batch}", raw, two.fixed.of_anchor.value / one.fixed.of_anchor.value - 1))
    raw = two.best.images_per_s.value / one.best.images_per_s.value - 1
    batches = one.best.batch if one.best.batch == two.best.batch else f"{one.best.batch}, {two.best.batch}"
    lines.append(Difference(label, f"best batch ({batches})", raw, two.best.of_anchor.value / one.best.of_anchor.value - 1))
    return lines

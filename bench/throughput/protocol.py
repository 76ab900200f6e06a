"""The throughput protocol from its models to its document; docs/throughput.md says why each step is there."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Any

import torch

from bench import __version__
from bench.models.trace import count_flops, count_parameters
from bench.profiler import device_name
from bench.throughput import anchor, estimate
from bench.throughput.configuration import Configuration
from bench.throughput.document import Anchor, Document, Measured, Settings, Visit
from bench.throughput.host import clocks, pinned
from bench.throughput.prepare import Prepared, prepare
from bench.throughput.rounds import energy_j_per_image, go_round, round_s
from bench.throughput.sensors import Sensors, open_sensors
from bench.throughput.subject import Subject, subjects
from bench.throughput.timer import Timer

UNSPLIT = "none of its parts is named trunk, encoder, backbone, fc6, head, classifier or decoder"


def measure(
    configurations: Sequence[Configuration],
    settings: Settings,
    device: torch.device,
    *,
    threads: int | None = None,
    sensors: Sensors | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Document:
    """Measure all models in one process; ``progress`` is told how far it is.

    Raises BenchError for a model that does not take its size, for models that do not fit into the memory, for too many threads.
    """
    begun, begin = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    timer, sensors = Timer(device), sensors or open_sensors(device)
    try:
        with _conditions(device, threads) as conditions:
            unit, made = subjects(configurations, settings, device)
            prepared = []
            for number, subject in enumerate(made, start=1):
                progress(f"warming up {subject.name}, {number} of {len(made)}")
                prepared.append(prepare(subject, settings, timer))
            warmed = prepare(unit, settings.model_copy(update={"batch": anchor.BATCH}), timer)
            unit.inputs.forget()  # the batches of the search; those that are used come again
            progress(f"{settings.rounds} rounds, about {settings.rounds * round_s(prepared, warmed, settings):.0f} s")
            visits, orders, readings = go_round(prepared, warmed, settings, timer, sensors, progress)
            bests = [estimate.best(each.batches, own) for each, own in zip(prepared, visits, strict=True)]
            energies = [energy_j_per_image(each, batch, timer, sensors) for each, batch in zip(prepared, bests, strict=True)]
            conditions |= {"cpu_after": clocks(conditions["cpus"])} if conditions.get("cpus") else {}
    finally:
        sensors.close()
    anchored = estimate.unit_of(visits, anchor.BATCH)
    return Document(
        begun=begun,
        seconds=time.perf_counter() - begin,
        settings=settings,
        device=device_name(device),
        conditions=conditions,
        sensors=sensors.source,
        readings=tuple(readings),
        anchor=_anchor(warmed, anchored),
        orders=tuple(orders),
        models=tuple(_measured(*each, anchored) for each in zip(configurations, prepared, visits, bests, energies, strict=True)),
    )


@contextmanager
def _conditions(device: torch.device, threads: int | None) -> Iterator[dict[str, Any]]:
    """What holds for all models of the call, set for its time."""
    stated = {
        "stridebench": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    if device.type != "cuda":
        with pinned(threads) as host:
            yield {**stated, **host}
        return
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True  # as in a cell: the quickest of cuDNN's algorithms, found in the burn-in
    torch.cuda.set_device(device)
    try:
        yield {
            **stated,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_benchmark": True,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
        }
    finally:
        torch.backends.cudnn.benchmark = before


def _measured(
    configuration: Configuration, one: Prepared, visits: list[Visit], best: int, energy: float | None, unit: estimate.Unit
) -> Measured:
    model = one.subject.model
    return Measured(
        label=configuration.label,
        height_px=configuration.size[0],
        width_px=configuration.size[1],
        model=configuration.spec.model_dump(mode="json"),
        num_classes=configuration.num_classes,
        **_facts(one.subject),
        output_stride=int(model.output_stride),
        burn_in=one.burn_in,
        search=one.search,
        visits=tuple(visits),
        latency=estimate.latency(visits, unit),
        fixed=estimate.speed(one.fixed, visits, unit) if one.fixed else None,
        best=estimate.speed(best, visits, unit),
        split=estimate.split(one.fixed, visits) if one.fixed else None,
        split_note=UNSPLIT if not one.splits else None if one.fixed else "the fixed batch does not fit into the memory",
        energy_j_per_image=energy,
        peak_memory_gib=one.peak_memory_gib,
    )


def _anchor(warmed: Prepared, unit: estimate.Unit) -> Anchor:
    return Anchor(
        name=anchor.NAME,
        version=anchor.VERSION,
        height_px=anchor.SIZE[0],
        width_px=anchor.SIZE[1],
        batch=anchor.BATCH,
        **_facts(warmed.subject),
        burn_in=warmed.burn_in,
        latency_p50_ms=1e3 * median([second for each in unit.latency_s for second in each]),
        images_per_s=estimate.rate(unit.batch, unit.batch_s),
    )


def _facts(subject: Subject) -> dict[str, Any]:
    return {"parameters": count_parameters(subject.model), "flops": count_flops(subject.model, subject.seen)}

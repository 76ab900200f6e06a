"""The rounds: every round visits every model once, in an order of its own, the anchor just before each."""

import random
from collections.abc import Callable

from bench.throughput.anchor import BATCH
from bench.throughput.document import Reading, Settings, Visit
from bench.throughput.parts import split_pass
from bench.throughput.prepare import Prepared
from bench.throughput.sensors import Sensors
from bench.throughput.timer import Timer

Progress = Callable[[str], None]
ENERGY_S = 2.0
"""Seconds over which energy is counted: a board's counter moves some ten times a second."""


def go_round(
    prepared: list[Prepared], unit: Prepared, settings: Settings, timer: Timer, sensors: Sensors, progress: Progress
) -> tuple[list[list[Visit]], list[tuple[int, ...]], list[Reading]]:
    """The visits of each model, the order of each round, and what the sensors said before, during and after."""
    chance, visits = random.Random(settings.seed), [list[Visit]() for _ in prepared]
    orders, readings = list[tuple[int, ...]](), [sensors.read("before")]
    for round_ in range(1, settings.rounds + 1):
        order = chance.sample(range(len(prepared)), len(prepared))
        orders.append(tuple(order))
        for index in order:
            visits[index].append(visit(prepared[index], unit, timer))
            readings.append(sensors.read(f"round {round_}, {prepared[index].subject.name}"))
        progress(f"round {round_} of {settings.rounds}")
    readings.append(sensors.read("after"))
    return visits, orders, [each for each in readings if each]


def visit(one: Prepared, unit: Prepared, timer: Timer) -> Visit:
    """All that is timed of a model in a round. A speed relative to the anchor is one of the same moment of the machine."""
    anchor_latency_s, anchor_s = singles(unit, timer), window(unit, BATCH, timer)
    latency_s = singles(one, timer)
    split_s = split(one, one.fixed, timer) if one.fixed and one.splits else None
    batches_s = {batch: window(one, batch, timer) for batch in one.batches}
    return Visit(anchor_latency_s=anchor_latency_s, anchor_s=anchor_s, latency_s=latency_s, batches_s=batches_s, split_s=split_s)


def singles(one: Prepared, timer: Timer) -> tuple[float, ...]:
    """Seconds of passes at batch 1, each waited for; the first, which finds the caches full of another model, is not counted."""
    call = one.subject.call(1)
    timer.seconds(call)
    return tuple(round(timer.seconds(call), 9) for _ in range(one.passes[1]))


def window(one: Prepared, batch: int, timer: Timer) -> tuple[float, ...]:
    """Seconds of passes back to back; a first one is not counted, unless a single pass fills the window."""
    call, passes = one.subject.call(batch), one.passes[batch]
    if passes > 1:
        timer.seconds(call)
    return timer.each(call, passes)


def split(one: Prepared, batch: int, timer: Timer) -> dict[str, float]:
    """The parts of a pass; here too a first one is not counted."""
    subject = one.subject
    if one.passes[batch] > 1:
        timer.seconds(subject.call(batch))
    return split_pass(subject.model, subject.images(batch), subject.precision, timer, one.passes[batch])


def round_s(prepared: list[Prepared], unit: Prepared, settings: Settings) -> float:
    """About how many seconds a round takes."""
    own = sum(_visit_s(each, settings) for each in prepared)
    return own + len(prepared) * _visit_s(unit, settings)


def _visit_s(one: Prepared, settings: Settings) -> float:
    pass_s = min(one.burn_in.windows_s)
    windows = [*one.batches, *([one.fixed] if one.fixed and one.splits else [])]
    return (one.passes[1] + 1) * pass_s + sum(max(settings.window_s, batch * pass_s) for batch in windows)


def energy_j_per_image(one: Prepared, batch: int, timer: Timer, sensors: Sensors) -> float | None:
    """Joules of the whole board an image at a batch; None where the device does not count them."""
    call, passes = one.subject.call(batch), one.passes[batch]
    begin = sensors.energy_j()
    if begin is None:
        return None
    spent = images = 0.0
    while spent < ENERGY_S:
        spent += passes * timer.seconds(call, passes)
        images += passes * batch
    end = sensors.energy_j()
    return None if end is None or end <= begin else (end - begin) / images

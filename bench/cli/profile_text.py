"""What `bench profile` prints: one line a model, its speed relative to the anchor first."""

from typing import Any

from bench.tables import Table
from bench.throughput.agreement import TOLERANCE, Difference
from bench.throughput.document import Document, Measured

PARTS = ("trunk", "head", "upsampling", "argmax", "rest")


def speed_table(made: Document) -> Table:
    """The summary of a document; its raw times stay in the file."""
    lines = [_line(each) for each in made.models]
    titles = ["of anchor", "model", "size", "img/s", "batch", "best img/s", "at", "p50 ms", "p90", "p99", *PARTS, "J/img", "GiB"]
    kept = [at for at, title in enumerate(titles) if title not in ("J/img", "GiB") or any(line[at] != "–" for line in lines)]
    return Table(
        titles=[titles[at] for at in kept],
        lines=[[line[at] for at in kept] for line in lines],
        records=[_record(each) for each in made.models],
        notes=_notes(made),
        warnings=_warnings(made),
        left=frozenset({"model"}),
    )


def agreement_table(found: list[Difference], one: str, two: str, beside: list[str]) -> Table:
    """The differences of two calls, and below them what there is to say ``beside``."""
    lines = [
        [f"{line.of_anchor:+.1%}", f"{line.raw:+.1%}", line.model, line.figure, "yes" if line.agrees else "NO"] for line in found
    ]
    records = [
        {"model": line.model, "figure": line.figure, "of_anchor": line.of_anchor, "raw": line.raw, "agrees": line.agrees}
        for line in found
    ]
    far = sum(not line.agrees for line in found)
    notes = [f"Second call over first; they agree where the speeds relative to the anchor lie within {TOLERANCE:.0%}."]
    notes += [] if one == two else [f"Devices: {one}; {two}."]
    warnings = [f"{far} of {len(found)} figures are further apart."] if far else []
    if one == two and (moved := sum(abs(line.raw) > TOLERANCE for line in found)):
        warnings.append(f"{moved} of {len(found)} raw speeds are further apart: the device was not as quick in both calls.")
    warnings += beside
    titles = ["of anchor", "raw", "model", "figure", "agrees"]
    return Table(titles, lines, records, notes, warnings, left=frozenset({"model", "figure"}))


def _line(one: Measured) -> list[str]:
    fixed = one.fixed
    whole = one.split.whole_ms if one.split else 0.0
    shares = [f"{getattr(one.split, f'{part}_ms') / whole:.0%}" if one.split else "–" for part in PARTS]
    return [
        f"{fixed.of_anchor.value:.3g} [{fixed.of_anchor.low:.3g}, {fixed.of_anchor.high:.3g}]" if fixed else "–",
        one.label,
        f"{one.height_px}x{one.width_px}",
        _short(fixed.images_per_s.value if fixed else None),
        str(fixed.batch) if fixed else "–",
        _short(one.best.images_per_s.value),
        str(one.best.batch),
        _short(one.latency.p50_ms),
        _short(one.latency.p90_ms),
        _short(one.latency.p99_ms),
        *shares,
        _short(one.energy_j_per_image),
        _short(one.peak_memory_gib),
    ]


def _record(one: Measured) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude={"visits", "burn_in", "search"})


def _notes(made: Document) -> list[str]:
    anchor, settings, found = made.anchor, made.settings, made.conditions
    unit = f"{anchor.name}, version {anchor.version}, {anchor.height_px}x{anchor.width_px} px, batch {anchor.batch}"
    where = [made.device, settings.precision]
    where += [f"{found['threads']} thread{'s' if found['threads'] > 1 else ''}, {found['pinning']}"] if "threads" in found else []
    if "governor" in found:
        where += [f"governor {found['governor'] or 'not given'}, {found['frequency_mhz'] or 'no'} MHz given"]
    return [
        f"of anchor: images a second over the anchor's ({unit}), which made {anchor.images_per_s.value:.4g}; 95 % over rounds.",
        f"{'; '.join(where)}; {settings.rounds} rounds, {made.seconds:.0f} s. Clocks, temperature and power: {made.sensors}.",
    ]


def _warnings(made: Document) -> list[str]:
    restless = [each.label for each in made.models if not each.burn_in.steady]
    restless += [] if made.anchor.burn_in.steady else ["the anchor"]
    said = [f"Never steady within {made.settings.burn_in_s:g} s of warming up: {', '.join(restless)}."] if restless else []
    apart = [each.label for each in made.models if each.split and not each.split.adds_up]
    said += [f"The parts do not add up to the whole within 5 %: {', '.join(apart)}."] if apart else []
    said += [f"No split of {each.label}: {each.split_note}." for each in made.models if each.split_note]
    said += [f"{each.label}: a batch of {made.settings.batch} does not fit." for each in made.models if each.fixed is None]
    slowed = sorted({reason for each in made.readings for reason in each.slowed_by or ()})
    if slowed:
        count = sum(bool(each.slowed_by) for each in made.readings)
        said.append(f"Slowed down by {', '.join(slowed)} in {count} of {len(made.readings)} readings.")
    return said


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"

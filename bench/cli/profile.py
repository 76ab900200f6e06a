"""`bench profile`: the throughput protocol over the models of a suite, and the comparison of two such calls."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.inspect import MOST_PX, spec_of, suite_named
from bench.cli.options import JsonOption
from bench.cli.printing import print_json, say, show
from bench.cli.profile_text import agreement_table, speed_table
from bench.errors import BenchError
from bench.expand import expand
from bench.specs import ProfileSpec
from bench.store import write_whole
from bench.throughput.agreement import changed, differences, left_out
from bench.throughput.configuration import Configuration, of_cells, told_apart, unweighted
from bench.throughput.document import Settings, read_document
from bench.trust import check_plugins, read_suite

if TYPE_CHECKING:
    import torch

Option = typer.Option
DEFAULTS = Settings()
MOST_MODELS = 64
"""In one process, whose memory holds the weights of all."""


def profile(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Suites, SUITE:label, or models of `bench list models`.", metavar="SUITE|MODEL...", show_default=False),
    ] = None,
    size: Annotated[
        tuple[int, int] | None, Option("--size", help="Unset: that of each cell's profile, or 256 256.", metavar="H W")
    ] = None,
    batch: Annotated[int | None, Option("--batch", min=1, max=32_768, help="Unset: the suite's profile.batch, or 8.")] = None,
    precision: Annotated[str | None, Option("--precision", help="fp32 or bf16. Unset: the suite's, or fp32.")] = None,
    device: Annotated[str | None, Option("--device", help="cpu, cuda:0, … Unset: the first GPU, or the CPU.")] = None,
    threads: Annotated[int | None, Option("--threads", min=1, help="On a CPU, each pinned. Unset: one a CPU.")] = None,
    rounds: Annotated[int, Option("--rounds", min=2, max=1000, help="Each visits every model once.")] = DEFAULTS.rounds,
    window: Annotated[float, Option("--window", min=0.001, max=60, help="Seconds a figure and visit.")] = DEFAULTS.window_s,
    burn_in: Annotated[float, Option("--burn-in", min=0.001, max=3600, help="Seconds a model at most.")] = DEFAULTS.burn_in_s,
    most_batch: Annotated[int, Option("--most-batch", min=1, max=32_768, help="End of the doubling.")] = DEFAULTS.most_batch,
    seed: Annotated[int, Option("--seed", min=0, help="Of the weights, the noise labelled, the order of rounds.")] = 0,
    settings: Annotated[
        list[str], Option("--set", help="A field of all the models named, or a suite's. Repeatable.", metavar="FIELD=VALUE")
    ] = [],  # noqa: B006  typer reads the default and never changes it
    out: Annotated[Path | None, Option("--out", help="The whole result as JSON.", metavar="FILE")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, Option("--compare", help="Hold two results against each other; measures nothing.", metavar="A B")
    ] = None,
    allow_plugins: Annotated[bool, Option("--allow-plugins", help="Run code that a model names.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure speed and where the time goes, all models side by side in interleaved rounds, relative to a fixed anchor."""
    if compare:
        if models or out:
            raise BenchError("--compare measures nothing; leave the models and --out out")
        return _compare(compare, as_json)
    if not models:
        raise BenchError("bench profile needs a suite or a model, or --compare A.json B.json")
    if size is not None and not 1 <= min(size) <= max(size) <= MOST_PX:
        raise BenchError(f"--size {size[0]} {size[1]}: sides are at least 1 and at most {MOST_PX} px")
    if out is not None:
        _writable(out)
    found, profiles = _configurations(models, size, settings, allow_plugins)
    chosen = Settings(
        batch=_common("batch", batch, profiles, DEFAULTS.batch),
        precision=_known_precision(_common("precision", precision, profiles, DEFAULTS.precision)),
        rounds=rounds,
        window_s=window,
        burn_in_s=burn_in,
        most_batch=most_batch,
        seed=seed,
    )
    place = _device(device)
    if threads and place.type != "cpu":
        raise BenchError(f"--threads {threads}: for a CPU, and this measures on {place}; leave it out")
    from bench.throughput.protocol import measure

    made = measure(found, chosen, place, threads=threads, progress=say)
    if out is not None:
        try:
            write_whole(out, (made.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}") from None
        say(f"{out} written")
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        show(speed_table(made))


def _writable(out: Path) -> None:
    """Raise BenchError for a place where nothing can be written, before minutes are spent."""
    if out.is_dir() or not out.parent.is_dir():
        raise BenchError(f"--out {out}: {'that is a folder' if out.is_dir() else f'there is no folder {out.parent}'}; name a file")
    try:
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}; name a file elsewhere") from None


def _compare(names: tuple[Path, Path], as_json: bool) -> None:
    """Exit code 1 where the relative speed of a model differs by more than the tolerance."""
    one, two = (read_document(name) for name in names)
    found = differences(one, two, names)
    beside = [*changed(one, two), *left_out(one, two, names)]
    table = agreement_table(found, one.device, two.device, beside)
    if as_json:
        print_json(table.records)
        for each in beside:
            say(each)
    else:
        show(table)
    if not all(each.agrees for each in found):
        raise typer.Exit(1)


def _configurations(
    names: list[str], size: tuple[int, int] | None, settings: list[str], allowed: bool
) -> tuple[list[Configuration], list[ProfileSpec]]:
    """What the names mean, each once, and the profile blocks of the suites among them."""
    found, profiles = dict[tuple[object, ...], Configuration](), list[ProfileSpec]()
    for name in dict.fromkeys(names):
        made, blocks = _named(name, size, settings, allowed)
        profiles += blocks
        for each in made:
            found.setdefault((each.spec.model_dump_json(), each.num_classes, each.size, each.channels_last), each)
    if not found:
        raise BenchError(f"{', '.join(names)}: there is no model of one's own to measure; name a suite that trains some")
    if len(found) > MOST_MODELS:
        raise BenchError(f"{len(found)} models are more than {MOST_MODELS} in one process; name some as SUITE:label")
    return told_apart(list(found.values())), profiles


def _named(
    name: str, size: tuple[int, int] | None, settings: list[str], allowed: bool
) -> tuple[list[Configuration], list[ProfileSpec]]:
    suite, _, label = name.rpartition(":")
    path = suite_named(name) or (suite_named(suite) if suite else None)
    if path is None:
        spec, num_classes = spec_of(name, settings, allowed)
        if spec is None:
            raise BenchError(f"{name} is a classifier, which labels no pixels; name a suite or one of `bench list models`")
        return [Configuration(spec.name, unweighted(spec), num_classes, size or (256, 256))], []
    cells = expand(read_suite(path, settings))
    if not suite_named(name):
        if label not in (known := list(dict.fromkeys(cell.model_label for cell in cells))):
            raise BenchError(f"{path} has no model {label!r}. It has {', '.join(known)}.")
        cells = [cell for cell in cells if cell.model_label == label]
    check_plugins(cells, path, allowed=allowed)
    return of_cells(cells, size, path), [cell.profile for cell in cells if cell.profile]


def _common(field: str, given: object, profiles: list[ProfileSpec], default: object) -> object:
    """The value of the call: as given, or what all profiles agree on."""
    values = {getattr(profile, field) for profile in profiles}
    if given is None and len(values) > 1:
        raise BenchError(f"the suites' profiles have {field} {' and '.join(map(str, sorted(values)))}; choose with --{field}")
    return given if given is not None else values.pop() if values else default


def _known_precision(value: object) -> str:
    if value not in ("fp32", "bf16"):
        raise BenchError(f"--precision {value}: fp32 or bf16")
    return str(value)


def _device(name: str | None) -> "torch.device":
    import torch

    there = [*(f"cuda:{index}" for index in range(torch.cuda.device_count())), "cpu"]
    wanted = name if name != "cuda" else "cuda:0"
    if wanted is not None and wanted not in there:
        raise BenchError(f"--device {name}: this machine has {', '.join(there)}")
    return torch.device(wanted or there[0])

"""`bench inspect`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from typer.core import TyperCommand

from bench.cli.inspect_text import show
from bench.cli.options import JsonOption, suite_path
from bench.cli.printing import print_json, say
from bench.data import entry_of
from bench.errors import BenchError, nearest
from bench.expand import expand
from bench.explain import describe
from bench.models import MODELS
from bench.specs import ModelSpec
from bench.store import write_whole
from bench.suite import Suite
from bench.trust import check_plugins, check_spec, read_suite
from bench.yamlfile import parse_setting

if TYPE_CHECKING:
    from torch import nn

LONGEST_PX = 640
"""Side of the image on which an effective field is measured, where the theoretical one is larger."""
MOST_PX = 32_768
"""The longest side there is: beyond anything sensible, as in a suite."""
CLASSES = 21
"""Classes of a segmentation model that no suite gives a data set."""


class SizeOption(TyperCommand):
    """Lets ``--size`` stand before the model, and take its two numbers with an x between them as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split 360x480 into two."""
        split: list[str] = []
        for place, each in enumerate(args):
            pair = re.fullmatch(r"(\d+)[x,](\d+)", each) if place and args[place - 1] == "--size" else None
            split += pair.groups() if pair else [each]
        return super().parse_args(ctx, split)


def inspect(
    models: Annotated[
        list[str],
        typer.Argument(
            help="torchvision classifiers, models of `bench list models`, or SUITE:label.", metavar="MODEL...", show_default=False
        ),
    ],
    size: Annotated[
        tuple[int, int] | None, typer.Option("--size", help="Unset: the canonical size, or 256 256.", metavar="H W")
    ] = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="A classifier as it is, not its convolutional form.")] = False,
    effective: Annotated[bool, typer.Option("--effective", help="Measure the effective receptive field by gradients.")] = False,
    picture: Annotated[Path | None, typer.Option("--picture", help="PNG of the effective receptive field.", metavar="FILE")] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Images of noise its gradients are averaged over.")] = 8,
    weights: Annotated[Path | None, typer.Option("--weights", help="A state dict of the model.", metavar="FILE")] = None,
    allow_plugins: Annotated[bool, typer.Option("--allow-plugins", help="Run code that the model names.")] = False,
    settings: Annotated[
        list[str],
        typer.Option("--set", help="A field of all the models named, e.g. stride=16. Repeatable.", metavar="FIELD=VALUE"),
    ] = [],  # noqa: B006  typer reads the default and never changes it
    as_json: JsonOption = False,
) -> None:
    """Print a model layer by layer, found out by running it: strides, compound kernels, receptive fields, cost."""
    if size is not None and not 1 <= min(size) <= max(size) <= MOST_PX:
        raise BenchError(f"--size {size[0]} {size[1]}: sides are at least 1 and at most {MOST_PX} px")
    if len(models) > 1 and (picture or weights):
        raise BenchError(f"--{'picture' if picture else 'weights'}: one file is for one model, and {len(models)} are given")
    if picture is not None and picture.suffix.lower() != ".png":
        raise BenchError(f"--picture {picture}: it is written as PNG; give a name that ends with .png")
    if picture is not None and not picture.parent.is_dir():
        raise BenchError(f"--picture {picture}: there is no folder {picture.parent}")
    measured = effective or picture is not None
    found = []
    for model in models:
        built, given, head, title = _build(model, size, as_is, measured, settings, allow_plugins, weights)
        from bench.models.inspection import inspect_model

        inspected = _refusing_small(lambda: inspect_model(built, given, head), model, given)  # noqa: B023  called at once
        facts = {"model": model, "form": title, **inspected}
        if measured:
            facts["effective"] = _effective(built, facts, given if size else None, images, picture, model)
        found.append(facts)
        if not as_json:
            show(facts)
    if as_json:
        print_json(found[0] if len(found) == 1 else found)


def _build(
    name: str, size: tuple[int, int] | None, as_is: bool, computed: bool, settings: list[str], allowed: bool, weights: Path | None
) -> tuple["nn.Module", tuple[int, int], tuple[str, ...], str]:
    """The model that a name means, the size it is shown at, the parts that make its head, and what it is in words."""
    spec, num_classes = spec_of(name, settings, allowed)
    import torch

    torch.manual_seed(0)  # an effective field is that of its weights, random ones included
    if spec is not None:
        from bench.memory import host_bytes
        from bench.models import build_model
        from bench.models.trace import count_parameters
        from bench.models.weights import load_file

        with torch.device("meta"):  # where the widest net costs nothing
            count = count_parameters(build_model(spec, num_classes))
        if 4 * count > host_bytes():
            raise BenchError(f"{name}: its {count:,} parameters are more than this machine's memory holds; choose a smaller one")
        built = build_model(spec, num_classes)
        if weights:
            load_file(built, weights)
        return built, size or (256, 256), (), f"{spec.name}, {num_classes} classes"
    from bench.models.classifiers import build_classifier, preprocessing
    from bench.models.convolutionalize import convolutionalize
    from bench.models.weights import load_file

    if settings:
        raise BenchError(f"--set {settings[0]}: torchvision's {name} has no fields; --set is for models of `bench list models`")
    classifier, canonical = build_classifier(name, meta=not (computed or weights)), preprocessing(name)["size"]
    if weights:
        load_file(classifier, weights)
    if as_is:
        return classifier.eval(), size or canonical, (), "classifier as it is"
    form = convolutionalize(classifier, canonical)
    return form, size or canonical, form.head, f"convolutional form of the classifier, canonical size {canonical[0]}x{canonical[1]}"


def spec_of(name: str, settings: list[str], allowed: bool) -> tuple[Any, int]:
    """The spec that a table's name, SUITE:label or a plug-in's name means; None for a torchvision classifier."""
    left, colon, label = name.rpartition(":")
    if colon and (path := suite_named(left)):
        return _from_suite(read_suite(path, settings), label, allowed)
    if not colon and name not in MODELS:
        from bench.models.classifiers import classifier_names

        if name not in classifier_names():
            known = [*MODELS, *classifier_names()]
            raise BenchError(
                f"no model {name!r}.{nearest(name, known)} It may be torchvision's, {', '.join(MODELS)}, or SUITE:label."
            )
        return None, 1000
    block: dict[str, Any] = {"name": name}
    for setting in settings:
        field, value = parse_setting(setting.removeprefix("model."), "field=value", "stride=16")
        block[field] = value
    try:
        spec: Any = TypeAdapter(ModelSpec).validate_python(block)
    except ValidationError as error:
        items = [dict(item) for item in error.errors()]
        where = ("models", "_", *error.errors()[0]["loc"][1:])
        text = describe(where, items, {"models": {"_": block}}, Suite)
        raise BenchError(f"{name}: {text.replace('models._', 'model')}") from None
    check_spec(spec, allowed=allowed)
    return spec, CLASSES


def suite_named(name: str) -> Path | None:
    """The suite file of that name, None for the name of a model."""
    try:
        path = suite_path(name)
    except BenchError:
        return None
    return path if path.is_file() or path.suffix in (".yaml", ".yml") else None  # an absent file is told of when it is read


def _from_suite(suite: Suite, label: str, allowed: bool) -> tuple[Any, int]:
    cells = expand(suite)
    found = {cell.model_label: cell for cell in reversed(cells)}
    if label not in found:
        raise BenchError(f"{suite.document.path} has no model {label!r}.{nearest(label, found)} It has {', '.join(found)}.")
    check_plugins([found[label]], suite.document.path, allowed=allowed)
    return found[label].model, entry_of(found[label].dataset).num_classes


def _refusing_small(run: Any, model: str, size: tuple[int, int]) -> Any:
    """Run what runs a model, and say so when the image is too small for it."""
    try:
        return run()
    except RuntimeError as error:
        text = str(error)
        if "too small" not in text and "Kernel size can't be greater" not in text:
            raise
        raise BenchError(
            f"{model} leaves nothing of an image of {size[0]}x{size[1]} ({text.splitlines()[0][:200].rstrip('. ')}). "
            "`bench inspect` without --size says what its smallest input is."
        ) from error


def _effective(
    model: "nn.Module", facts: dict[str, Any], size: tuple[int, int] | None, images: int, picture: Path | None, name: str
) -> dict[str, Any]:
    """Measure the effective field on an image that shows the whole theoretical one, if that is not too large."""
    from bench.memory import host_bytes
    from bench.models.effective import LEVEL, effective_field
    from bench.models.effective_picture import draw

    summary = facts["summary"]
    field = summary["receptive_field_px"]
    wanted = LONGEST_PX if field is None else max(field if isinstance(field, list) else [field])
    step = 2 * summary["output_stride"]
    side = max(min(LONGEST_PX, wanted + step), summary["height_px"])
    given = size or (side, side)
    if size and summary["activation_bytes"] > host_bytes():
        raise BenchError(
            f"--size {size[0]} {size[1]}: measuring takes {summary['activation_bytes'] / 2**30:,.0f} GiB of activations, and this "
            f"machine has {host_bytes() / 2**30:,.0f} GiB. Choose a smaller one, or leave --size out."
        )
    found = effective_field(model, given, images=images)
    facts_ = {
        "side_px": round(found.side_px, 1),
        "height_px": given[0],
        "width_px": given[1],
        "images": images,
        "level": LEVEL,
        "measure": "side of the square of the area whose mean absolute gradient is above 4.55 % of the largest",
    }
    if picture:
        try:
            write_whole(picture, draw(found, name, summary))
        except OSError as error:
            raise BenchError(f"--picture {picture}: cannot be written: {error.strerror or error}") from None
        say(f"{picture} written")
    return facts_

"""`bench data show`."""

from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import ValidationError

from bench.cli.data.named import FieldOption, NameArgument, one
from bench.cli.options import DATA, DataOption, suite_path
from bench.cli.printing import say
from bench.errors import BenchError, nearest
from bench.registry import load, lookup
from bench.specs import AugmentationSpec
from bench.suite import load_suite

VARIANTS = 3
"""Augmented versions beside every image."""


def show(
    name: NameArgument,
    settings: FieldOption = [],  # noqa: B006  typer reads the default and never changes it
    split: Annotated[str | None, typer.Option("--split", help="Unset: the split trained on.", metavar="SPLIT")] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=200, help="Images drawn at random.")] = 12,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment", help="Show each beside versions a training would see: '{flip: 0.5, elastic_px: 10}' or SUITE:NAME."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="PNG to write. Unset: NAME-SPLIT.png.", metavar="FILE")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed shows other images, and other versions.")] = 0,
    data_root: DataOption = DATA,
) -> None:
    """Write a contact sheet of images with their labels over them."""
    from bench.data.chance import generator
    from bench.data.show import Tile, contact_sheet

    named, recipe = one(name, settings), _recipe(augment) if augment is not None else None
    chosen = split or named.roles()["train"]
    samples = named.samples(data_root, chosen)
    order = generator(seed, "show").permutation(len(samples))[:count]
    picked = [samples[index] for index in sorted(order)]
    pairs = [load(named.entry.decode)(sample, named.entry, named.spec) for sample in picked]
    tiles = [Tile(pair, sample.id) for pair, sample in zip(pairs, picked, strict=True)]
    title = f"{named.label} {chosen}: {len(picked)} of {len(samples)} images"
    if recipe is None:
        rows = [tiles[begin : begin + 3] for begin in range(0, len(tiles), 3)]
    else:
        from bench.data.variants import variants

        drawn = variants(pairs, recipe, VARIANTS, seed)
        rows = [
            [tile, *(Tile(pair, f"version {number}") for number, pair in enumerate(versions, start=1))]
            for tile, versions in zip(tiles, drawn, strict=True)
        ]
        title += f", and {VARIANTS} versions of each under {_written(recipe)}"
    file = out or Path(f"{named.file_name()}-{chosen}.png")
    try:
        contact_sheet(rows, named.entry, title).save(file)
    except (OSError, ValueError) as error:
        raise BenchError(f"--out {file}: cannot be written: {error}") from None
    say(f"wrote {file}")


def _written(recipe: AugmentationSpec) -> str:
    """A recipe as a suite would have it, on one line."""
    return str(yaml.safe_dump(recipe.model_dump(mode="json", exclude_defaults=True), default_flow_style=True, width=1000)).strip()


def _recipe(text: str) -> AugmentationSpec:
    """An augmentation as written on the command line, or one of a suite by name; raises BenchError for neither."""
    if not text.lstrip().startswith("{"):
        suite, colon, label = text.rpartition(":")
        if not colon:
            raise BenchError(f"--augment {text}: expected a mapping such as '{{flip: 0.5}}', or SUITE:NAME.")
        return lookup("augmentation", load_suite(suite_path(suite)).augmentations, label)
    try:
        return AugmentationSpec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        raise BenchError(f"--augment {text}: not valid YAML. Write it like '{{flip: 0.5, elastic_px: 10}}'.") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "it"
        if ":" in field:
            key, _, value = field.partition(":")
            raise BenchError(f"--augment {text}: a space is missing after a colon: write {{{key}: {value}}}.") from None
        hint = nearest(field, AugmentationSpec.model_fields) if first["type"] == "extra_forbidden" else ""
        raise BenchError(f"--augment: {field}: {first['msg']}.{hint}") from None

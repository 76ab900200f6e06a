"""`bench heatmap`."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench.cli.options import JsonOption
from bench.cli.printing import print_json, say
from bench.errors import BenchError, nearest
from bench.store import write_whole


def heatmap(
    model: Annotated[str, typer.Argument(help="A torchvision classifier.", show_default=False)],
    image: Annotated[Path, typer.Argument(help="A photograph.", show_default=False)],
    class_: Annotated[
        str, typer.Option("--class", help="An ImageNet class: its name or its number.", metavar="NAME", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Unset: IMAGE.heatmap.png, here; at most 2048 px a side.", metavar="PNG")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A state dict. Unset: torchvision's own.", metavar="FILE")
    ] = None,
    side: Annotated[
        int | None, typer.Option("--side", min=1, help="Bring the shorter side to so many pixels first.", metavar="PX")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw where on a photograph a classifier sees a class: its convolutional form, slid over the whole of it."""
    from bench.models.classifiers import class_names, preprocessing

    facts = preprocessing(model)
    index = _class(class_, class_names(model))
    place = out or Path(f"{image.stem}.heatmap.png")  # never among the files of a data set
    if not place.parent.is_dir():
        raise BenchError(f"--out {place}: there is no folder {place.parent}")
    if place.is_dir():
        raise BenchError(f"--out {place}: that is a folder; name a file, such as {place / f'{image.stem}.heatmap.png'}")
    pixels = _read(image, side)
    if any(given < least for given, least in zip(pixels.shape[:2], facts["size"], strict=True)):
        raise BenchError(
            f"{image} has {pixels.shape[0]}x{pixels.shape[1]} pixels, and {model} wants at least "
            f"{facts['size'][0]}x{facts['size'][1]}. Enlarge it with --side {max(facts['size'])}."
        )
    from bench.models.heat import draw, heat_map

    found = heat_map(model, pixels, index, weights, say)
    write_whole(place, draw(found, pixels, model, class_names(model)[index]))
    result: dict[str, Any] = {
        "model": model,
        "class": class_names(model)[index],
        "index": index,
        **found.facts(),
        "picture": str(place),
    }
    if as_json:
        print_json(result)
        return
    row, column = result["peak_px"]
    say(
        f"{result['class']}: {result['units'][0]}x{result['units'][1]} units of stride {result['stride_px'][0]:g} px, "
        f"probability {result['peak']:.3f} at most, about row {row:g}, column {column:g}"
    )
    print(place)


def _class(given: str, names: list[str]) -> int:
    if given.isdecimal():
        if int(given) >= len(names):
            raise BenchError(f"--class {given}: classes are numbered 0 to {len(names) - 1}")
        return int(given)
    places = {name.lower(): index for index, name in enumerate(names)}
    if given.lower() not in places:
        holding = [name for name in names if given.lower() in name.lower()][:5]
        hint = f" These have it in their names: {', '.join(holding)}." if holding else nearest(given, names)
        raise BenchError(f"--class {given}: no such class of ImageNet.{hint} A number from 0 to {len(names) - 1} will do as well.")
    return places[given.lower()]


def _read(path: Path, side: int | None) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            photograph = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BenchError(f"{path}: cannot be read as an image: {error}") from error
    if side:
        factor = side / min(photograph.size)
        width, height = (round(each * factor) for each in photograph.size)
        if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:  # as for what is read
            raise BenchError(f"--side {side}: {height}x{width} px are more than {Image.MAX_IMAGE_PIXELS:,}; choose a smaller side")
        photograph = photograph.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(photograph)

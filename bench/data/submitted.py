"""Label maps that others predicted: found by name, read, and checked against the truth; every defect is a sentence.

A map is a PNG of class ids (grey of 8 or 16 bits, or a palette's indices) or of the data set's colours, at the size of the label.
Whatever is wrong is told and nothing is mended: a resized or rounded map would be scored as somebody's result.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.decode import VOID, Array
from bench.data.depth import SPREAD, raw_mode, too_deep
from bench.data.samples import Sample
from bench.errors import BenchError, nearest
from bench.registry import DatasetEntry

COLOUR = 1 << 24
MOST_HINTS = 20


@dataclass(frozen=True)
class Defect:
    """What is wrong with one file of a submission."""

    file: str
    """Path below the submission's folder."""
    reason: str


class Defective(Exception):
    """The reason why a file is no prediction."""


def submissions(folder: Path, samples: list[Sample], suffix: str) -> dict[str, Path]:
    """The models of a folder: itself, or, when its PNGs all lie in sub-folders, each of them by its name.

    Raises BenchError for a folder without any PNG.
    """
    if not folder.is_dir():
        raise BenchError(f"--predictions {folder}: {'is a file' if folder.exists() else 'no such folder'}. Name a folder of PNGs.")
    if any(_pngs(folder, deep=False)) or any((folder / _file(sample, suffix)).exists() for sample in samples):
        return {folder.resolve().name: folder}
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    found = {each.name: each for each in inside if any(_pngs(each))}
    if not found:
        raise BenchError(
            f"--predictions {folder}: holds no PNG, and no folder with PNGs. "
            f"Expected one an image, such as {_file(samples[0], suffix)}."
        )
    return found


def match(folder: Path, samples: list[Sample], suffix: str) -> tuple[dict[str, Path], list[Defect]]:
    """The file of every image that has one, by the image's id, and a defect for every image without and every file too many."""
    there = {path.relative_to(folder).as_posix(): path for path in _pngs(folder)}
    for file in [each for each in there if not each.endswith(".png")]:  # im.PNG is im.png, unless that is there too
        if (lower := f"{file[:-4]}.png") not in there:
            there[lower] = there.pop(file)
    wanted = {_file(sample, suffix): sample.id for sample in samples}
    found = {id_: there[file] for file, id_ in wanted.items() if file in there}
    surplus = sorted(there.keys() - wanted.keys())
    unused = {each.removesuffix(Path(each).suffix): each for each in surplus}
    defects = [Defect(file, _missing(folder, file, unused)) for file in wanted if file not in there]
    hints = {file: nearest(file, wanted.keys() - there.keys()) for file in surplus[:MOST_HINTS]}  # each looks at every name
    defects += [Defect(file, f"no image of the split has this name.{hints.get(file, '')}") for file in surplus]
    return found, defects


def _missing(folder: Path, file: str, unused: dict[str, str]) -> str:
    """Why there is no such file, as far as its neighbours tell."""
    stem = file.removesuffix(".png")
    for other in (".jpg", ".jpeg", ".npy", ".tif", ".tiff", ".bmp"):
        if (folder / stem).with_name(Path(stem).name + other).exists():
            return f"missing; {Path(stem).name}{other} is there, and predictions are PNGs, which keep every id as it is"
    longer = sorted(each for each in unused if each.startswith(stem))
    if longer and (rest := longer[0].removeprefix(stem)):
        return f"missing; {unused[longer[0]]} is there: if all names end so, say --suffix {rest}"
    return "missing"


def _file(sample: Sample, suffix: str) -> str:
    return f"{sample.id}{suffix}.png"


def _pngs(folder: Path, deep: bool = True) -> Iterable[Path]:
    found = folder.rglob("*") if deep else folder.iterdir()
    return (path for path in found if path.suffix.lower() == ".png" and not _hidden(path.relative_to(folder)) and path.is_file())


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def checked(path: Path, label: Array, entry: DatasetEntry) -> Array:
    """A prediction as (H, W) uint8 class ids beside its label; 255 where it names no class, which may be under void alone.

    Raises Defective with the reason for a file that cannot be scored.
    """
    values = _values(path, entry)
    if values.shape != label.shape:
        raise Defective(_wrong_size(values.shape, label.shape))
    ids = np.where(values < entry.num_classes, values, VOID).astype(np.uint8)
    labelled = label != VOID
    lost = values[labelled & (ids == VOID)]
    if lost.size:
        raise Defective(_no_class(lost, int(labelled.sum()), entry))
    return ids


def _values(path: Path, entry: DatasetEntry) -> NDArray[np.int64]:
    """The (H, W) ids of a file; a colour that is no class's stands there as `COLOUR` + its 24 bits."""
    try:
        with Image.open(path) as picture:
            stored = raw_mode(picture)
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise Defective(f"cannot be read as an image: {str(error).splitlines()[0]}") from None
    if picture.format != "PNG":
        raise Defective(f"is a {picture.format} under a PNG's name; save the ids as PNG, which keeps every one as it is")
    if too_deep(picture, stored):
        raise Defective(f"has {picture.mode!r} pixels deeper than 8 bits; save the ids as a PNG with one channel")
    if picture.mode == "1" and entry.num_classes > 2:
        raise Defective(f"has 1 bit a pixel, which tells 2 of {entry.num_classes} classes apart; save the ids as grey of 8 bits")
    mode, array = picture.mode, np.array(picture) // SPREAD.get(stored, 1)
    if mode in ("RGBA", "LA"):
        if (array[..., -1] != 255).any():
            raise Defective("is partly transparent; a prediction names a class at every pixel. Save it without transparency.")
        mode, array = ("RGB", array[..., :3]) if mode == "RGBA" else ("L", array[..., 0])
    if mode == "P":
        _consistent(picture, array, entry)
    return _from_colours(array, entry) if mode == "RGB" else array.astype(np.int64)


def _from_colours(array: Array, entry: DatasetEntry) -> NDArray[np.int64]:
    """Colours (H, W, 3) to the ids of the data set's palette."""
    red, green, blue = np.moveaxis(array.astype(np.int64), -1, 0)
    values = COLOUR + (red << 16 | green << 8 | blue)
    for class_, (r, g, b) in enumerate(entry.palette):
        values[values == COLOUR + (r << 16 | g << 8 | b)] = class_
    return values


def _consistent(picture: Image.Image, indices: Array, entry: DatasetEntry) -> None:
    """See that a palette of the data set's colours has them in the data set's order: an image program may have sorted them.

    Indices are what counts. A palette of other colours, which every library invents for itself, says nothing.
    """
    colours = np.array(picture.getpalette("RGB") or [], np.int64).reshape(-1, 3)
    classes = {colour: class_ for class_, colour in enumerate(entry.palette)}
    used = [int(index) for index in np.unique(indices) if index < min(len(colours), VOID) and index != entry.ignore_index]
    meant = {index: classes.get(tuple(colours[index].tolist())) for index in used}
    clash = [(index, class_) for index, class_ in meant.items() if class_ != index]
    if clash and None not in meant.values():
        index, class_ = clash[0]
        raise Defective(
            f"its palette gives index {index} the colour of class {class_} ({entry.class_names[class_ or 0]}), so either the "
            "indices or the colours are wrong. Save it as grey ids or as RGB colours."
        )


def _wrong_size(given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    turned = " Height and width are swapped." if given == wanted[::-1] != given[::-1] else ""
    return (
        f"is {given[0]}x{given[1]} (height x width), its label {wanted[0]}x{wanted[1]}.{turned} Predictions are scored at the "
        "label's size and never resized here: enlarge the class scores before the argmax, or the ids by nearest neighbour."
    )


def _no_class(lost: NDArray[np.int64], labelled: int, entry: DatasetEntry) -> str:
    """Which values name no class where the truth does, the most frequent first, and what that looks like."""
    values, counts = np.unique(lost, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    told = ", ".join(f"{_value(int(values[each]))} on {counts[each]}" for each in order[:3])
    text = f"{told}{', …' if len(values) > 3 else ''} of {labelled} labelled pixels: no class"
    worst, classes = int(values[order[0]]), entry.num_classes
    if worst >= COLOUR and (worst & 255) * 0x010101 == worst - COLOUR and worst & 255 < classes:
        return f"{text}. Are these ids in three channels? Save one of them."
    if worst >= COLOUR:
        return f"{text}. Colours must be exactly the data set's; blended ones come from resizing or JPEG."
    text += f", they are 0 to {classes - 1}."
    if worst == VOID and classes == 2:
        return f"{text} Is this a mask of 0 and 255? The ids are 0 and 1."
    if worst in (VOID, entry.ignore_index):
        shifted = " Or do the ids begin at 1?" if worst == classes else ""
        return f"{text} A prediction names a class wherever the truth does; void is for pixels whose truth is void.{shifted}"
    if worst == classes:
        return f"{text} Do the ids begin at 1?"
    return f"{text} Are these the data set's original ids? Predictions hold the ids that are trained on."


def _value(value: int) -> str:
    return f"colour ({value >> 16 & 255}, {value >> 8 & 255}, {value & 255})" if value >= COLOUR else f"id {value}"

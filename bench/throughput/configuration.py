"""What is measured: models at sizes, each once, whatever else the cells of a suite vary. Imports no torch."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bench.cell import Cell
from bench.data import entry_of
from bench.errors import BenchError


@dataclass(frozen=True)
class Configuration:
    """A model at a size of image, (height, width) in pixels."""

    label: str
    spec: Any
    num_classes: int
    size: tuple[int, int]
    channels_last: bool = True

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.label} {self.size[0]}x{self.size[1]}"


def of_cells(cells: Iterable[Cell], size: tuple[int, int] | None, source: object) -> list[Configuration]:
    """The distinct configurations of a suite's cells, in their order, at one size or at those of their profiles.

    Raises BenchError for a cell whose profile has no size of its own where none is given.
    """
    found: dict[tuple[Any, ...], Configuration] = {}
    for cell in cells:
        if cell.external:
            continue
        given = size or (cell.profile.size if cell.profile else None)
        if given is None:
            raise BenchError(f"{source}: {cell.model_label} has no profile.size; say the size of the images with --size H W")
        num_classes = entry_of(cell.dataset).num_classes
        spec = unweighted(cell.model)
        key = (spec.model_dump_json(), num_classes, given, cell.recipe.channels_last)
        varied = [f"{path.removeprefix('model.')}={value}" for path, value in cell.axes if path.startswith("model.")]
        label = " · ".join([cell.model_label, *varied])
        found.setdefault(key, Configuration(label, spec, num_classes, given, cell.recipe.channels_last))
    return list(found.values())


def told_apart(found: list[Configuration]) -> list[Configuration]:
    """The same under names that occur once: the lines of tables, and of two results, are found by them.

    Where a name occurs twice the number of classes is added; raises BenchError where that does not help.
    """
    names = Counter(each.name for each in found)
    made = [replace(each, label=f"{each.label} · {each.num_classes} classes") if names[each.name] > 1 else each for each in found]
    for name, count in Counter(each.name for each in made).items():
        if count > 1:
            raise BenchError(f"{name} is the name of {count} different models here; measure them in calls of their own")
    return made


def unweighted(spec: Any) -> Any:
    """The same model with random weights: they change no time, and none are fetched."""
    fields = ("init_from", "weights", "encoder_weights")
    return spec.model_copy(update={name: None for name in fields if name in type(spec).model_fields})

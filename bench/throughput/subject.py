"""A model on a device, ready to label noise."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.memory import host_bytes, out_of_memory
from bench.models import build_model
from bench.models.shapes import REFUSALS
from bench.models.trace import count_parameters
from bench.throughput.anchor import SIZE, anchor
from bench.throughput.configuration import Configuration
from bench.throughput.document import Settings
from bench.throughput.timer import label_maps


class Inputs:
    """Noise to be labelled, (B, 3, H, W), one tensor for all models of a size."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device, self.seed, self.made = device, seed, dict[tuple[int, ...], Tensor]()

    def of(self, batch: int, size: tuple[int, int]) -> Tensor:
        """A batch of that many images."""
        key = (batch, *size)
        if key not in self.made:
            generator = torch.Generator(self.device).manual_seed(self.seed)
            images = torch.rand(batch, 3, *size, device=self.device, generator=generator)
            self.made[key] = images.contiguous(memory_format=torch.channels_last)
        return self.made[key]

    def forget(self) -> None:
        """Free the memory of all there are."""
        self.made.clear()


class Subject:
    """A model and how it is called; one with a margin is given as much more, so that an image of the size is labelled."""

    def __init__(
        self, name: str, model: nn.Module, size: tuple[int, int], inputs: Inputs, precision: str, *, last: bool = True
    ) -> None:
        memory_format = torch.channels_last if last else torch.contiguous_format
        self.name, self.inputs, self.precision = name, inputs, precision
        self.model = model.to(device=inputs.device, memory_format=memory_format).eval()  # type: ignore[call-overload]
        self.seen = (size[0] + 2 * int(getattr(model, "margin", 0)), size[1] + 2 * int(getattr(model, "margin", 0)))

    def images(self, batch: int) -> Tensor:
        """What a pass labels."""
        return self.inputs.of(batch, self.seen)

    def call(self, batch: int) -> Callable[[], Tensor]:
        """One pass over a batch."""
        images = self.images(batch)
        return lambda: label_maps(self.model, images, self.precision)


def subjects(configurations: Iterable[Configuration], settings: Settings, device: torch.device) -> tuple[Subject, list[Subject]]:
    """The anchor, and all models with random weights; each has labelled an image.

    Raises BenchError for models that do not fit into the memory together, and for one that does not take images of its size.
    """
    inputs, made = Inputs(device, settings.seed), list[Subject]()
    unit = Subject("the anchor", anchor(), SIZE, inputs, settings.precision)
    needed = 0
    for each in configurations:
        with torch.device("meta"):  # where the widest net costs nothing
            needed += 4 * count_parameters(build_model(each.spec, each.num_classes))
        if needed > host_bytes():
            raise BenchError(f"{each.name}: with it the models are larger than this machine's memory; measure fewer in one call")
        torch.manual_seed(settings.seed)
        try:
            model = build_model(each.spec, each.num_classes)
            made.append(Subject(each.name, model, each.size, inputs, settings.precision, last=each.channels_last))
            made[-1].call(1)()
        except REFUSALS as error:
            if isinstance(error, BenchError):
                raise
            raise _told(each, error, device) from error
    return unit, made


def _told(configuration: Configuration, error: Exception, device: torch.device) -> BenchError:
    if out_of_memory(error):
        return BenchError(
            f"{configuration.name}: one image does not fit into the memory of {device}; choose a smaller --size, or fewer models"
        )
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300].rstrip(". ")
    return BenchError(f"{configuration.name}: does not label an image of that size ({reason}). Choose another --size.")

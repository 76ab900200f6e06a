"""Where the time of a pass goes: trunk, head, upsampling, argmax.

The trunk is all up to the end of the part named ``trunk``, ``encoder`` or ``backbone``, padding the images included; in a network
without such a part, all up to the beginning of ``fc6``, ``head``, ``classifier`` or ``decoder``. After it, upsampling is every
interpolation and every transposed convolution, and the head is everything else. Argmax is what turns logits into a class map.
An interpolation is noticed where it is torch's layer or called as ``F.interpolate``; under another name it counts to the head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.fcn_paper import Bilinear
from bench.models.upsample import Upsample
from bench.throughput.timer import Timer

PARTS = ("trunk", "head", "upsampling", "argmax")
TRUNKS, HEADS = {"trunk", "encoder", "backbone"}, {"fc6", "head", "classifier", "decoder"}
LAYERS = (nn.Upsample, nn.ConvTranspose2d, nn.PixelShuffle, Upsample, Bilinear)


def boundary(model: nn.Module) -> tuple[nn.Module, bool] | None:
    """The part at which the trunk ends, and whether with it (True) or before it; None where no part's name tells."""
    parts = sorted(model.named_modules(), key=lambda named: named[0].count("."))  # stable: outer parts first
    for names, ends in ((TRUNKS, True), (HEADS, False)):
        for name, part in parts:
            if name and name.rpartition(".")[2] in names:
                return part, ends
    return None


class Marks:
    """The moments at which passes go over from one part to another."""

    def __init__(self, timer: Timer) -> None:
        self.timer, self.marks, self.ground = timer, list[tuple[str, Any]](), "trunk"

    def enter(self, part: str) -> None:
        """From now on it is this part."""
        if not self.marks or self.marks[-1][0] != part:
            self.marks.append((part, self.timer.now()))

    def begin_head(self) -> None:
        """The trunk is done."""
        self.ground = "head"
        self.enter("head")

    def begin_trunk(self) -> None:
        """A trunk that is called again is a trunk again."""
        self.ground = "trunk"
        self.enter("trunk")

    @contextmanager
    def upsampling(self) -> Iterator[None]:
        """What a trunk interpolates within itself is its own affair."""
        ground = self.ground
        if ground != "head":
            yield
            return
        self.ground = "upsampling"  # so that what lies within marks nothing
        self.enter("upsampling")
        yield
        self.ground = ground
        self.enter(ground)

    def seconds(self) -> dict[str, float]:
        """Seconds in each part, up to the last mark."""
        found = dict.fromkeys(PARTS, 0.0)
        for (part, begin), (_, end) in pairwise(self.marks):
            found[part] += self.timer.between(begin, end)
        return found


@torch.inference_mode()
def split_pass(model: nn.Module, images: Tensor, precision: str, timer: Timer, passes: int = 1) -> dict[str, float]:
    """Mean seconds that a pass spends in each of `PARTS`, over several back to back; the model has a `boundary`."""
    marks = Marks(timer)
    with _hooked(model, marks):
        for _ in range(passes):
            marks.begin_trunk()
            # Once a pass, as in `label_maps`: within one autocast the weights are rounded only once.
            with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
                logits = model(images)
                marks.enter("argmax")
                _ = logits.max(1).indices
        marks.enter("end")
    return {part: seconds / passes for part, seconds in marks.seconds().items()}


@contextmanager
def _hooked(model: nn.Module, marks: Marks) -> Iterator[None]:
    """The model tells of its trunk and of its layers that upsample."""
    found = boundary(model)
    assert found is not None
    part, ends = found
    opened, handles = list[Any](), list[Any]()
    if ends:
        handles += [part.register_forward_pre_hook(lambda *_: marks.begin_trunk())]
        handles += [part.register_forward_hook(lambda *_: marks.begin_head())]
    else:
        handles += [part.register_forward_pre_hook(lambda *_: marks.begin_head())]

    def enter(*_: Any) -> None:
        opened.append(marks.upsampling())
        opened[-1].__enter__()

    def leave(*_: Any) -> None:
        opened.pop().__exit__(None, None, None)

    for layer in model.modules():
        if isinstance(layer, LAYERS):
            handles += [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]
    interpolate = F.interpolate

    def marked(*arguments: Any, **options: Any) -> Tensor:
        with marks.upsampling():
            return interpolate(*arguments, **options)

    # Interpolations are often no layers. A TorchFunctionMode would notice them too, but takes a tenth of a small network's time.
    setattr(F, "interpolate", marked)  # noqa: B010  mypy takes no assignment to a function
    try:
        yield
    finally:
        setattr(F, "interpolate", interpolate)  # noqa: B010
        for handle in handles:
            handle.remove()

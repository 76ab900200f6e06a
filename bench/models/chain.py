"""A classifier as the chain of layers it runs before its end, each with its grid: found by tracing, whatever is in the layers."""

from typing import NamedTuple

from torch import Tensor, fx, nn
from torch.nn import functional

from bench.models.grids import Tap
from bench.models.shapes import evaluating
from bench.models.walk import Walked, walk

SIDE_PX = 256
"""A side at which every classifier has units to its end; where its grids lie does not depend on it."""


class Link(NamedTuple):
    """One layer of a chain and the grid of what it gives."""

    layer: nn.Module
    tap: Tap


def chain(classifier: nn.Module) -> list[Link]:
    """What a classifier runs on a grid, up to its global pooling or its first dense layer."""
    links = _Chain(_layers(classifier))
    walk(links, SIDE_PX, SIDE_PX)
    return links.found


class _Tracer(fx.Tracer):
    """Sees the parts of a classifier and not into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _layers(classifier: nn.Module) -> list[nn.Module]:
    layers: list[nn.Module] = []
    with evaluating(classifier):
        graph = _Tracer().trace(classifier)
    for node in graph.nodes:
        if node.op == "call_module":
            part = classifier.get_submodule(str(node.target))
            if any(isinstance(each, (nn.AdaptiveAvgPool2d, nn.Linear)) for each in (part, *part.children())):
                break
            layers.append(part)
        elif node.target is functional.relu:  # DenseNet's last activation is in its forward pass alone
            layers.append(nn.ReLU(inplace=True))
        elif node.op != "placeholder":
            break
    return layers


class _Chain(nn.Module):
    """Runs layers one after the other and notes their grids; a Sequential that goes through several grids is its own layers."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.found: list[Link] = []

    def forward(self, image: Walked) -> Tensor:
        value: Tensor = image
        stride = 1
        for part in self.parts:
            inside: list[Link] = []
            for layer in part if isinstance(part, nn.Sequential) else [part]:
                value = layer(value)
                inside.append(Link(layer, _tap(value)))
            several = len({link.tap.stride for link in inside} - {stride}) > 1
            self.found += inside if several else [Link(part, inside[-1].tap)]
            stride = inside[-1].tap.stride
        return value


def _tap(value: Tensor) -> Tap:
    """Where the units of a traced (B, C, h, w) tensor lie."""
    assert isinstance(value, Walked)
    rows, columns = value.grid.rows, value.grid.columns
    # As in every classifier of square images, whose paths meet in one place and have one size map.
    assert rows.sizes is not None and not rows.apart_px
    assert (rows.stride, rows.centre_px, rows.sizes) == (columns.stride, columns.centre_px, columns.sizes)
    return Tap(int(rows.stride), int(value.shape[1]), float(rows.centre_px), rows.sizes.kernel)

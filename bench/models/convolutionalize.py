"""A classifier as a fully convolutional network with the same weights (Long, Shelhamer, Darrell, CVPR 2015, section 3.1).

What a classifier does at its end with the whole of an image of its canonical size, its convolutional form does at every place
with a window of that extent: a dense layer becomes a convolution of its input's size, a global pooling a pooling of that window.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench.errors import BenchError
from bench.models.classifiers import build_classifier, canonical_size
from bench.models.shapes import evaluating, run_on_shapes
from bench.models.walk import Step, walk

Size = tuple[int, int]
WINDOWS = {"conv", "max pool", "average pool", "global pool", "dense", "add", "concat"}
"""What a convolutional form may consist of; a dense layer that is left weighs channels alone."""


class Convolutional(fx.GraphModule):
    """(B, 3, H, W) images to (B, classes, h, w) scores, a heat map a class; h = w = 1 at the canonical size.

    For inference: it is what the classifier runs in evaluation mode, and its parts keep their names.
    """

    size: Size
    """The canonical (height, width)."""
    head: tuple[str, ...]
    """Names of the parts that take the place of dense layers and global pooling."""


def convolutionalize(classifier: nn.Module | str, size: Size | None = None) -> Convolutional:
    """The convolutional form of a torchvision classifier, or of the one of that name, sharing the weights it is given.

    ``size`` is the canonical (height, width); unset, that of torchvision's own weights for this network. At it the result equals
    the classifier's up to rounding. Pooling inside squeeze-and-excitation (MobileNetV3, EfficientNet) stays global: it sees the
    whole of whatever image it is given. Raises BenchError for a network that mixes positions by other means, such as attention.
    """
    classifier = build_classifier(classifier) if isinstance(classifier, str) else classifier
    size = size or canonical_size(classifier)
    name = type(classifier).__name__
    with evaluating(classifier):
        _only_windows(classifier, size, name)
        model = Convolutional(classifier, fx.Tracer().trace(classifier))
    run_on_shapes(_Shapes(model), size)
    model.head, model.size = tuple(_convert(model, name)), size
    made = run_on_shapes(model.eval(), size)
    if made.dim() != 4:
        raise BenchError(f"{name} cannot be made convolutional: it leaves the grid before its end")
    return model


class _Shapes(nn.Module):
    """Runs a traced graph node by node and notes the shape of every tensor in its node."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image: Tensor) -> None:
        class Noting(fx.Interpreter):
            def run_node(self, n: fx.Node) -> Any:
                made = super().run_node(n)
                if isinstance(made, Tensor):
                    n.meta["shape"] = made.shape
                return made

        Noting(self.graph).run(image)


def _only_windows(model: nn.Module, size: Size, name: str) -> None:
    """Refuse what no window could do; a classifier may be flattened, if nothing but dense layers follow."""
    flat: Step | None = None
    for step in walk(model, *size).steps:
        if step.kind == "flatten" and flat is None:
            flat = step
        elif (flat and step.kind != "dense") or step.kind not in WINDOWS:
            mixing = flat or step
            raise BenchError(
                f"{name} cannot be made convolutional: {mixing.name} mixes positions ({mixing.kind}), which is no window that "
                "could slide over a larger image"
            )


def _convert(module: fx.GraphModule, name: str) -> Iterator[str]:
    """Turn the end of a traced classifier, from where it leaves the grid, into windows; yields the names of the new parts."""
    chain = _chain(module)
    before = here = _shape(_inputs(chain[0])[0]) if chain else torch.Size()
    if len(here) != 4:
        raise BenchError(f"{name} cannot be made convolutional: its end is not computed from a grid of features")
    shapes = [_shape(node) for node in chain]
    for node, made in zip(chain, shapes, strict=True):
        layer = _layer(module, node)
        if isinstance(layer, nn.Linear) and len(made) == 2:
            yield _replace(module, node, _dense(layer, tuple(here)))
            here = torch.Size((1, layer.out_features, 1, 1))
        elif _is_pool(node, layer) and made.numel() < here.numel():
            yield _replace(module, node, _window(layer, here, made, name))
            here = torch.Size((1, here[1], 1, 1))
        elif _is_pool(node, layer) or (made != before and len(made) < 4):
            _skip(module, node)  # pooled to the size it has, or flattened
        elif len(made) == 4:
            here = made
        elif layer is not None and any(True for _ in layer.parameters()):
            raise BenchError(f"{name} cannot be made convolutional: {node.target} in its end is neither dense nor a pooling")
        before = made
    module.graph.eliminate_dead_code()
    module.graph.lint()
    module.recompile()
    module.delete_all_unused_submodules()


def _chain(module: fx.GraphModule) -> list[fx.Node]:
    """The end of the graph in which nothing joins: back to the last convolution, sum or concatenation."""
    output = next(node for node in reversed(module.graph.nodes) if node.op == "output")
    node, chain = _inputs(output)[0], list[fx.Node]()
    while len(_inputs(node)) == 1 and not isinstance(_layer(module, node), nn.Conv2d):
        chain.append(node)
        node = _inputs(node)[0]
    return chain[::-1]


def _inputs(node: fx.Node) -> list[fx.Node]:
    """The tensors a node works on; weights that it names and questions about shapes left out."""
    return [each for each in node.all_input_nodes if each.op != "get_attr" and "shape" in each.meta]


def _layer(module: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return module.get_submodule(str(node.target)) if node.op == "call_module" else None


def _shape(node: fx.Node) -> torch.Size:
    shape: torch.Size = node.meta["shape"]
    return shape


def _is_pool(node: fx.Node, layer: nn.Module | None) -> bool:
    named = getattr(node.target, "__name__", node.target)
    return isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) or named in ("adaptive_avg_pool2d", "mean")


def _window(layer: nn.Module | None, here: torch.Size, made: torch.Size, name: str) -> nn.Module:
    """The pooling of one window of the canonical size in place of one of all there is."""
    target, window = made[2:] or torch.Size((1, 1)), (int(here[2]), int(here[3]))
    if target != (1, 1):
        raise BenchError(
            f"{name} cannot be made convolutional for this size: its pooling to {target[0]}x{target[1]} of "
            f"{here[2]}x{here[3]} units is none of one window. Leave the size out for the canonical one."
        )
    return nn.MaxPool2d(window, 1) if isinstance(layer, nn.AdaptiveMaxPool2d) else nn.AvgPool2d(window, 1)


def _dense(layer: nn.Linear, here: tuple[int, ...]) -> nn.Conv2d:
    """A dense layer over (1, channels, h, w) as the convolution it is there, with the same numbers in memory."""
    _, channels, height, width = here
    with torch.device("meta"):
        convolution = nn.Conv2d(channels, layer.out_features, (height, width), bias=layer.bias is not None)
    convolution.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, height, width))
    if layer.bias is not None:
        convolution.bias = nn.Parameter(layer.bias.detach())
    return convolution


def _replace(module: fx.GraphModule, node: fx.Node, layer: nn.Module) -> str:
    """Put a layer in a node's place, under the name of its module where it has one."""
    name = str(node.target) if node.op == "call_module" else "pool"
    module.add_submodule(name, layer)
    with module.graph.inserting_after(node):
        new = module.graph.call_module(name, (_inputs(node)[0],))
    new.meta = node.meta
    node.replace_all_uses_with(new)
    module.graph.erase_node(node)
    return name


def _skip(module: fx.GraphModule, node: fx.Node) -> None:
    node.replace_all_uses_with(_inputs(node)[0])
    module.graph.erase_node(node)

"""torchvision's classifiers: their names, canonical sizes and class names, from the metadata of its published weights."""

from functools import cache
from typing import Any

import torch
from torch import nn
from torchvision import models as tv

from bench.errors import BenchError, nearest

Size = tuple[int, int]


@cache
def classifier_names() -> tuple[str, ...]:
    """Every classifier that torchvision can build."""
    return tuple(tv.list_models(module=tv))


def published(name: str) -> Any:
    """The first weights published for a classifier; raises BenchError with the nearest names for one that there is not."""
    if name not in classifier_names():
        raise BenchError(f"no torchvision classifier {name!r}.{nearest(name, classifier_names())}")
    return next(iter(tv.get_model_weights(name)))


def build_classifier(name: str, *, meta: bool = False) -> nn.Module:
    """A classifier of 1,000 classes with random weights, or with ``meta`` with none, for looking at shapes alone."""
    published(name)
    # These two ask for seconds of drawing from a truncated normal, or warn, unless they are told.
    options = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    try:
        with torch.device("meta" if meta else "cpu"):
            model: nn.Module = tv.get_model(name, weights=None, **options)
    except NotImplementedError:  # RegNet works its widths out with tensors
        with torch.device("cpu"):
            model = tv.get_model(name, weights=None, **options).to("meta")
    return model


def preprocessing(name: str) -> dict[str, Any]:
    """How the published weights want images: ``size`` (height, width), ``mean`` and ``std`` of three channels in [0, 1]."""
    transform = published(name).transforms()
    return {"size": (transform.crop_size[0], transform.crop_size[0]), "mean": transform.mean, "std": transform.std}


def class_names(name: str) -> list[str]:
    """The classes of the published weights, in the order of the scores."""
    names: list[str] = published(name).meta["categories"]
    return names


def canonical_size(classifier: nn.Module) -> Size:
    """The size that torchvision's weights for this network were trained for, told by its number of parameters.

    Raises BenchError for a network that is none of torchvision's, or has another number of classes: its size must be given.
    """
    counts = {sum(each.numel() for each in classifier.parameters())}
    # Weights are published with or without auxiliary classifiers, and a network is built with or without them.
    auxiliary = [part for name, part in classifier.named_children() if "aux" in name.lower()]
    counts.add(min(counts) - sum(each.numel() for part in auxiliary for each in part.parameters()))
    for name in classifier_names():
        if published(name).meta["num_params"] in counts:
            size: Size = preprocessing(name)["size"]
            return size
    raise BenchError(
        f"the canonical size of this {type(classifier).__name__} is not known: it is none of torchvision's networks with 1,000 "
        "classes. Give the (height, width) it is trained on as `size`."
    )

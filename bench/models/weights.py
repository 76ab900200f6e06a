"""ImageNet weights: torchvision's own files, found in torch's hub cache or fetched into it."""

import pickle
import re
import struct
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse
from zipfile import BadZipFile

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.models.classifiers import published

# What torch's readers of its two formats raise on bytes that are not what they should be.
DAMAGED = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError),
    *(pickle.UnpicklingError, struct.error, BadZipFile),
)

_OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""torchvision's files for DenseNet name `norm.1` what the network itself calls `norm1`."""

WITHOUT = "leave `weights` out of the model"


def weights_url(backbone: str) -> str:
    """Where torchvision publishes a classifier's weights: the first of each, all trained by one recipe."""
    url: str = published(backbone).url
    return url


def weights_file(backbone: str) -> Path:
    """Where a backbone's weights belong: torch's hub cache, below $TORCH_HOME/hub/checkpoints, whether there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights_url(backbone)).path).name


def has_weights(backbone: str) -> bool:
    """Whether a backbone's weights are in the cache, so that building it needs no network."""
    return weights_file(backbone).is_file()


def load_weights(module: nn.Module, backbone: str, otherwise: str = WITHOUT) -> None:
    """Give a torchvision classifier its ImageNet weights, in place of what it holds; it may have been made on the meta device.

    ``otherwise`` says what else a user may do. Raises BenchError, naming the file and that, where it is absent and cannot be
    fetched, cannot be read, or belongs to another network.
    """
    path, state = weights_file(backbone), read_weights(backbone, otherwise)
    try:
        module.load_state_dict(state, assign=True)
    except RuntimeError as error:
        first = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
        raise BenchError(f"{path} does not hold the weights of {backbone}: {_short(first)} {_remedy(backbone)}") from error


def load_file(module: nn.Module, path: Path) -> None:
    """Give a module the state dict of a user's file; raises BenchError, naming it, for one that is absent or does not fit."""
    if not path.is_file():
        raise BenchError(f"--weights {path}: there is no such file")
    state = _read(path, "")
    try:
        module.load_state_dict(state, assign=True)
    except RuntimeError as error:
        first = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
        raise BenchError(f"{path} does not hold the weights of this {type(module).__name__}: {_short(first)}") from error


def read_weights(backbone: str, otherwise: str = WITHOUT) -> dict[str, Tensor]:
    """The tensors of a classifier's file, fetched if absent; raises BenchError, naming the file, where they cannot be had."""
    path = weights_file(backbone)
    if not path.is_file():
        _fetch(backbone, path, otherwise)
    return _read(path, backbone)


def _fetch(backbone: str, path: Path, otherwise: str) -> None:
    url = weights_url(backbone)
    # The name of a file of torchvision's ends in the first digits of its SHA-256.
    digits = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digits, progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:
        raise BenchError(
            f"the ImageNet weights of {backbone} are not at {path} and could not be downloaded ({error}). "
            f"Fetch {url} where there is a network and put it there, or {otherwise}."
        ) from error


def _read(path: Path, backbone: str) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])[:200]
        raise BenchError(f"{path} cannot be read as weights ({reason}). {_remedy(backbone)}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BenchError(f"{path} holds no table of tensors. {_remedy(backbone)}")
    return {
        _OLD_DENSENET.sub(r"\1\2", name): value.float() if value.is_floating_point() else value for name, value in state.items()
    }


def _remedy(backbone: str) -> str:
    return (
        f"Remove it and fetch {weights_url(backbone)} again."
        if backbone
        else "Save a state dict: torch.save(model.state_dict(), file)."
    )


def _short(lines: list[str]) -> str:
    """The first of what torch lists, cut to what can be read."""
    text = lines[0] if lines else "it holds something else."
    return text if len(text) <= 200 else f"{text[:200]} ..."

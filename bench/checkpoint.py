"""Checkpoints that survive a kill: written beside and renamed, the last two kept, loaded without unpickling code."""

import os
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import BenchError

_TRUNK = re.compile(r"(^|\.)(trunk|encoder|backbone)\.|^conv\d_\d\.")
"""How trunks are named: ours, those of segmentation-models-pytorch and of torchvision, and the layers of FCN's paper form."""

LAST, PREVIOUS, FINAL = "last.pt", "previous.pt", "final.pt"


@dataclass
class TrainState:
    """Everything a training needs to go on: randomness is a function of (seed, step) and needs no saving."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    """Steps done."""
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum of the losses since the last log line."""
    best: dict[str, float] | None = None
    """``step`` and ``score`` of the best validation so far."""
    saved_best: int | None = None
    """Step of the best weights that the newest checkpoint on disk refers to."""
    validated: int = 0
    """Step of the last validation, so that one which was cut short is made up for."""
    parts: int = 1
    """Parts in which a step takes its batch, after memory ran out; their gradients are accumulated."""
    parts_since: int | None = None
    """The first step that was taken in so many parts."""


def best_name(step: int) -> str:
    """File of the weights that were best at a step; the name holds the step so that an older checkpoint still finds its own."""
    return f"best-{step:08d}.pt"


def save(folder: Path, state: TrainState) -> None:
    """Write ``last.pt``, keep the one before as ``previous.pt``, drop best weights neither refers to."""
    saved = {
        "step": state.step,
        "loss_sum": state.loss_sum,
        "best": state.best,
        "validated": state.validated,
        "parts": [state.parts, state.parts_since],
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    beside = _write(folder / LAST, saved)
    if (folder / LAST).exists():
        (folder / LAST).replace(folder / PREVIOUS)
    beside.replace(folder / LAST)
    _drop_unused_best(folder, state)


def resume(folder: Path, state: TrainState) -> list[str]:
    """Load the newest readable checkpoint into ``state``; returns a sentence for each one that was damaged.

    With no readable checkpoint the state stays as it was, and training begins at its first step.
    """
    notes = []
    for name in (LAST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            saved = _load(path, state)
            if saved["best"] and not (folder / best_name(int(saved["best"]["step"]))).exists():
                raise FileNotFoundError(best_name(int(saved["best"]["step"])))
            state.model.load_state_dict(saved["model"])
            state.optimizer.load_state_dict(saved["optimizer"])
        except Exception as error:  # a damaged archive raises whatever its bytes happen to break
            notes.append(f"{path} is damaged ({type(error).__name__}) and was passed over")
            continue
        state.step, state.loss_sum, state.best = saved["step"], saved["loss_sum"], saved["best"]
        state.validated = saved.get("validated", state.step)
        state.parts, state.parts_since = saved.get("parts", (1, None))
        state.saved_best = int(saved["best"]["step"]) if saved["best"] else None
        return notes
    return notes


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a model's weights alone, whole or not at all."""
    _write(path, model.state_dict()).replace(path)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load what `save_weights` wrote; raises BenchError, with what to do, for a file that is damaged."""
    device = next(model.parameters()).device
    try:
        model.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    except Exception as error:  # a damaged archive raises whatever its bytes happen to break
        raise BenchError(
            f"{path}: the trained weights cannot be read ({type(error).__name__}). Remove {path.parent} and run the suite again: "
            "the cell is trained anew."
        ) from error


def inherit(path: Path, model: nn.Module) -> dict[str, list[str]]:
    """Take over what `save_weights` wrote of another model wherever name and shape agree.

    Returns the names that were "taken", those of this model that keep their "initialised" values, and those "left" behind.
    """
    mine = model.state_dict()
    theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    taken = shared(theirs, mine)
    model.load_state_dict(taken, strict=False)
    return {
        "taken": list(taken),
        "initialised": [name for name in mine if name not in taken],
        "left": [name for name in theirs if name not in taken],
    }


def shared(theirs: Mapping[str, Tensor], mine: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of one state dict another can take over: tensors of the same name and shape."""
    return {name: value for name, value in theirs.items() if name in mine and mine[name].shape == value.shape}


def astray(theirs: Iterable[str], mine: Iterable[str], taken: Container[str]) -> tuple[list[str], int]:
    """The tensors of two models' trunks that one cannot take over from the other, and how many the trunks have in all.

    A model whose state dict shows no trunk counts as a whole.
    """
    names = list(dict.fromkeys((*mine, *theirs)))
    trunk = [name for name in names if _TRUNK.search(name)] or names
    return [name for name in trunk if name not in taken], len(trunk)


def finish(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for name in (LAST, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, data: Any) -> Path:
    """Write beside ``path``, to the disk, and return where; a disk that is full says so here, and gets its room back."""
    beside = path.with_name(f".{path.name}.tmp")
    noted: list[OSError] = []
    try:
        with beside.open("wb") as file:
            torch.save(data, _Noting(file, noted))  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        if noted:
            raise noted[0] from None
        raise
    return beside


class _Noting:
    """A file that remembers why it could not be written: torch tells of a position that it did not expect."""

    def __init__(self, file: Any, noted: list[OSError]) -> None:
        self.file, self.noted = file, noted

    def write(self, data: Any) -> int:
        try:
            return int(self.file.write(data))
        except OSError as error:
            self.noted.append(error)
            raise

    def flush(self) -> None:
        self.file.flush()


def _load(path: Path, state: TrainState) -> Mapping[str, Any]:
    device = next(state.model.parameters()).device
    saved: Mapping[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return saved


def _drop_unused_best(folder: Path, state: TrainState) -> None:
    """Keep the best weights that the two checkpoints on disk refer to, and no others."""
    newest = int(state.best["step"]) if state.best else None
    used = {best_name(step) for step in (newest, state.saved_best) if step is not None}
    for file in folder.glob("best-*.pt"):
        if file.name not in used:
            file.unlink()
    state.saved_best = newest

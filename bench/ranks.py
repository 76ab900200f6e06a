"""The processes that share one cell, each on a device of its own, and what they tell each other.

A rank takes its slice of every batch and its share of the images that are scored. Sums go over all ranks, and a wish to stop
that one of them has is everybody's after the same step. `ALONE` is a cell in one process, for which all of it does nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from bench.errors import BenchError


@dataclass(frozen=True)
class Ranks:
    """This process's number among those that share a cell."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """This rank's rows of a batch."""
        own = batch // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def purpose(self, name: str) -> str:
        """The name under which this rank draws what differs between ranks: a single process's for the first one."""
        return name if self.first else f"{name} of rank {self.rank}"

    def network(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass leaves the ranks' mean gradients, in the model itself."""
        if self.size == 1:
            return model
        device = next(model.parameters()).device
        # Parameters that a model does not use keep no gradient, and so are not decayed, as in a single process.
        return DistributedDataParallel(
            model,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=True,
        )

    def synchronised(self, model: nn.Module) -> nn.Module:
        """The model with batch statistics of the whole batch; raises BenchError on a CPU, where torch has no such layer."""
        if self.size == 1:
            return model
        if next(model.parameters()).device.type == "cpu":
            refuse_norm_on_cpu(model, self.size)
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return converted

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all ranks, on every one of them."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def any(self, wish: bool) -> bool:
        """Whether any rank wishes so; all must ask at the same point. It goes between the hosts' sides, without a device sync."""
        return bool(self.sum(torch.tensor(int(wish)))) if self.size > 1 else wish

    def summed(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Array by array the sum over the ranks that have it, on every rank."""
        if self.size == 1:
            return dict(arrays)
        told: list[Any] = [None] * self.size
        dist.all_gather_object(told, dict(arrays))
        names = dict.fromkeys(name for each in told for name in each)
        return {name: np.sum([each[name] for each in told if name in each], axis=0) for name in names}

    def wait(self) -> None:
        """Return once all ranks have come here."""
        self.any(False)


ALONE = Ranks()


def join_ranks(device: torch.device) -> Ranks:
    """Meet the ranks that torchrun's environment names. NCCL carries what lies on GPUs, and gloo what lies on the host."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    return Ranks(dist.get_rank(), dist.get_world_size())


def refuse_norm_on_cpu(model: nn.Module, devices: int) -> None:
    """Raise BenchError for a model with batch normalisation, whose statistics on a CPU would be those of a rank's slice."""
    names = [name for name, part in model.named_modules() if isinstance(part, _BatchNorm)]
    if names:
        raise BenchError(
            f"train.devices is {devices}, and batch normalisation over several processes (SyncBatchNorm) runs on GPUs alone: "
            f"{len(names)} layers, {names[0]} first. On a CPU set train.devices: 1, or take a model without batch normalisation "
            "(for a U-Net norm: none)."
        )

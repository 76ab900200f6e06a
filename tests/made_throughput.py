"""A clock that only moves when it is told, a network that tells it, and a library of sensors that reads what it is given."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn


class Clock:
    """Seconds that pass where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Takes(nn.Module):
    """Hands on what it is given, after so many seconds a pass and an image."""

    def __init__(self, clock: Clock, pass_s: float, image_s: float) -> None:
        super().__init__()
        self.clock, self.pass_s, self.image_s = clock, pass_s, image_s

    def forward(self, images: Tensor) -> Tensor:
        self.clock.advance(self.pass_s + self.image_s * len(images))
        return images


class Up(nn.Upsample):
    """An upsampling layer that takes its time, of which some is an interpolation within it."""

    def __init__(self, clock: Clock, image_s: float) -> None:
        super().__init__(scale_factor=1)
        self.takes = Takes(clock, 0, image_s)

    def forward(self, scores: Tensor) -> Tensor:
        return self.takes(super().forward(self.takes(scores)))


class Logits(torch.Tensor):
    """Logits whose maximum takes 1 ms an image."""

    clock: Clock

    def max(self, dim: int):  # type: ignore[override]
        self.clock.advance(0.001 * len(self))
        return self.as_subclass(Tensor).max(dim)


class TimedNet(nn.Module):
    """2 ms a pass and 4 an image in its trunk, 3 in its head, 2 in upsampling, 1 in argmax; too many images do not fit."""

    margin, output_stride = 0, 8

    def __init__(self, clock: Clock, most: int = 1000, spends=lambda images: None) -> None:
        super().__init__()
        self.clock, self.most, self.spends = clock, most, spends
        self.encoder, self.decoder = Takes(clock, 0.002, 0.004), Takes(clock, 0, 0.003)
        self.up = Up(clock, 0.001)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more")
        self.spends(len(images))
        logits = self.up(self.decoder(self.encoder(images * self.weight))).as_subclass(Logits)
        logits.clock = self.clock
        return logits


class FakeNvml:
    """The functions of nvidia-ml-py's `pynvml` that are used, with its names, arguments and units (MHz, °C, mW, mJ)."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    class NVMLError(Exception):
        pass

    def __init__(self, uuid: str = "GPU-11111111-2222") -> None:
        self.uuid, self.energy_mj, self.reasons, self.open, self.refused = uuid, 1_000_000.0, 0x1, 0, set[str]()

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid != self.uuid:
            raise self.NVMLError("Not Found")
        return SimpleNamespace(uuid=uuid)

    def nvmlDeviceGetClockInfo(self, handle, type):
        return {1: 1980, 2: 2619}[type]

    def nvmlDeviceGetTemperature(self, handle, sensor):
        assert sensor == 0
        return 41

    def nvmlDeviceGetPowerUsage(self, handle):
        if "power" in self.refused:
            raise self.NVMLError("Not Supported")
        return 350_500

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if "energy" in self.refused:
            raise self.NVMLError("Not Supported")
        return int(self.energy_mj)

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):
        return self.reasons

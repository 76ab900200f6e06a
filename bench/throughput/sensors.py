"""Clocks, temperature, power and energy of an NVIDIA device, read through NVML (the package nvidia-ml-py) where it is there."""

from importlib import import_module
from typing import Any

import torch

from bench.throughput.document import Reading

SLOWED_BY = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""The clock event reasons of nvml.h that make a device slower than it could be; idling and chosen clocks are none."""


class Sensors:
    """What a device says of itself; this one says nothing, and why."""

    def __init__(self, source: str) -> None:
        self.source = source

    def read(self, when: str) -> Reading | None:
        """The state at this moment."""
        return None

    def energy_j(self) -> float | None:
        """Joules since some moment in the past; differences are what counts."""
        return None

    def close(self) -> None:
        """Let go of the library."""


class Nvml(Sensors):
    """Reads one device; each value is None where this device or driver does not give it."""

    def __init__(self, nvml: Any, handle: Any, source: str) -> None:
        super().__init__(source)
        self.nvml, self.handle = nvml, handle

    def read(self, when: str) -> Reading:
        """The state at this moment; NVML averages power over some of its recent past."""
        nvml = self.nvml
        power_mw, reasons = self._ask("nvmlDeviceGetPowerUsage"), self._reasons()
        return Reading(
            when=when,
            sm_clock_mhz=self._ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            temperature_c=self._ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            power_w=None if power_mw is None else power_mw / 1e3,
            slowed_by=None if reasons is None else tuple(name for bit, name in SLOWED_BY.items() if reasons & bit),
        )

    def energy_j(self) -> float | None:
        """Joules the board has taken since the driver was loaded."""
        energy_mj = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if energy_mj is None else energy_mj / 1e3

    def close(self) -> None:
        """Let go of the library."""
        self.nvml.nvmlShutdown()

    def _reasons(self) -> int | None:
        found = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        return self._ask("nvmlDeviceGetCurrentClocksThrottleReasons") if found is None else found  # its name in older drivers

    def _ask(self, function: str, *arguments: Any) -> Any:
        ask = getattr(self.nvml, function, None)
        try:
            return None if ask is None else ask(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None


def open_sensors(device: torch.device) -> Sensors:
    """The sensors of a device, by its UUID, since a program may see its devices under other numbers than NVML does."""
    if device.type != "cuda":
        return Sensors(f"not read: NVML knows no {device.type}")
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return Sensors("not read: the package nvidia-ml-py is not installed (pip install 'stridebench[nvml]')")
    try:
        nvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        return Nvml(nvml, handle, "NVML")
    except nvml.NVMLError as error:
        return Sensors(f"not read: {error}")

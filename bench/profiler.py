"""Speed and cost of a model: counted where they can be counted, timed where they must be."""

import resource
import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.models.trace import count_flops, count_parameters, receptive_field_px
from bench.specs import ProfileSpec
from bench.throughput.timer import Timer, label_maps


def describe(model: nn.Module) -> dict[str, Any]:
    """What a model is, whatever it runs on: output stride, receptive field in pixels, parameters."""
    return {
        "output_stride": int(model.output_stride),  # type: ignore[arg-type]  # part of the model contract
        "receptive_field_px": receptive_field_px(model),
        "parameters": count_parameters(model),
    }


@torch.inference_mode()
def profile(model: nn.Module, size: tuple[int, int], spec: ProfileSpec, *, sharing: int = 1) -> dict[str, Any]:
    """Time forward passes of (height, width) ``size`` on the model's device, class map included, data loading excluded.

    Latency is at batch 1, throughput at ``spec.batch``. Warm-up is not timed, and the device is waited for
    after each pass. `bench profile` has the long form of this, for comparing models.
    A model that loses a margin is given as much more, so that an image of ``size`` is labelled. The device's name says how many
    cells are ``sharing`` it, so that such speeds are not compared with those of a device on its own.
    """
    model.eval()
    device = next(model.parameters()).device
    seen = tuple(side + 2 * int(getattr(model, "margin", 0)) for side in size)
    single, batch = (
        torch.rand(count, 3, *seen, device=device).contiguous(memory_format=torch.channels_last) for count in (1, spec.batch)
    )
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    throughput_s = times(model, batch, spec, device)
    latency_s = times(model, single, spec, device)
    median_s = float(np.median(throughput_s))
    return {
        "device": device_name(device) + (f", shared by {sharing} cells" if sharing > 1 else ""),
        "precision": spec.precision,
        "height_px": size[0],
        "width_px": size[1],
        "batch": spec.batch,
        "rounds": spec.rounds,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "images_per_s": spec.batch / median_s,
        "latency_ms": float(np.median(latency_s)) * 1e3,
        "latency_p95_ms": float(np.quantile(latency_s, 0.95)) * 1e3,
        "flops": count_flops(model, seen),
        **_peak_memory(device),
    }


def times(model: nn.Module, images: torch.Tensor, spec: ProfileSpec, device: torch.device) -> list[float]:
    """Seconds of each timed pass of a (B, 3, H, W) batch."""
    timer = Timer(device)
    seconds = [timer.seconds(lambda: label_maps(model, images, spec.precision)) for _ in range(spec.warmup + spec.rounds)]
    return seconds[spec.warmup :]


def _peak_memory(device: torch.device) -> dict[str, Any]:
    """Peak memory in GiB and what was read: the passes' own allocations on CUDA, the whole process on a CPU."""
    if device.type == "cuda":
        return {
            "peak_memory_gib": torch.cuda.max_memory_allocated(device) / 2**30,
            "peak_memory_of": "device allocations of these passes",
        }
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"peak_memory_gib": peak / 2**30, "peak_memory_of": "the cell's process, training included"}


def device_name(device: torch.device) -> str:
    """The name under which speeds may be compared with each other."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU: {_cpu_model()}"


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123  a kernel file, read line by line
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()

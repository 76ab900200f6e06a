"""What `train.deterministic: true` costs a training step: the same steps with deterministic algorithms and without.

    python reports/peers/determinism_cost.py [--device cuda]

The settings are those of a cell: deterministic algorithms and no search for the fastest convolutions, or the fastest that are
found. A round is a stretch of steps of each, in an order drawn anew, ended by a synchronisation; the ratio of the medians is the
cost. Not yet measured on a GPU. On a CPU the algorithms are the same and the ratio should be 1.
"""

import argparse
import datetime
import os
import statistics
import time

import numpy as np
import torch

from bench.losses import segmentation_loss
from bench.models import build_model
from bench.specs import FcnSpec, TrainSpec, UnetSpec
from bench.train import build_optimizer

CLASSES = 21


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=64, help="of the U-Net")
    parser.add_argument("--backbone", default="vgg16", help="of the FCN-8s")
    parser.add_argument("--steps", type=int, default=20, help="steps a round")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    device = torch.device(args.device)
    models = {"FCN-8s": FcnSpec(name="fcn", backbone=args.backbone), "U-Net": UnetSpec(name="unet", width=args.width)}
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else f"a CPU, {torch.get_num_threads()} threads"
    print(f"Batches of {args.batch} crops of {args.crop} px, {args.rounds} rounds; torch {torch.__version__} on {named}, ", end="")
    print(datetime.date.today())
    print(f"{'ratio':>7}  {'deterministic':>16}  {'as usual':>16}  model")
    for name, spec in models.items():
        model = build_model(spec, CLASSES).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        times = timed(model, device, args.batch, args.crop, args.steps, args.rounds)
        strict, usual = statistics.median(times[True]), statistics.median(times[False])
        print(f"{strict / usual:7.3f}  {strict:8.2f} ms/step  {usual:8.2f} ms/step  {name}")


def timed(model: torch.nn.Module, device: torch.device, batch: int, crop: int, steps: int, rounds: int) -> dict[bool, list[float]]:
    """Milliseconds a step in every round, deterministic (True) or not; the first round warms up and is not kept."""
    rng = np.random.default_rng(0)
    images = torch.randn(batch, 3, crop, crop, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (batch, crop, crop), device=device)
    optimizer = build_optimizer(model, TrainSpec())
    times: dict[bool, list[float]] = {True: [], False: []}
    model.train()
    for turn in range(rounds + 1):
        for strict in rng.permutation([True, False]).tolist():
            torch.use_deterministic_algorithms(strict)
            torch.backends.cudnn.benchmark = not strict
            _wait(device)
            begin = time.perf_counter()
            for _ in range(steps):
                with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                    logits = model(images)
                optimizer.zero_grad(set_to_none=True)
                segmentation_loss(logits, labels).backward()
                optimizer.step()
            _wait(device)
            if turn:
                times[strict].append((time.perf_counter() - begin) / steps * 1e3)
    return times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()

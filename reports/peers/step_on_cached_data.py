"""A GPU's training step on cached data beside the same step on one constant batch that is on the device already.

    python reports/peers/step_on_cached_data.py --data-root DIR --dataset voc2012

What a step costs more is what the data path makes the device wait for. Both ways of holding a cache are timed, whole on the
device and streamed from the host. A round is a stretch of steps of each entrant, in an order drawn anew, ended by a
synchronisation; medians of the rounds are shown, the ratio to the constant batch first. Not yet measured.
"""

import argparse
import datetime
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rows import Row, write

from bench.data import DATASETS
from bench.data.ahead import Streamed
from bench.data.batches import Batches
from bench.data.cache import open_cache
from bench.data.prepare import prepare
from bench.data.samples import list_samples
from bench.losses import segmentation_loss
from bench.models import build_model
from bench.specs import AugmentationSpec, DatasetSpec, FcnSpec, TrainSpec
from bench.train import build_optimizer


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--dataset", default="voc2012", choices=sorted(set(DATASETS) - {"phantom"}))
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=40, help="steps a round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This measures a GPU, and torch sees none here.")
    device = torch.device("cuda")
    torch.backends.cudnn.benchmark = True
    entry, spec = DATASETS[args.dataset], DatasetSpec(name=args.dataset)
    train = TrainSpec(batch=args.batch, crop=args.crop, precision="bf16")
    augmentation = AugmentationSpec(flip=0.5, scale=(0.5, 2.0), colour=0.3)
    with tempfile.TemporaryDirectory() as place:
        cache = open_cache(prepare(list_samples(entry, args.data_root, spec, "train"), entry, spec, Path(place) / "cache"))
        resident = Batches(cache.to(device), np.arange(len(cache)), train, augmentation, seed=0)
        streamed = Streamed(Batches(cache, np.arange(len(cache)), train, augmentation, seed=0), device)
        constant = resident(0)
        entrants: dict[str, Callable[[int], tuple[torch.Tensor, ...]]] = {
            "constant batch": lambda step: constant,
            "cache on the device": resident,
            "cache streamed": streamed,
        }
        model = build_model(FcnSpec(name="fcn", backbone=args.backbone), entry.num_classes)
        model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        times = timed(model, entrants, train, args.steps, args.rounds)
        streamed.close()
    base = statistics.median(times["constant batch"])
    print(
        f"{args.dataset}, FCN-8s over {args.backbone}, batches of {args.batch} crops of {args.crop} px, bf16, {args.rounds} rounds"
    )
    print(f"torch {torch.__version__} on {torch.cuda.get_device_name()}, {datetime.date.today()}")
    print(f"{'ratio':>7}  {'ms/step':>8}  {'quartiles':>16}  entrant")
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{middle / base:7.3f}  {middle:8.2f}  {f'{low:.2f} .. {high:.2f}':>16}  {name}")
    if args.json:
        names = [name for name in times if name != "constant batch"]
        rows = [Row(f"step, {name}", "ms/step", statistics.median(times[name]), base, "constant batch") for name in names]
        write(args.json, rows)


def timed(
    model: torch.nn.Module,
    entrants: dict[str, Callable[[int], tuple[torch.Tensor, ...]]],
    train: TrainSpec,
    steps: int,
    rounds: int,
) -> dict[str, list[float]]:
    """Milliseconds a step of every entrant in every round; the first round warms up and is not kept."""
    optimizer, rng = build_optimizer(model, train), np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in entrants}
    names = list(entrants)
    model.train()
    for turn in range(rounds + 1):
        for place in rng.permutation(len(names)):
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for step in range(turn * steps, (turn + 1) * steps):
                images, labels, *_ = entrants[names[place]](step)
                with torch.autocast("cuda", torch.bfloat16):
                    logits = model(images)
                loss = segmentation_loss(logits, labels)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            torch.cuda.synchronize()
            if turn:
                times[names[place]].append((time.perf_counter() - begin) / steps * 1e3)
    return times


if __name__ == "__main__":
    main()

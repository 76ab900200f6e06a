"""What the metrics add to the evaluation of FCN-8s at 480x360: one command, for a GPU (or, narrow, for a CPU).

    python reports/peers/metrics_share.py --device cuda --precision bf16
    python reports/peers/metrics_share.py --device cpu --head-width 64 --images 8 --rounds 3

Interleaved rounds over the same random images: predicting alone, and predicting with every sum a result needs. The share is the
median of the rounds' quotients, minus one.
"""

import argparse
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from rows import Row, write

from bench.data.cache import Cache
from bench.evaluate import count, evaluate, predict
from bench.models import build_model
from bench.profiler import device_name
from bench.specs import EvalSpec, FcnSpec


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--head-width", type=int, default=4096)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    spec = EvalSpec(batch=args.batch, precision=args.precision)
    model = build_model(FcnSpec(name="fcn", backbone="vgg16", stride=8, head_width=args.head_width), args.classes)
    model = model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    cache = blocks(args.images, args.classes).to(device)

    def predicted() -> None:
        for begin in range(0, len(cache), args.batch):
            images = cache.whole(np.arange(begin, min(begin + args.batch, len(cache))))[0]
            predict(model, images.permute(0, 3, 1, 2).float(), spec.precision)

    entrants = {
        "predictions alone": predicted,
        "with confusion counts": lambda: count(model, cache, spec, num_classes=args.classes),
        "with all sums": lambda: evaluate(model, cache, spec, num_classes=args.classes),
    }
    times: dict[str, list[float]] = {name: [] for name in entrants}
    for turn in range(args.rounds + 1):
        for name, run in entrants.items():
            begin = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - begin) / len(cache) * 1e3)
    print(f"{device_name(device)}, torch {torch.__version__}, {args.precision}, {date.today()}")
    print(f"FCN-8s-VGG16, fc6 {args.head_width} wide")
    print(f"{len(cache)} images of 480x360, batch {args.batch}, {args.rounds} rounds")
    print(f"{'adds':>8}  {'ms/image':>8}")
    alone = times["predictions alone"]
    for name, values in times.items():
        share = statistics.median(value / base for value, base in zip(values, alone, strict=True)) - 1
        print(f"{share:8.1%}  {statistics.median(values):8.2f}  {name}")
    if args.json:
        mine, theirs = statistics.median(times["with all sums"]), statistics.median(alone)
        write(args.json, [Row("evaluating FCN-8s with all sums", "ms/image", mine, theirs, "its predictions alone")])


def blocks(images: int, classes: int) -> Cache:
    """Random images of 480x360 whose labels are blocks of 20 px."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, (images, 18, 24), np.uint8).repeat(20, axis=1).repeat(20, axis=2)
    sizes = np.full((images, 2), (360, 480))
    offsets = np.arange(images + 1) * 360 * 480
    pixels = torch.from_numpy(rng.integers(0, 256, (images * 360 * 480, 3), np.uint8))
    counts = np.stack([np.bincount(each.ravel(), minlength=classes) for each in labels])
    return Cache(pixels, torch.from_numpy(labels.reshape(-1)), sizes, offsets, counts, tuple(map(str, range(images))))


if __name__ == "__main__":
    main()

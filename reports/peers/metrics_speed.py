"""Speed of the metrics beside OpenCV's per-class Boundary IoU and torchmetrics' Jaccard, in interleaved rounds.

    python reports/peers/metrics_speed.py --labels data/CamVid/testannot --void 11 --classes 11 --threads 2

Without --labels it draws regions of a like size. Predictions are the labels moved by a few pixels with blocks replaced. A round
times every entrant once on the same batch, in an order drawn anew; medians of all rounds are shown, the ratio to Stridebench's
own figure first. OpenCV and torchmetrics are optional: `pip install opencv-python-headless torchmetrics`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rows import Row, write

from bench.metrics.boundary import boundary_iou_sums, boundary_width
from bench.metrics.confusion import confusion
from bench.metrics.measure import measure
from bench.metrics.trimap import trimap_sums

Map = NDArray[np.uint8]
Entrant = Callable[[torch.Tensor, torch.Tensor], object]


def main() -> None:
    """Measure and print one table a class count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, help="folder of PNG label maps")
    parser.add_argument("--void", type=int, default=255, help="value of the void pixels in them")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    labels = read(args.labels, args.void, args.images) if args.labels else draw(args.classes, args.images)
    preds = disturb(labels, args.classes)
    rows = []
    for classes in (args.classes, 21):
        # With more classes, the same maps: every other column strip takes a new name, so that all classes occur.
        truth, guess = rename(labels, args.classes, classes), rename(preds, args.classes, classes)
        rows += compare(truth, guess, classes, args.batch, args.rounds)
    if args.json:
        write(args.json, rows)


def read(folder: Path, void: int, count: int) -> Map:
    """(N, H, W) maps spread over a folder, void as 255."""
    files = sorted(folder.glob("*.png"))
    chosen = files[:: max(1, len(files) // count)][:count]
    maps = np.stack([np.array(Image.open(path), np.uint8) for path in chosen])
    return np.where(maps == void, np.uint8(255), maps)


def draw(classes: int, count: int) -> Map:
    """(N, 360, 480) Voronoi regions with 3 % void."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:360, :480]
    maps = np.empty((count, 360, 480), np.uint8)
    for image in maps:
        y, x, c = rng.integers(0, 360, 60), rng.integers(0, 480, 60), rng.integers(0, classes, 60)
        image[:] = c[((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2).argmin(-1)]
        for top, left in zip(rng.integers(0, 340, 10), rng.integers(0, 450, 10), strict=True):
            image[top : top + 20, left : left + 26] = 255
    return maps


def disturb(labels: Map, classes: int) -> Map:
    """Predictions: the labels moved by (2, 3) px with 20 blocks of a random class an image."""
    rng = np.random.default_rng(1)
    preds = np.where(labels == 255, np.uint8(0), np.roll(labels, (2, 3), (1, 2)))
    preds = np.where(preds == 255, np.uint8(0), preds)
    height, width = labels.shape[1:]
    for image in preds:
        for _ in range(20):
            top, left = rng.integers(0, height), rng.integers(0, width)
            image[top : top + rng.integers(3, 50), left : left + rng.integers(3, 50)] = rng.integers(0, classes)
    return preds


def rename(maps: Map, classes: int, wanted: int) -> Map:
    """Split the first ``wanted - classes`` classes in two halves of the image, left and right."""
    moved = maps.copy()
    right = np.arange(maps.shape[2]) >= maps.shape[2] // 2
    split = (maps < wanted - classes) & right
    moved[split] += np.uint8(classes)
    return moved


def compare(labels: Map, preds: Map, classes: int, batch: int, rounds: int) -> list[Row]:
    """Time all entrants, print ratio, milliseconds an image, and quartiles, and return the peers' rows."""
    height, width = labels.shape[1:]
    band = boundary_width(height, width)
    entrants: dict[str, Entrant] = {
        "confusion": lambda p, t: confusion(p, t, classes),
        "Boundary IoU": lambda p, t: boundary_iou_sums(p, t, classes, band),
        "trimap curve, 1 to 40 px": lambda p, t: trimap_sums(p, t, classes),
        "confusion + Boundary IoU + trimap curve": lambda p, t: measure(p, t, classes, contours=False),
        "all measures": lambda p, t: measure(p, t, classes),
        "all measures, and objects by size": lambda p, t: measure(p, t, classes, objects=True),
    }
    peers = {**opencv(classes, band), **torchmetrics_jaccard(classes)}
    torch.zeros(8 << 20)  # a process that has held a network keeps its heap; without this page faults are timed
    pairs = [
        (torch.from_numpy(preds[i : i + batch].copy()), torch.from_numpy(labels[i : i + batch].copy()))
        for i in range(0, len(labels) - batch + 1, batch)
    ]
    everyone = [*entrants.items(), *((name, run) for name, (run, _) in peers.items())]
    times: dict[str, list[float]] = {name: [] for name, _ in everyone}
    rng = np.random.default_rng(2)
    for turn in range(rounds + 1):
        for pair in pairs:
            for place in rng.permutation(len(everyone)):
                name, run = everyone[place]
                start = time.perf_counter()
                run(*pair)
                if turn:  # the first round warms up
                    times[name].append((time.perf_counter() - start) / batch * 1e3)
    median = {name: statistics.median(values) for name, values in times.items()}
    void, threads = (labels == 255).mean(), torch.get_num_threads()
    print(f"\n{classes} classes, {height}x{width}, {void:.1%} void, batches of {batch}, {threads} threads, {rounds} rounds")
    print(f"{'ratio':>7}  {'ms/image':>8}  {'quartiles':>15}  entrant")
    for name in times:
        against = peers[name][1] if name in peers else None
        ratio = f"{median[name] / median[against]:.1f}x" if against else ""
        low, _, high = statistics.quantiles(times[name], n=4)
        print(
            f"{ratio:>7}  {median[name]:8.2f}  {f'{low:.2f} .. {high:.2f}':>15}  {name}"
            + (f" (against {against})" if against else "")
        )
    return [Row(f"{mine}, {classes} classes", "ms/image", median[mine], median[name], name) for name, (_, mine) in peers.items()]


def opencv(classes: int, band: int) -> dict[str, tuple[Entrant, str]]:
    """Boundary IoU from its definition: every class's mask eroded in OpenCV; void is left out of the sums."""
    try:
        import cv2
    except ImportError:
        return {}
    cv2.setNumThreads(torch.get_num_threads())
    kernel = np.ones((3, 3), np.uint8)

    def region(mask: Map) -> Map:
        framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = np.asarray(cv2.erode(framed, kernel, iterations=band), np.uint8)
        return mask - eroded[1:-1, 1:-1]

    def run(preds: torch.Tensor, labels: torch.Tensor) -> NDArray[np.int64]:
        sums = np.zeros((len(preds), classes, 2), np.int64)
        for image, (pred, label) in enumerate(zip(preds.numpy(), labels.numpy(), strict=True)):
            counted = (label != 255).view(np.uint8)
            for c in range(classes):
                true, guess = (label == c).view(np.uint8), (pred == c).view(np.uint8)
                if cv2.hasNonZero(true) or cv2.hasNonZero(guess):
                    first, second = region(true) & counted, region(guess) & counted
                    sums[image, c] = cv2.countNonZero(first & second), cv2.countNonZero(first | second)
        return sums

    return {"OpenCV, Boundary IoU a class": (run, "Boundary IoU")}


def torchmetrics_jaccard(classes: int) -> dict[str, tuple[Entrant, str]]:
    """One update of torchmetrics' MulticlassJaccardIndex without its checks of arguments: one matrix a batch."""
    try:
        from torchmetrics.classification import MulticlassJaccardIndex
    except ImportError:
        return {}
    metric = MulticlassJaccardIndex(classes, ignore_index=255, validate_args=False)

    def run(preds: torch.Tensor, labels: torch.Tensor) -> object:
        metric.update(preds, labels)
        return metric.confmat

    return {"torchmetrics, Jaccard": (run, "confusion")}


if __name__ == "__main__":
    main()

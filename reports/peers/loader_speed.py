"""Cost of a training batch beside a torch DataLoader over PIL and torchvision's transforms, in interleaved rounds.

    python reports/peers/loader_speed.py --threads 2
    python reports/peers/loader_speed.py --camvid data      # reads data/CamVid besides

Both sides end at the same batch: 16 crops of 321 px as a normalised (16, 3, 321, 321) float input and (16, 321, 321) labels.
The peer opens the files, and has two persistent workers, each a process with one thread; Stridebench cuts from its packed cache
with as many threads. The pictures are JPEGs and palette PNGs of VOC's 500x375 in a temporary folder. A round is a whole epoch
of either side in an order drawn anew, and gives its mean; medians of the rounds are shown, the ratio to Stridebench first. After
the other side's turn the first batches find cold caches and sleeping threads: an epoch of few batches measures these.
"""

import argparse
import datetime
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch, as the processes of cells have it

import numpy as np
import torch
from PIL import Image
from rows import Row, write
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from bench.data import DATASETS, layouts
from bench.data.batches import Batches
from bench.data.cache import open_cache
from bench.data.prepare import prepare
from bench.data.samples import Sample, list_samples
from bench.specs import AugmentationSpec, DatasetSpec, TrainSpec

BATCH, SIDE, WORKERS = 16, 321, 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RECIPES = {
    "crop and flip": AugmentationSpec(flip=0.5),
    "crop, flip and scale 0.5 to 2": AugmentationSpec(flip=0.5, scale=(0.5, 2.0)),
}


def main() -> None:
    """Measure and print one table a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", type=Path, help="data root with a CamVid folder")
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        layouts.voc(root, args.images, (375, 500), seed=0)
        rows = compare("voc2012", root, root, args.images, args.rounds)
        if args.camvid:
            rows += compare("camvid", args.camvid, root, args.images, args.rounds)
    if args.json:
        write(args.json, rows)


class Files(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Samples decoded by PIL and changed by torchvision's transforms, one by one."""

    def __init__(self, samples: list[Sample], transform: Callable[..., tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.samples, self.transform = samples, transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, label = self.samples[index].files
        mask = tv_tensors.Mask(torch.from_numpy(np.array(Image.open(label))))
        return self.transform(v2.functional.pil_to_tensor(Image.open(image).convert("RGB")), mask)


class RandomZoom(v2.Transform):
    """A zoom drawn log-uniformly; images by bilinear interpolation, masks by the nearest pixel."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def make_params(self, flat_inputs: list[object]) -> dict[str, list[int]]:
        height, width = v2.functional.get_size(flat_inputs[0])
        zoom = self.low * (self.high / self.low) ** torch.rand(()).item()
        return {"size": [round(height * zoom), round(width * zoom)]}

    def transform(self, inpt: object, params: dict[str, list[int]]) -> object:
        nearest, bilinear = v2.InterpolationMode.NEAREST, v2.InterpolationMode.BILINEAR
        mode = nearest if isinstance(inpt, tv_tensors.Mask) else bilinear
        return v2.functional.resize(inpt, params["size"], mode, antialias=False)


def recipe(spec: AugmentationSpec) -> v2.Compose:
    """torchvision's transforms for an augmentation."""
    steps: list[torch.nn.Module] = [] if spec.scale == (1.0, 1.0) else [RandomZoom(*spec.scale)]
    padding = {torch.Tensor: (124, 116, 104), tv_tensors.Mask: 255}
    steps.append(v2.RandomCrop(SIDE, pad_if_needed=True, fill=padding))
    steps += [v2.RandomHorizontalFlip(spec.flip), v2.ToDtype({torch.Tensor: torch.float32, "others": None}, scale=True)]
    return v2.Compose([*steps, v2.Normalize(MEAN, STD)])


def compare(name: str, data_root: Path, place: Path, images: int, rounds: int) -> list[Row]:
    """Time all recipes of both sides on one data set, print the table and return its rows."""
    entry, spec = DATASETS[name], DatasetSpec(name=name)
    samples = list_samples(entry, data_root, spec, "train")[:images]
    cache = open_cache(prepare(samples, entry, spec, place / f"cache-{name}"))
    train = TrainSpec(batch=BATCH, crop=SIDE)
    count = len(samples) // BATCH
    entrants: dict[tuple[str, str], Callable[[int], Iterator[object]]] = {}
    for label, augmentation in RECIPES.items():
        batches = Batches(cache, np.arange(len(cache)), train, augmentation, seed=0)
        loader = DataLoader(
            Files(samples, recipe(augmentation)), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True, drop_last=True
        )
        entrants[label, "Stridebench"] = lambda turn, batches=batches: map(batches, range(turn * count, (turn + 1) * count))
        entrants[label, "DataLoader"] = lambda turn, loader=loader: iter(loader)
    times = timed(entrants, count, rounds)
    sizes = sorted({(int(height), int(width)) for height, width in cache.sizes})
    megabytes = sum(file.stat().st_size for sample in samples for file in sample.files) / len(samples) / 1e6
    print(f"\n{name}: {len(samples)} images of {sizes[0][0]}x{sizes[0][1]}, {megabytes:.2f} MB each with its label;", end=" ")
    print(f"batches of {BATCH} crops of {SIDE} px, {torch.get_num_threads()} threads against {WORKERS} workers, {rounds} rounds")
    print(f"torch {torch.__version__} on {platform.processor() or platform.machine()}, CPU, {datetime.date.today()}")
    print(f"{'ratio':>7}  {'ms/batch':>8}  {'quartiles':>16}  entrant")
    rows = []
    for label in RECIPES:
        mine = statistics.median(times[label, "Stridebench"])
        for who in ("Stridebench", "DataLoader"):
            low, middle, high = statistics.quantiles(times[label, who], n=4)
            ratio = "" if who == "Stridebench" else f"{middle / mine:.1f}x"
            print(f"{ratio:>7}  {middle:8.1f}  {f'{low:.1f} .. {high:.1f}':>16}  {label}: {who}")
        theirs = statistics.median(times[label, "DataLoader"])
        rows.append(Row(f"{name}, a batch: {label}", "ms/batch", mine, theirs, f"DataLoader with {WORKERS} workers"))
    return rows


def timed(
    entrants: dict[tuple[str, str], Callable[[int], Iterator[object]]], count: int, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Milliseconds a batch of every entrant in every round; the first round warms up and is not kept."""
    torch.zeros(8 << 20)  # a process that has held a network keeps its heap; without this page faults are timed
    times: dict[tuple[str, str], list[float]] = {key: [] for key in entrants}
    keys, rng = list(entrants), np.random.default_rng(0)
    for turn in range(rounds + 1):
        for place in rng.permutation(len(keys)):
            begin = time.perf_counter()
            for _ in entrants[keys[place]](turn):  # a batch is dropped when the next one comes, as in training
                pass
            if turn:
                times[keys[place]].append((time.perf_counter() - begin) / count * 1e3)
    return times


if __name__ == "__main__":
    main()

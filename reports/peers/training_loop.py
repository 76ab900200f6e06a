"""Images a second in training beside a loop in the manner of torchvision's reference script, and one of Lightning with smp.

    python reports/peers/training_loop.py --data-root DATA                                  # on a GPU
    python reports/peers/training_loop.py --data-root DATA --device cpu --width 8 --batch 4 --steps 4 --rounds 3

All train the same network from the same weights on CamVid, at the same size and batch, with zooms of 0.5 to 2, crops and flips.

- Stridebench: `bench.train.train` on the packed cache, channels_last, bf16 on CUDA.
- torchvision: a DataLoader with a process for every core, PIL and v2 transforms, SGD, on CUDA fp16 autocast with a gradient scaler,
  a schedule that steps with the optimiser, and the loss read after every step for the meters.
- Lightning: smp's CamVid example with our network in the place of its own: Dice loss, AdamW, true and false positives of every
  batch from `smp.metrics.get_stats`, the loader as above, on CUDA mixed bf16. Needs `pip install lightning`; is left out without.

A round gives every entrant some steps to warm up, so that its workers have started, then times a stretch of steps ended by a
synchronisation; the order is drawn anew. Medians of the rounds are shown, the ratio to Stridebench first. The share of the
matrix rate is 2 x MACs of forward and backward, as torch counts them, over what a large product of the same precision reaches.
"""

import argparse
import copy
import datetime
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch, as the processes of cells have it

import numpy as np
import torch
from loader_speed import MEAN, STD, Files, RandomZoom
from rows import Row, write
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors
from torchvision.transforms import v2

from bench.checkpoint import TrainState
from bench.data import DATASETS
from bench.data.batches import Batches
from bench.data.cache import open_cache
from bench.data.prepare import prepare
from bench.data.samples import Sample, list_samples
from bench.losses import segmentation_loss
from bench.models import build_model
from bench.profiler import device_name
from bench.specs import AugmentationSpec, DatasetSpec, FcnSpec, TrainSpec, UnetSpec
from bench.train import build_optimizer, train

VOID, CLASSES = 11, 11
WARM_UP = 3
"""Steps of every round that are not timed."""
Entrant = Callable[[int, int], float]
"""(round, steps) -> seconds of those steps, after a warm-up."""


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", choices=["fcn8s", "unet"], nargs="+", default=["fcn8s", "unet"])
    parser.add_argument("--width", type=int, help="a U-Net so wide and an FCN-8s over the small trunk, instead of 64 and VGG16")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480), metavar=("H", "W"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40, help="timed steps a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        entry, spec = DATASETS["camvid"], DatasetSpec(name="camvid")
        samples = list_samples(entry, args.data_root, spec, "train")
        cache = open_cache(prepare(samples, entry, spec, Path(place) / "cache")).to(device)
        for name in args.model:
            model = network(name, args.width, device)
            setting = Setting(device, tuple(args.size), args.batch)
            entrants: dict[str, Entrant] = {"Stridebench": ours(copy.deepcopy(model), cache, setting)}
            entrants["torchvision's reference style"] = reference_style(copy.deepcopy(model), samples, setting)
            if (lightning := lightning_style(copy.deepcopy(model), samples, setting)) is not None:
                entrants["Lightning with smp"] = lightning
            times = timed(entrants, args.steps, args.rounds)
            rows += shown(name, model, times, setting, args.steps)
    if args.json:
        write(args.json, rows)


class Setting:
    """What all entrants share."""

    def __init__(self, device: torch.device, size: tuple[int, int], batch: int) -> None:
        self.device, self.size, self.batch = device, size, batch
        self.workers = len(os.sched_getaffinity(0))

    def sync(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def loader(self, samples: list[Sample]) -> DataLoader[Any]:
        """Batches decoded by PIL and changed by torchvision's transforms, in a process for every core."""
        fill = {torch.Tensor: (124, 116, 104), tv_tensors.Mask: VOID}
        steps: list[nn.Module] = [RandomZoom(0.5, 2.0), v2.RandomHorizontalFlip(0.5)]
        steps += [v2.RandomCrop(self.size, pad_if_needed=True, fill=fill)]
        steps += [v2.ToDtype({torch.Tensor: torch.float32, tv_tensors.Mask: torch.int64}, scale=True), v2.Normalize(MEAN, STD)]
        files = Files(samples, v2.Compose(steps))
        pin = self.device.type == "cuda"
        return DataLoader(files, self.batch, shuffle=True, num_workers=self.workers, drop_last=True, pin_memory=pin)


def network(name: str, width: int | None, device: torch.device) -> nn.Module:
    """The network that all train, on the device."""
    if name == "unet":
        spec: Any = UnetSpec(name="unet", width=width or 64, depth=4)
    elif width:
        spec = FcnSpec(name="fcn", backbone="small", width=width, stride=8)
    else:
        spec = FcnSpec(name="fcn", backbone="vgg16", stride=8)
    torch.manual_seed(0)
    return build_model(spec, CLASSES).to(device).train()


def ours(model: nn.Module, cache: Any, setting: Setting) -> Entrant:
    """`bench.train.train` as a cell runs it, without validation and checkpoints."""
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision: Any = "bf16" if setting.device.type == "cuda" else "fp32"
    common = {"batch": setting.batch, "crop": setting.size, "precision": precision, "schedule": "constant"}
    augmentation = AugmentationSpec(flip=0.5, scale=(0.5, 2.0))

    def run(turn: int, steps: int) -> float:
        spec = TrainSpec(steps=WARM_UP + steps, **common)  # type: ignore[arg-type]
        state = TrainState(model, build_optimizer(model, spec))
        batches = Batches(cache, np.arange(len(cache)), spec, augmentation, seed=turn)
        begin = 0.0

        def mark() -> bool:
            nonlocal begin
            if state.step == WARM_UP:
                setting.sync()
                begin = time.perf_counter()
            return False

        silent: Any = {"log": lambda line: None, "validate": None, "save": lambda state: None, "should_stop": lambda: False}
        train(state, batches, spec, seed=turn, should_save=mark, **silent)
        setting.sync()
        return time.perf_counter() - begin

    return run


def reference_style(model: nn.Module, samples: list[Sample], setting: Setting) -> Entrant:
    """A loop in the manner of torchvision's segmentation reference."""
    loader, device = setting.loader(samples), setting.device
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(enabled=device.type == "cuda")
    criterion = nn.CrossEntropyLoss(ignore_index=VOID)

    def run(turn: int, steps: int) -> float:
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=10_000, power=0.9)
        begin, meter = 0.0, 0.0
        for step, (images, labels) in enumerate(endless(loader)):
            if step == WARM_UP:
                setting.sync()
                begin = time.perf_counter()
            if step == WARM_UP + steps:
                break
            images, labels = images.to(device), labels.to(device)
            with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
                loss = criterion(model(images), labels)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            meter += loss.item()
        setting.sync()
        return time.perf_counter() - begin

    return run


def endless(loader: DataLoader[Any]) -> Any:
    """Epoch after epoch."""
    while True:
        yield from loader


def lightning_style(model: nn.Module, samples: list[Sample], setting: Setting) -> Entrant | None:
    """A LightningModule in the manner of smp's CamVid example, or None where Lightning is not installed."""
    try:
        import lightning as pl
    except ImportError:
        return None
    import segmentation_models_pytorch as smp

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)

    class CamVid(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss = model, smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=VOID)
            self.outputs: list[dict[str, torch.Tensor]] = []

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            images, labels = batch
            logits = self.model(images)
            loss = self.loss(logits.contiguous(), labels)
            preds = logits.softmax(dim=1).argmax(dim=1)
            names = ("tp", "fp", "fn", "tn")
            stats = smp.metrics.get_stats(preds, labels, mode="multiclass", num_classes=CLASSES, ignore_index=VOID)
            self.outputs.append(dict(zip(names, stats, strict=True)))
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=2e-4)

    class Clock(pl.Callback):
        begin = end = 0.0

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
            if trainer.global_step == WARM_UP:
                setting.sync()
                self.begin = time.perf_counter()
            elif trainer.global_step == trainer.max_steps:
                setting.sync()
                self.end = time.perf_counter()

    loader, module, on_cuda = setting.loader(samples), CamVid(), setting.device.type == "cuda"
    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}

    def run(turn: int, steps: int) -> float:
        clock = Clock()
        where: dict[str, Any] = {
            "accelerator": "gpu" if on_cuda else "cpu",
            "devices": 1,
            "precision": "bf16-mixed" if on_cuda else 32,
        }
        pl.Trainer(max_steps=WARM_UP + steps, max_epochs=-1, callbacks=[clock], **where, **silent).fit(module, loader)
        module.to(setting.device)  # Lightning takes a model back to the CPU when it has ended
        module.outputs.clear()
        return clock.end - clock.begin

    return run


def timed(entrants: dict[str, Entrant], steps: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of the steps of every round, by entrant."""
    times: dict[str, list[float]] = {name: [] for name in entrants}
    rng = np.random.default_rng(0)
    for turn in range(rounds):
        for place in rng.permutation(len(entrants)):
            name = list(entrants)[place]
            times[name].append(entrants[name](turn, steps))
    return times


def shown(name: str, model: nn.Module, times: dict[str, list[float]], setting: Setting, steps: int) -> list[Row]:
    """Print a model's table, and return its rows."""
    images = steps * setting.batch
    rate = {who: statistics.median(images / each for each in values) for who, values in times.items()}
    on_cuda = setting.device.type == "cuda"
    reached = step_flops(model, setting) / setting.batch * rate["Stridebench"]
    possible = matrix_rate(setting)
    size = f"{setting.size[0]}x{setting.size[1]}"
    print(f"\n{name}, {sum(each.numel() for each in model.parameters()) / 1e6:.2f} M parameters, CamVid crops of {size}, ", end="")
    print(f"batches of {setting.batch}, {setting.workers} workers, {torch.get_num_threads()} threads")
    rounds, today = len(times["Stridebench"]), datetime.date.today()
    print(f"torch {torch.__version__} on {device_name(setting.device)}, {rounds} rounds, {today}")
    print(f"{'ratio':>7}  {'images/s':>8}  {'all rounds':>18}  entrant")
    for who, values in times.items():
        spread = f"{images / max(values):.2f} .. {images / min(values):.2f}"
        ratio = "" if who == "Stridebench" else f"{rate['Stridebench'] / rate[who]:.2f}x"
        print(f"{ratio:>7}  {rate[who]:8.2f}  {spread:>18}  {who}")
    print(f"{reached / possible:6.0%} of the matrix rate: {reached / 1e12:.3g} of {possible / 1e12:.3g} TFLOP/s, ", end="")
    print(f"{'bf16; goal 50 % on an H200' if on_cuda else 'fp32'}")
    goals = {"torchvision's reference style": "3x on an H200"}
    rows = [
        Row(
            f"training {name}, {size}, batch {setting.batch}",
            "images/s",
            rate["Stridebench"],
            each,
            who,
            goals.get(who, ""),
        )
        for who, each in rate.items()
        if who != "Stridebench"
    ]
    share = Row(
        f"matrix rate while training {name}", "TFLOP/s", reached / 1e12, possible / 1e12, "a large product", "0.5x on an H200"
    )
    return [*rows, share]


def step_flops(model: nn.Module, setting: Setting) -> int:
    """2 x MACs of a step's products and convolutions, forward and backward, as torch counts them."""
    images = torch.zeros(setting.batch, 3, *setting.size, device=setting.device)
    labels = torch.zeros(setting.batch, *setting.size, dtype=torch.uint8, device=setting.device)
    with FlopCounterMode(display=False) as counter:
        segmentation_loss(model(images), labels).backward()
    model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def matrix_rate(setting: Setting) -> float:
    """FLOP/s that a large matrix product reaches, in bf16 on CUDA and fp32 on a CPU: the median of its repetitions."""
    on_cuda = setting.device.type == "cuda"
    side, dtype = (8192, torch.bfloat16) if on_cuda else (2048, torch.float32)
    left, right = (torch.randn(side, side, device=setting.device, dtype=dtype) for _ in range(2))
    rates = []
    for _ in range(30 if on_cuda else 5):
        setting.sync()
        begin = time.perf_counter()
        left @ right
        setting.sync()
        rates.append(2 * side**3 / (time.perf_counter() - begin))
    return statistics.median(rates)


if __name__ == "__main__":
    main()

"""Share of a whole cell's time by stage: data, forward, backward, optimiser, evaluation, speed profile, harness.

    python reports/peers/stage_shares.py suites/camvid_strides.yaml --model fcn8s_vgg16_bn --data-root DATA --out FILE.json
    python reports/peers/stage_shares.py suites/camvid_small.yaml --model fcn8s --data-root DATA

The cell runs from its first step to its result in a store that is thrown away, and marks are set where it passes from one stage
to the next: by the clock on a CPU, by events in the stream on a GPU, which nothing waits for. So the stages follow one another
without a gap and add up to the cell. `harness` is all that is left: building, rates and seeds, log lines, checkpoints, the
result, and the ceiling at the cell's stride, which the first cell of a suite works out for all.
With ``--steps`` a training is cut short, and the stages of a step are scaled to the cell's own steps and validations; the table
says so. Decoding the images into the cache comes before the cell, once for a suite, and is left out.
"""

import argparse
import datetime
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch, as the processes of cells have it

import torch

from bench import experiment
from bench import train as training
from bench.cell import Cell
from bench.data import entry_of
from bench.data.prepare import prepare
from bench.data.samples import list_samples
from bench.expand import expand
from bench.job import Job
from bench.profiler import device_name
from bench.store import read_json, write_json
from bench.suite import load_suite

STEP = ("data", "forward", "backward", "optimiser")
STAGES = (*STEP, "evaluation", "speed profile", "harness")


class Marks:
    """When each stage began; the stage before it ends there."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.marks: list[tuple[str, Any]] = []

    def __call__(self, stage: str) -> None:
        """Note that a stage begins now."""
        if self.device.type == "cuda":
            event: Any = torch.cuda.Event(enable_timing=True)
            event.record()
        else:
            event = time.perf_counter()
        self.marks.append((stage, event))

    def seconds(self) -> dict[str, float]:
        """Seconds in each stage; the last mark begins nothing."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        found: dict[str, float] = defaultdict(float)
        for (stage, begin), (_, end) in zip(self.marks, self.marks[1:], strict=False):
            found[stage] += begin.elapsed_time(end) / 1e3 if self.device.type == "cuda" else end - begin
        return found

    def within(self, stage: str, run: Callable[..., Any], after: str = "harness") -> Callable[..., Any]:
        """The function, with marks around it."""

        def marked(*arguments: Any, **named: Any) -> Any:
            self(stage)
            try:
                return run(*arguments, **named)
            finally:
                self(after)

        return marked

    def train(self, state: Any, batches: Callable[[int], Any], spec: Any, **named: Any) -> None:
        """`bench.train.train` with marks at the borders of its stages."""
        state.model.register_forward_pre_hook(lambda model, _: self("forward") if model.training else None)
        state.optimizer.register_step_pre_hook(lambda *_: self("optimiser"))
        state.optimizer.register_step_post_hook(lambda *_: self("harness"))
        loss = self.within("forward", training.segmentation_loss, after="backward")
        with mock.patch.object(training, "segmentation_loss", loss):
            TRAIN(state, self.within("data", batches), spec, **named)


TRAIN = experiment.train


def main() -> None:
    """Measure one cell, print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument(
        "--model", required=True, help="the cell's model, by its name in the suite; the first of its cells is taken"
    )
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--steps", type=int, help="cut the training short after so many steps")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    found = [cell for cell in expand(load_suite(args.suite)) if cell.model_label == args.model]
    if not found:
        raise SystemExit(f"{args.suite} has no model {args.model!r}")
    report = measured(found[0], args.data_root, torch.device(args.device), args.threads, args.steps)
    print(table(report))
    if args.out:
        write_json(args.out, report)


def measured(cell: Cell, data_root: Path, device: torch.device, threads: int | None, steps: int | None) -> dict[str, Any]:
    """Run a cell and return its seconds by stage, with what they were measured on."""
    assert cell.recipe.steps is not None, "a cell by epochs is of no known length here"
    full, validations = cell.recipe.steps, -(-cell.recipe.steps // (cell.recipe.val_every or max(1, cell.recipe.steps // 10)))
    if steps:
        short = {"steps": steps, "warmup_steps": 0, "val_every": steps}
        cell = replace(cell, train=cell.recipe.model_copy(update=short))
    marks = Marks(device)
    with tempfile.TemporaryDirectory() as place:
        caches = {}
        for split in {cell.dataset.train, cell.dataset.val, cell.dataset.test} - {None}:
            entry = entry_of(cell.dataset)
            samples = list_samples(entry, data_root, cell.dataset, split)
            caches[split] = prepare(samples, entry, cell.dataset, Path(place) / f"cache-{split}")
        cell = cell.seen({split: read_json(folder / "manifest.json")["fingerprint"] for split, folder in caches.items()})
        job = Job(cell, Path(place) / "store", caches, device=str(device), threads=threads)
        job.store.mkdir()
        experiment.build(job, device)  # imports what the server that cells are forked from has imported
        with (
            mock.patch.object(experiment, "train", marks.train),
            mock.patch.object(experiment, "count", marks.within("validation", experiment.count)),
            mock.patch.object(experiment, "evaluate", marks.within("evaluation", experiment.evaluate)),
            mock.patch.object(experiment, "profile", marks.within("speed profile", experiment.profile)),
        ):
            begin = time.perf_counter()
            marks("harness")
            experiment.run_cell(job, report=lambda line: None, should_stop=lambda: False)
            marks("end")
            wall_s = time.perf_counter() - begin
    seconds = marks.seconds()
    if steps:
        for stage in STEP:
            seconds[stage] *= full / steps
        seconds["validation"] *= validations
    seconds["evaluation"] += seconds.pop("validation", 0.0)
    return {
        "cell": cell.label,
        "steps": full,
        "scaled_from_steps": steps,
        "seconds": {stage: seconds[stage] for stage in STAGES},
        "wall_s": wall_s,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "precision": cell.recipe.precision,
        "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    seconds, total = report["seconds"], sum(report["seconds"].values())
    scaled = f", scaled from {report['scaled_from_steps']} steps" if report["scaled_from_steps"] else ""
    lines = [
        f"{report['cell']}: {report['steps']} steps{scaled}, {report['precision']}, {report['device']}, "
        f"{report['threads']} threads, torch {report['torch']}, {report['date']}",
        "",
        "| stage | share | seconds | ms a step |",
        "| --- | ---: | ---: | ---: |",
    ]
    for stage, value in seconds.items():
        step = f"{value / report['steps'] * 1e3:.2f}" if stage in STEP else ""
        lines.append(f"| {stage} | {value / total:.1%} | {value:.2f} | {step} |")
    return "\n".join([*lines, f"| all | 100.0% | {total:.2f} | |"])


if __name__ == "__main__":
    main()

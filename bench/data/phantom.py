"""The embedded data set `phantom`: a resolution chart for segmentation, drawn from a seed at any size.

Things have sizes in pixels that do not follow the image, whose area only says how many are drawn; so the scale each class lives at
is known, and what a network's stride and receptive field cost it shows class by class.
"""

from pathlib import Path

import numpy as np

from bench.data.canvas import Canvas
from bench.data.chart import BACKGROUND, draw
from bench.data.decode import Pair, resize
from bench.data.samples import Sample
from bench.data.stream import Stream
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import PhantomSpec

SPLITS = ("train", "val", "test")
NOISE = 10.0
"""Bound of every pixel's noise, in grey levels of 255; its standard deviation is 4."""


def generate(index: int, split: str, spec: PhantomSpec) -> Pair:
    """The image (H, W, 3) and label (H, W), uint8, of one sample: a function of (spec.data_seed, split, index) and spec.size.

    The same bytes on every machine; every split draws from a stream of its own.
    """
    height, width = spec.size
    stream = Stream(spec.data_seed, SPLITS.index(split), index)
    canvas = _background(height, width, stream)
    draw(canvas)
    noisy = canvas.image + NOISE * stream.white(height, width, 3)
    return np.clip(noisy + 0.5, 0, 255).astype(np.uint8), canvas.label


def samples(root: Path, split: str, spec: PhantomSpec) -> list[Sample]:
    """The samples of a split; nothing is read below ``root``."""
    if spec.data_seed >= 2**64:
        raise BenchError(f"dataset.data_seed is {spec.data_seed}; the generator takes seeds below 2^64. Choose a smaller one.")
    count = {"train": spec.train_images, "val": spec.val_images, "test": spec.test_images}[split]
    return [Sample(id=f"{split}_{index:06d}", index=index) for index in range(count)]


def decode(sample: Sample, entry: DatasetEntry, spec: PhantomSpec) -> Pair:
    """Draw a sample, at the size the spec asks for."""
    image, label = generate(sample.index, sample.id.partition("_")[0], spec)
    return resize(image, label, spec.resize) if spec.resize else (image, label)


def _background(height: int, width: int, stream: Stream) -> Canvas:
    """Clouds of three scales around a colour of the picture's own."""
    ground = np.float32(stream.uniform(100, 156)) + 24 * stream.white(3)
    clouds = 8 * stream.cloud(height, width, 32) + 8 * stream.cloud(height, width, 8) + 6 * stream.cloud(height, width, 3)
    image = ground + clouds[..., None] * (1 + 0.3 * stream.white(3))
    return Canvas(image, np.full((height, width), BACKGROUND, np.uint8), ground, stream)

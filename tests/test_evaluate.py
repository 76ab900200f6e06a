"""Evaluation: counts are what a loop over pixels says, whatever the batch, the order and the sizes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.evaluate import evaluate
from bench.experiment import summarise
from bench.profiler import profile
from bench.specs import EvalSpec, ProfileSpec
from tests.test_data_augment import packed


class ByBrightness(nn.Module):
    """Predicts class 0 … 3 by how bright a pixel is; with a margin it sees the frame that is cut off."""

    def __init__(self, margin: int = 0) -> None:
        super().__init__()
        self.margin, self.output_stride = margin, 1
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        grey = images[:, :1] * 0.229 * 255 + 0.485 * 255
        if self.margin:
            grey = grey[..., self.margin : -self.margin, self.margin : -self.margin]
        return -(grey - torch.tensor([0.0, 60, 120, 180]).view(1, 4, 1, 1)).abs() * self.scale


@pytest.fixture
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    chance = np.random.default_rng(0)
    made = []
    for height, width in [(20, 24), (16, 30), (20, 24), (20, 24), (16, 30)]:
        shown = chance.integers(0, 4, (height, width), np.uint8)
        label = np.where(chance.random((height, width)) < 0.7, shown, chance.integers(0, 3, (height, width))).astype(np.uint8)
        label[chance.random((height, width)) < 0.1] = 255
        made.append((np.repeat((shown * 60)[..., None], 3, axis=2), label))
    return made


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("margin", [0, 3])
def test_counts_are_what_a_loop_over_pixels_says(pairs: list[tuple[np.ndarray, np.ndarray]], batch: int, margin: int) -> None:
    cache = packed([image for image, _ in pairs], [label for _, label in pairs])
    scores = evaluate(ByBrightness(margin), cache, EvalSpec(batch=batch), num_classes=4)
    for index, (image, label) in enumerate(pairs):
        expected = np.zeros((4, 4), np.int64)
        for truth, shown in zip(label.ravel(), image[..., 0].ravel() // 60, strict=True):
            if truth != 255:
                expected[truth, shown] += 1
        assert (scores.counts[index] == expected).all()
    assert scores.widths_px is not None and scores.widths_px.tolist() == [1] * 5


def test_scores_of_a_perfect_and_of_a_constant_model(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    truth = [image[..., 0] // 60 for image, _ in pairs]
    cache = packed([image for image, _ in pairs], truth)
    names = ("a", "b", "c", "d")
    metrics, per_class = summarise(evaluate(ByBrightness(), cache, EvalSpec(), num_classes=4), names)
    assert all(value == 1.0 for value in metrics.values()) and set(per_class["iou"]) == set(names)
    model = ByBrightness()
    with torch.no_grad():
        model.scale.zero_()  # all scores alike: argmax is class 0
    metrics, per_class = summarise(evaluate(model, cache, EvalSpec(), num_classes=4), names)
    share = sum((label == 0).sum() for label in truth) / sum(label.size for label in truth)
    assert per_class["iou"] == pytest.approx({"a": share, "b": 0, "c": 0, "d": 0})
    assert metrics["miou"] == pytest.approx(share / 4) and metrics["pixel_accuracy"] == pytest.approx(share)


def test_a_class_nobody_has_seen_has_no_score(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    cache = packed([np.zeros_like(image) for image, _ in pairs], [np.zeros_like(label) for _, label in pairs])
    _, per_class = summarise(evaluate(ByBrightness(), cache, EvalSpec(), num_classes=4), ("a", "b", "c", "d"))
    assert per_class["iou"] == {"a": 1.0, "b": None, "c": None, "d": None}


def test_a_profile_says_what_was_measured_and_how() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1))
    made = profile(model, (10, 20), ProfileSpec(batch=2, warmup=0, rounds=3))
    assert made["flops"] == 2 * 10 * 20 * 8 * 27
    assert made["latency_p95_ms"] >= made["latency_ms"] > 0 and made["images_per_s"] > 0
    assert (made["height_px"], made["width_px"], made["batch"], made["precision"]) == (10, 20, 2, "fp32")
    assert made["device"].startswith("CPU: ") and made["threads"] >= 1

"""Evaluation: counts are what a loop over pixels says, whatever the batch, the order and the sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.evaluate import count, evaluate, rescore
from bench.metrics.scores import iou
from bench.per_image import PerImage, read_arrays
from bench.predictions import PredictionWriter, read_predictions
from bench.profiler import profile
from bench.specs import EvalSpec, ProfileSpec
from bench.summary import summarise
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
    assert scores.widths_px.tolist() == [1] * 5
    assert (count(ByBrightness(margin), cache, EvalSpec(batch=batch), num_classes=4) == scores.counts).all()
    total = scores.objects.sum(axis=1)
    assert (total[:, 1] == scores.counts.sum(axis=2)).all() and (total[:, 0] == np.diagonal(scores.counts, axis1=1, axis2=2)).all()


def test_scores_of_a_perfect_and_of_a_constant_model(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    truth = [image[..., 0] // 60 for image, _ in pairs]
    cache = packed([image for image, _ in pairs], truth)
    names = ("a", "b", "c", "d")
    perfect = summarise(evaluate(ByBrightness(), cache, EvalSpec(), num_classes=4), names, stride=1)
    assert all(value == 1.0 for value in perfect.metrics.values()) and set(perfect.per_class["iou"]) == set(names)
    assert set(perfect.curves["trimap_iou"]) == {1.0}
    assert set(perfect.curves["object_iou"]["miou"]) == {1.0, None}  # None where there is no object of that size
    assert set(perfect.curves["error_by_distance"]["error"]) <= {0.0, None}
    model = ByBrightness()
    with torch.no_grad():
        model.scale.zero_()  # all scores alike: argmax is class 0
    constant = summarise(evaluate(model, cache, EvalSpec(), num_classes=4), names, stride=1)
    metrics, per_class = constant.metrics, constant.per_class
    share = sum((label == 0).sum() for label in truth) / sum(label.size for label in truth)
    assert per_class["iou"] == pytest.approx({"a": share, "b": 0, "c": 0, "d": 0})
    assert metrics["miou"] == pytest.approx(share / 4) and metrics["pixel_accuracy"] == pytest.approx(share)


def test_a_class_nobody_has_seen_has_no_score(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    cache = packed([np.zeros_like(image) for image, _ in pairs], [np.zeros_like(label) for _, label in pairs])
    names = ("a", "b", "c", "d")
    per_class = summarise(evaluate(ByBrightness(), cache, EvalSpec(), num_classes=4), names, stride=1).per_class
    assert per_class["iou"] == {"a": 1.0, "b": None, "c": None, "d": None}


def test_kept_label_maps_give_the_same_sums_as_the_model(pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    cache = packed([image for image, _ in pairs], [label for _, label in pairs])
    kept = tmp_path / "predictions.zip"
    with PredictionWriter(kept, [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]) as writer:
        predicted = evaluate(ByBrightness(), cache, EvalSpec(batch=2), num_classes=4, keep=writer.add)
    assert (read_predictions(kept, [cache.ids[1]])[0] == pairs[1][0][..., 0] // 60).all()
    again = rescore(kept, cache, EvalSpec(batch=3), num_classes=4)
    again.write(tmp_path / "per_image.npz")
    for one in (again, PerImage.read(tmp_path / "per_image.npz")):
        for name in ("counts", "bands", "trimap", "bf", "davis", "objects", "widths_px"):
            assert (getattr(one, name) == getattr(predicted, name)).all(), name
        assert one.ids == cache.ids
    wider = rescore(kept, cache, EvalSpec(boundary_ratio=0.1), num_classes=4)
    assert wider.widths_px.tolist() == [3] * 5 and (wider.counts == again.counts).all()


def test_a_broken_writer_leaves_nothing_and_broken_files_are_told(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError), PredictionWriter(tmp_path / "predictions.zip", [(0, 0, 0)]) as writer:
        writer.add("a", np.zeros((4, 4), np.uint8))
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    path = tmp_path / "predictions.zip"
    path.write_bytes(b"PK no archive")
    with pytest.raises(BenchError, match=r"predictions\.zip: kept predictions cannot be read"):
        read_predictions(path, ["a"])
    with pytest.raises(BenchError, match=r"no\.npz is missing"):
        read_arrays(tmp_path / "no.npz", ("counts",))
    cache = packed([image for image, _ in pairs], [label for _, label in pairs])
    with PredictionWriter(path, [(0, 0, 0)]) as writer:
        for name in cache.ids:
            writer.add(name, np.zeros((4, 4), np.uint8))
    with pytest.raises(BenchError, match=r"is \(4, 4\) pixels and its labels"):
        rescore(path, cache, EvalSpec(), num_classes=4)


def test_iou_by_class_agrees_with_the_summary(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    cache = packed([image for image, _ in pairs], [label for _, label in pairs])
    sums = evaluate(ByBrightness(), cache, EvalSpec(), num_classes=4)
    made = summarise(sums, ("a", "b", "c", "d"), stride=8)
    assert list(made.per_class["iou"].values()) == pytest.approx(iou(sums.counts.sum(0)).tolist(), nan_ok=True)
    assert made.metrics["trimap_iou_3px"] == made.curves["trimap_iou"][2]
    assert made.curves["error_by_distance"]["edge_strides"][-1] is None
    assert sum(made.curves["error_by_distance"]["share"]) == pytest.approx(1)
    assert sum(made.curves["object_iou"]["objects"]) == sums.objects[:, :, 3].sum()


def test_a_profile_says_what_was_measured_and_how() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1))
    made = profile(model, (10, 20), ProfileSpec(batch=2, warmup=0, rounds=3))
    assert made["flops"] == 2 * 10 * 20 * 8 * 27
    assert made["latency_p95_ms"] >= made["latency_ms"] > 0 and made["images_per_s"] > 0
    assert (made["height_px"], made["width_px"], made["batch"], made["precision"]) == (10, 20, 2, "fp32")
    assert made["device"].startswith("CPU: ") and made["threads"] >= 1

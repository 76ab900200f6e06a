"""Every convention of mIoU against the package it is named after, on awkward inputs."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from bench.metrics.confusion import confusion
from bench.metrics.dialects import DIALECTS, distinct, per_batch, same_as

CLASSES = 5


def plain() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (6, 9, 8)
    labels = torch.randint(0, CLASSES, shape, generator=generator)
    preds = torch.where(torch.rand(shape, generator=generator) < 0.6, labels, torch.randint(0, CLASSES, shape, generator=generator))
    return preds, labels


def absent() -> tuple[torch.Tensor, torch.Tensor]:
    """Class 4 occurs nowhere, class 2 in some images."""
    preds, labels = plain()
    preds[preds == 4], labels[labels == 4] = 0, 0
    preds[:3][preds[:3] == 2] = 1
    labels[:3][labels[:3] == 2] = 1
    return preds, labels


def false_positives() -> tuple[torch.Tensor, torch.Tensor]:
    """Class 3 is predicted and never true."""
    preds, labels = plain()
    labels[labels == 3] = 0
    return preds, labels


def one_class_images() -> tuple[torch.Tensor, torch.Tensor]:
    """Images of background alone, one of them predicted perfectly."""
    preds, labels = plain()
    labels[:2], preds[0] = 0, 0
    return preds, labels


CASES = [plain, absent, false_positives, one_class_images]


def with_void(maps: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    preds, labels = maps
    labels = labels.clone()
    labels[:, ::3] = 255
    labels[-1] = 255  # an image without a single label
    return preds, labels


def counts_of(maps: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    return confusion(*maps, CLASSES).numpy()


def ours(name: str, maps: tuple[torch.Tensor, torch.Tensor]) -> float:
    return DIALECTS[name].score(counts_of(maps))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("void", [False, True])
def test_torchmetrics_jaccard(case, void: bool) -> None:
    classification = pytest.importorskip("torchmetrics.classification")
    maps = with_void(case()) if void else case()
    metric = classification.MulticlassJaccardIndex(CLASSES, average="macro", ignore_index=255)
    assert ours("torchmetrics_jaccard", maps) == pytest.approx(float(metric(*maps)), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_torchmetrics_mean_iou(case) -> None:
    segmentation = pytest.importorskip("torchmetrics.segmentation")
    maps = case()
    metric = segmentation.MeanIoU(num_classes=CLASSES, input_format="index")
    for pred, label in zip(*maps, strict=True):  # one update an image: the result is the same for any batches
        metric.update(pred[None], label[None])
    assert ours("torchmetrics_mean_iou", maps) == pytest.approx(float(metric.compute()), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("reduction", ["micro", "micro-imagewise", "macro", "macro-imagewise"])
def test_smp(case, void: bool, reduction: str) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    maps = with_void(case()) if void else case()
    stats = smp.metrics.get_stats(*maps, mode="multiclass", num_classes=CLASSES, ignore_index=255 if void else None)
    theirs = float(smp.metrics.iou_score(*stats, reduction=reduction))
    assert ours(f"smp_{reduction.replace('-', '_')}", maps) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("void", [False, True])
def test_monai(case, void: bool) -> None:
    metrics = pytest.importorskip("monai.metrics")
    maps = with_void(case()) if void else case()
    metric = metrics.MeanIoU(include_background=True, reduction="mean", ignore_empty=True)
    # MONAI has no void: its users take such pixels out of both one-hot maps.
    known = (maps[1] != 255)[:, None]
    hot = [one_hot(each.clamp(max=CLASSES), CLASSES + 1)[..., :CLASSES].movedim(-1, 1) * known for each in maps]
    metric(*hot)
    assert ours("monai", maps) == pytest.approx(float(metric.aggregate()), abs=1e-6)


def reference_fcn(total: np.ndarray) -> np.ndarray:
    scores = []
    for c in range(len(total)):
        union = total[c].sum() + total[:, c].sum() - total[c, c]
        scores.append(total[c, c] / union if union else np.nan)
    return np.array(scores)


@pytest.mark.parametrize("case", CASES)
def test_conventions_without_a_package_here(case) -> None:
    maps = with_void(case())
    counts = counts_of(maps)
    total = counts.sum(0)
    scores = reference_fcn(total)
    assert ours("fcn", maps) == pytest.approx(np.nanmean(scores))
    assert ours("voc_devkit", maps) == pytest.approx(scores.mean(), nan_ok=True)
    assert ours("detectron2", maps) == pytest.approx(scores[total.sum(1) > 0].mean())
    by_image = np.array([reference_fcn(each) for each in counts])
    with_class = [by_image[:, c][~np.isnan(by_image[:, c])] for c in range(1, CLASSES)]
    expected = np.mean([each.mean() if len(each) else np.nan for each in with_class])
    assert ours("nnunet", maps) == pytest.approx(expected, nan_ok=True)
    batches = [np.nanmean(reference_fcn(counts[i : i + 2].sum(0))) for i in (0, 2, 4)]
    assert per_batch(counts, batch=2) == pytest.approx(np.mean(batches))


def test_they_disagree_by_hand() -> None:
    counts = np.array([[[90, 0, 0], [10, 0, 0], [0, 0, 0]], [[50, 0, 0], [0, 50, 0], [0, 0, 0]]])
    expected = {
        "fcn": (140 / 150 + 50 / 60) / 2,
        "voc_devkit": np.nan,
        "detectron2": (140 / 150 + 50 / 60) / 2,
        "torchmetrics_mean_iou": (0.9 + 0 + 1 + 1) / 4,
        "smp_micro": 190 / 210,
        "smp_micro_imagewise": (90 / 110 + 1) / 2,
        "smp_macro": (140 / 150 + 50 / 60 + 1) / 3,
        "smp_macro_imagewise": (0.9 + 0 + 1 + 1 + 1 + 1) / 6,
        "monai": (0.45 + 1) / 2,
        "nnunet": np.nan,
    }
    for name, score in expected.items():
        assert DIALECTS[name].score(counts) == pytest.approx(score, nan_ok=True), name


@pytest.mark.parametrize("name", DIALECTS)
def test_perfect_constant_and_random_predictions(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (40, 60, 60), generator=generator)
    score = DIALECTS[name].score
    assert score(counts_of((labels, labels))) == pytest.approx(1.0)
    guesses = torch.randint(0, CLASSES, labels.shape, generator=generator)
    assert score(counts_of((guesses, labels))) == pytest.approx(1 / (2 * CLASSES - 1), abs=0.004)
    constant = score(counts_of((torch.zeros_like(labels), labels)))
    share = 1 / CLASSES
    theory = {"smp_micro": share / (2 - share), "smp_micro_imagewise": share / (2 - share), "nnunet": 0.0}
    assert constant == pytest.approx(theory.get(name, share / CLASSES), abs=0.004)


@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "per_batch"])
def test_the_order_of_images_does_not_matter(name: str) -> None:
    counts = counts_of(plain())
    assert DIALECTS[name].score(counts[::-1]) == pytest.approx(DIALECTS[name].score(counts))


def test_all_void_gives_no_score() -> None:
    preds, labels = plain()
    counts = counts_of((preds, torch.full_like(labels, 255)))
    assert np.isnan(DIALECTS["fcn"].score(counts))
    assert all(dialect.rule for dialect in DIALECTS.values())


# Two kinds of images in equal number. The shares of their true pixels are known, so what a model without eyes scores is, too.
KINDS = np.array([[0.5, 0.5, 0, 0, 0], [0.5, 0, 0.3, 0.2, 0]])
NAN = float("nan")
# Always class 0: IoU 1/2 for it in every image, 0 for the other true classes; class 4 occurs nowhere.
CONSTANT = {
    "fcn": 1 / 8, "voc_devkit": NAN, "detectron2": 1 / 8, "torchmetrics_mean_iou": 1 / 5, "smp_micro": 1 / 3,
    "smp_micro_imagewise": 1 / 3, "smp_macro": 3 / 10, "smp_macro_imagewise": 3 / 5, "monai": 5 / 24, "nnunet": NAN,
    "per_batch": 1 / 8,
}  # fmt: skip


def blind(shares: np.ndarray, guess: np.ndarray, images: int = 16, pixels: int = 200_000) -> np.ndarray:
    """Counts of images whose true classes have these shares (kind, C), guessed with chances (C) that ignore the image."""
    rng = np.random.default_rng(0)
    kinds = shares[np.arange(images) % len(shares)]
    return np.stack([rng.multinomial(pixels, np.outer(kind, guess).ravel()).reshape(len(guess), -1) for kind in kinds])


def expected_of_guessing(name: str, shares: np.ndarray, guess: np.ndarray) -> float:
    """The score from the shares alone: independent guessing has IoU pq / (p + q - pq)."""

    def ious(p: np.ndarray) -> np.ndarray:
        union = p + guess - p * guess
        return np.divide(p * guess, union, out=np.full(len(p), np.nan), where=union > 0)

    total, single = shares.mean(0), np.array([ious(p) for p in shares])
    right = shares @ guess
    if name in ("fcn", "per_batch"):  # every batch holds both kinds alike
        return np.nanmean(ious(total))
    by_class = [each[~np.isnan(each)] for each in single.T[1:]]
    return {
        "voc_devkit": ious(total).mean(),
        "detectron2": ious(total)[total > 0].mean(),
        "torchmetrics_mean_iou": np.nanmean(single),
        "smp_micro": right.mean() / (2 - right.mean()),
        "smp_micro_imagewise": (right / (2 - right)).mean(),
        "smp_macro": np.nan_to_num(ious(total), nan=1).mean(),
        "smp_macro_imagewise": np.nan_to_num(single, nan=1).mean(),
        "monai": np.mean([each[p > 0].mean() for each, p in zip(single, shares, strict=True)]),
        "nnunet": np.mean([each.mean() if len(each) else np.nan for each in by_class]),
    }[name]


GUESSES = {
    "each class alike, one of them never true": np.full(5, 0.2),
    "as often as it is true, one class absent": KINDS.mean(0),
    "mostly background": np.array([0.8, 0.05, 0.05, 0.05, 0.05]),
}


@pytest.mark.parametrize("name", distinct())
@pytest.mark.parametrize("guess", GUESSES)
def test_a_random_model_scores_what_theory_says(name: str, guess: str) -> None:
    chance = GUESSES[guess]
    expected = expected_of_guessing(name, KINDS, chance)
    assert DIALECTS[name].score(blind(KINDS, chance)) == pytest.approx(expected, abs=0.002, nan_ok=True)
    everywhere = expected_of_guessing(name, KINDS[:, :4] + 0, np.full(4, 0.25))
    assert np.isfinite(everywhere), "without an absent class every convention has a score"
    assert DIALECTS[name].score(blind(KINDS[:, :4], np.full(4, 0.25))) == pytest.approx(everywhere, abs=0.002)


@pytest.mark.parametrize("name", distinct())
def test_a_constant_and_a_perfect_model_score_what_theory_says(name: str) -> None:
    constant = blind(KINDS, np.eye(5)[0])
    assert DIALECTS[name].score(constant) == pytest.approx(CONSTANT[name], abs=0.002, nan_ok=True)
    perfect = np.stack([np.diag(truth) for truth in constant.sum(2)])
    undefined = name in ("voc_devkit", "nnunet")  # a class that occurs nowhere
    assert DIALECTS[name].score(perfect) == (pytest.approx(NAN, nan_ok=True) if undefined else 1)
    assert DIALECTS[name].score(perfect[:, :4, :4]) == 1
    never = np.stack([np.roll(each, 1, axis=1) for each in perfect[:, :4, :4]])
    absent = {"smp_macro_imagewise": 0.125}  # the first kind of image holds only classes 0 and 1, so class 3 is 1 there
    assert DIALECTS[name].score(never) == pytest.approx(absent.get(name, 0.0))


def test_conventions_with_one_rule_are_one_object() -> None:
    assert {name for name in DIALECTS if same_as(name) == "fcn"} == {
        "fcn",
        "mmsegmentation",
        "hugging_face",
        "torchmetrics_jaccard",
    }
    assert same_as("torchvision") == "voc_devkit" and len(distinct()) == 11

"""U-Net's border weights against distances counted pixel by pixel, and on their way through cache, augmentation and loss."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.checkpoint import TrainState
from bench.data.augment import augment
from bench.data.border import border_file, border_term, object_ids
from bench.data.cache import open_cache
from bench.data.chance import draw
from bench.data.prepare import prepare, prepare_border
from bench.errors import BenchError
from bench.losses import segmentation_loss
from bench.models import build_model
from bench.specs import AugmentationSpec, BorderSpec, TrainSpec, UnetSpec
from bench.train import build_optimizer, train
from tests.made import ENTRY, SAMPLES, SIZES, SPEC, made


def brute(label: np.ndarray, objects: tuple[int, ...], sigma_px: float) -> np.ndarray:
    """The paper's equation with every component flooded by hand and every distance computed."""
    todo = {(int(y), int(x)) for y, x in zip(*np.nonzero(np.isin(label, objects)), strict=True)}
    components = []
    while todo:
        edge, found = [todo.pop()], []
        while edge:
            y, x = edge.pop()
            found.append((y, x))
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in todo and label[near] == label[y, x]:
                    todo.remove(near)
                    edge.append(near)
        components.append(np.array(found))
    grid = np.stack(np.mgrid[: label.shape[0], : label.shape[1]], -1).reshape(-1, 1, 2)
    far = [np.sqrt(((grid - each) ** 2).sum(-1)).min(axis=1) for each in components]
    two = np.sort([*far, *np.full((2, label.size), np.inf)], axis=0)[:2].sum(axis=0)
    return np.exp(-(two**2) / (2 * sigma_px**2)).reshape(label.shape)


@pytest.mark.parametrize("objects", [(1,), (1, 2), (0, 2)])
@pytest.mark.parametrize("sigma_px", [0.4, 1.5, 5.0])
def test_terms_are_the_papers(objects: tuple[int, ...], sigma_px: float) -> None:
    label = np.kron(np.random.default_rng(1).choice([0, 0, 1, 2, 255], (9, 12)), np.ones((3, 3))).astype(np.uint8)
    assert border_term(label, objects, sigma_px) == pytest.approx(brute(label, objects, sigma_px), abs=1e-6)


def test_by_hand() -> None:
    # Two objects three pixels apart: between them d1 + d2 is 3, in the first pixel of an object 0 + 3.
    label = np.array([[1, 1, 0, 0, 1]], np.uint8)
    expected = [np.exp(-((0 + 4 - x if x < 2 else (x - 1) + (4 - x) if x < 4 else 3) ** 2) / 50) for x in range(5)]
    assert border_term(label, (1,), 5.0)[0] == pytest.approx(expected)
    assert not border_term(np.array([[1, 1, 0, 0, 0]], np.uint8), (1,), 5.0).any(), "one object has no border with another"
    assert not border_term(np.zeros((4, 4), np.uint8), (1,), 5.0).any()


def test_terms_are_packed_once_and_cut_like_labels(tmp_path: Path) -> None:
    folder, spec = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache"), BorderSpec(objects=["a", "c"], sigma_px=2)
    path = prepare_border(folder, ENTRY, spec)
    assert path.name == border_file(spec, ENTRY.class_names) != border_file(BorderSpec(objects=["a"]), ENTRY.class_names)
    before = path.stat().st_mtime_ns
    assert prepare_border(folder, ENTRY, spec).stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:-2])
    prepare_border(folder, ENTRY, spec)
    cache = open_cache(folder, path.name)
    for index, size in enumerate(SIZES):
        term = border_term(made(index)[1], (0, 2), 2.0)
        _, labels, got = cache.crops(np.array([index]), np.array([[-2, 1]]), (9, 5))
        wide = np.zeros((30, 30), np.float32)
        wide[5 : 5 + size[0], 5 : 5 + size[1]] = term
        assert got[0].numpy() == pytest.approx(wide[3:12, 6:11], abs=5e-4)
        assert labels.dtype == torch.uint8


def test_terms_follow_every_augmentation_to_the_pixel(tmp_path: Path) -> None:
    """A cache whose terms are its labels' numbers must have them so after every change."""
    cache = open_cache(prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache"))
    told = torch.where(cache.labels == 255, torch.zeros(()), cache.labels.float() + 1).half()
    marked = cache.__class__(**{**cache.__dict__, "border": told})
    for spec in (
        AugmentationSpec(flip=0.5),
        AugmentationSpec(flip=0.5, scale=(0.5, 2.0)),
        AugmentationSpec(flip=0.5, scale=(0.5, 2.0), rotate_deg=40, elastic_px=3, colour=0.2, noise=3),
    ):
        _, labels, terms = augment(marked, np.array([0, 1, 2, 0]), (6, 7), spec, draw(0, 1, 4))
        assert torch.equal(terms.float(), torch.where(labels == 255, torch.zeros(()), labels.float() + 1))


def test_an_unknown_class_is_told_with_the_known_ones() -> None:
    with pytest.raises(BenchError, match=r"unknown class 'cel'\. Did you mean 'cell'\? The classes are membrane, cell"):
        object_ids(BorderSpec(objects=["cel"]), ("membrane", "cell"))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 3.0])])
def test_the_loss_adds_pixel_weights_to_those_of_the_classes(weights: torch.Tensor | None, smoothing: float) -> None:
    chance = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(2, 3, 4, 5, generator=chance), torch.randint(0, 3, (2, 4, 5), generator=chance)
    labels[0, 0] = 255
    extra = torch.rand(2, 4, 5, generator=chance) * 10
    got = segmentation_loss(logits, labels, class_weights=weights, pixel_weights=extra, label_smoothing=smoothing)
    total, norm = 0.0, 0.0
    base = torch.ones(3) if weights is None else weights
    for b, y, x in (labels != 255).nonzero().tolist():
        cost, label = -logits[b, :, y, x].log_softmax(0), labels[b, y, x]
        each = base + extra[b, y, x]
        total += (1 - smoothing) * each[label] * cost[label] + smoothing * (each * cost).sum() / 3
        norm += each[label]
    assert got.item() == pytest.approx((total / norm).item(), rel=1e-5)


def test_a_valid_net_is_trained_on_weights_that_lie_where_its_labels_do() -> None:
    """The loss that a training logs, against numpy: logits, labels and terms of the part of the image that has logits."""
    torch.manual_seed(0)
    model = build_model(UnetSpec(name="unet", width=2, depth=1, padding="valid", norm="none"), 3)
    chance = np.random.default_rng(0)
    images = torch.from_numpy(chance.normal(size=(2, 3, 26, 31)).astype(np.float32))
    labels, term = chance.choice(np.array([0, 1, 2, 255]), (2, 26, 31)), chance.random((2, 26, 31))
    with torch.no_grad():
        logits = model(images).double().numpy()
    margin = (26 - logits.shape[2]) // 2
    assert logits.shape == (2, 3, 26 - 2 * margin, 31 - 2 * margin) and margin == 8
    total = weight = 0.0
    for b, y, x in np.ndindex(2, *logits.shape[2:]):
        label, scores = labels[b, y + margin, x + margin], logits[b, :, y, x]
        if label != 255:
            each = 1 + 7 * term[b, y + margin, x + margin]
            total += each * (np.log(np.exp(scores).sum()) - scores[label])
            weight += each
    spec = TrainSpec(steps=1, batch=2, border_weights=BorderSpec(objects=["a"], w0=7))
    lines: list[dict[str, float]] = []
    train(
        TrainState(model, build_optimizer(model, spec)),
        lambda _: (images, torch.from_numpy(labels).to(torch.uint8), torch.from_numpy(term)),
        spec,
        seed=0,
        log=lines.append,
        validate=None,
        save=lambda _: None,
        should_save=lambda: False,
        should_stop=lambda: False,
    )
    assert lines[0]["loss"] == pytest.approx(total / weight, rel=1e-5)


@pytest.mark.data
def test_membranes_weigh_more_than_cells_in_a_real_slice(real_data: Path) -> None:
    with Image.open(real_data / "ISBI2012" / "train-labels.tif") as stack:
        label = np.array(stack)
    term = border_term((label > 0).astype(np.uint8), (1,), 5.0)
    assert term[label == 0].mean() > 2 * term[label > 0].mean() and term.min() >= 0 and term.max() < 1

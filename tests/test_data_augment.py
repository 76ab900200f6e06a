"""Augmentation: labels move with their pixels, and randomness depends on (seed, step, sample) alone."""

import functools
import operator

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from bench.data.augment import _recoloured, augment, cut, locate
from bench.data.batches import Batches, by_size
from bench.data.cache import Cache, normalise
from bench.data.chance import draw, generator, torch_seed
from bench.data.crops import crop_size
from bench.data.noise import noise_like
from bench.errors import BenchError
from bench.specs import AugmentationSpec, TrainSpec

PLAIN = AugmentationSpec()
EVERYTHING = AugmentationSpec(flip=0.5, scale=(0.5, 2.0), rotate_deg=20, elastic_px=4, colour=0.3)


def packed(images: list[np.ndarray], labels: list[np.ndarray]) -> Cache:
    areas = np.array([label.size for label in labels])
    counts = np.array([np.bincount(label.ravel(), minlength=256)[:4] for label in labels])
    return Cache(
        pixels=torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images])),
        labels=torch.from_numpy(np.concatenate([label.ravel() for label in labels])),
        sizes=np.array([label.shape for label in labels]),
        offsets=np.concatenate([[0], np.cumsum(areas)]),
        class_counts=counts,
        ids=tuple(map(str, range(len(labels)))),
    )


def blocks(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour tells its label: four quadrants of 60 * label."""
    label = np.zeros((height, width), np.uint8)
    label[: height // 2, width // 2 :] = 1
    label[height // 2 :, : width // 2] = 2
    label[height // 2 :, width // 2 :] = 3
    return np.repeat((label * 60)[..., None], 3, axis=2), label


@pytest.fixture
def cache() -> Cache:
    pairs = [blocks(40, 48) for _ in range(6)]
    return packed([image for image, _ in pairs], [label for _, label in pairs])


def test_nothing_is_changed_when_nothing_is_asked_for(cache: Cache) -> None:
    images, labels = augment(cache, np.arange(6), (40, 48), PLAIN, draw(0, 0, 6))
    assert (images == cache.whole(np.arange(6))[0]).all() and (labels == cache.whole(np.arange(6))[1]).all()


def test_a_flip_is_exact_and_happens_about_as_often_as_asked(cache: Cache) -> None:
    indices = np.zeros(400, np.int64)
    images, labels = augment(cache, indices, (40, 48), AugmentationSpec(flip=0.25), draw(0, 0, 400))
    image, label = cache.image(0)
    flipped = (labels == label.flip(1)).flatten(1).all(1)
    assert ((labels == label).flatten(1).all(1) | flipped).all()
    assert torch.equal(images[flipped], image.flip(1).expand(int(flipped.sum()), -1, -1, -1))
    assert 0.18 < flipped.float().mean() < 0.32


@pytest.mark.parametrize(
    "spec",
    [
        AugmentationSpec(scale=(0.5, 2.0)),
        AugmentationSpec(rotate_deg=30),
        AugmentationSpec(elastic_px=3),
        AugmentationSpec(flip=1.0, scale=(0.7, 1.4), rotate_deg=10, elastic_px=2),
    ],
)
def test_labels_stay_on_their_pixels(cache: Cache, spec: AugmentationSpec) -> None:
    images, labels = augment(cache, np.arange(6), (32, 32), spec, draw(3, 1, 6))
    assert labels.shape == (6, 32, 32) and images.shape == (6, 32, 32, 3)
    known = labels != 255
    # Away from edges, where bilinear neighbours agree, the colour tells the label exactly.
    flat = (images[..., 0] / 60 - (images[..., 0] / 60).round()).abs() < 1e-4
    inner = known & flat
    assert inner.float().mean() > 0.5
    assert ((images[..., 0] / 60).round()[inner] == labels[inner]).float().mean() > 0.995
    assert (labels[0] != labels[1]).any(), "samples of a batch are changed differently"


def test_a_zoom_of_one_resamples_to_the_same_picture(cache: Cache) -> None:
    warped = AugmentationSpec(scale=(1.0, 1.0000001))
    images, labels = augment(cache, np.arange(6), (40, 48), warped, draw(0, 0, 6))
    assert torch.equal(labels, cache.whole(np.arange(6))[1])
    assert (images - cache.whole(np.arange(6))[0].float()).abs().max() < 0.1


def test_a_zoom_of_two_shows_things_twice_as_large(cache: Cache) -> None:
    _, labels = augment(cache, np.zeros(50, np.int64), (40, 48), AugmentationSpec(scale=(2.0, 2.0)), draw(0, 0, 50))
    assert (labels != 255).all(), "the zoomed window lies inside the image"
    _, small = augment(cache, np.zeros(1, np.int64), (40, 48), AugmentationSpec(scale=(0.5, 0.5)), draw(0, 0, 1))
    assert (small != 255).sum() == 20 * 24, "an image of half the size is centred in void"


@pytest.fixture
def painted() -> Cache:
    """Images of two sizes in smooth colours and labels in stripes."""
    images, labels = [], []
    for height, width in ((60, 50), (44, 90)) * 4:
        y, x = np.mgrid[:height, :width]
        images.append(np.stack([3 * y, 2 * x, y + x], -1).astype(np.uint8))
        labels.append(((y // 5 + x // 7) % 4).astype(np.uint8))
    return packed(images, labels)


def test_a_scaled_sample_is_its_crop_as_pillow_resizes_it(painted: Cache) -> None:
    """Pillow's `transform` samples at pixel centres without averaging, as we do."""
    spec, size, draws, indices = AugmentationSpec(flip=0.5, scale=(0.6, 2.0)), (32, 40), draw(7, 1, 8), np.arange(8)
    places = locate(painted.sizes, indices, size, spec, draws)
    images, labels = Batches(painted, indices, TrainSpec(batch=8, crop=size), spec, 0)._made(
        lambda part: cut(painted, places.rows(part)), places, torch.device("cpu")
    )
    zoom, inside = 0.6 * (2.0 / 0.6) ** draws.uniform[:, 3], 0
    for index in indices:
        side = np.rint(np.array(size) / zoom[index]).astype(int)
        free = painted.sizes[index] - side
        if (free < 0).any():
            continue
        inside += 1
        top, left = np.floor(draws.uniform[index, :2] * (free + 1)).astype(int)
        image, label = (plane.numpy() for plane in painted.image(index))
        window = (slice(top, top + side[0]), slice(left, left + side[1]))
        expected = (
            _by_pillow(image[window], size, Image.Resampling.BILINEAR),
            _by_pillow(label[window], size, Image.Resampling.NEAREST),
        )
        if draws.uniform[index, 2] < 0.5:
            expected = expected[0][:, ::-1], expected[1][:, ::-1]
        got = images[index].permute(1, 2, 0) * 255 * torch.tensor((0.229, 0.224, 0.225)) + 255 * torch.tensor((0.485, 0.456, 0.406))
        assert np.abs(got.numpy() - expected[0])[1:-1, 1:-1].max() < 1.6  # both round, and Pillow leaves the rim black
        assert (labels[index].numpy() == expected[1]).mean() > 0.999
    assert inside > 3


def _by_pillow(plane: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    down, right = plane.shape[0] / size[0], plane.shape[1] / size[1]
    moved = Image.fromarray(plane).transform(size[::-1], Image.Transform.AFFINE, (right, 0, 0, 0, down, 0), how)
    return np.asarray(moved)


@pytest.mark.parametrize("spec", [AugmentationSpec(flip=0.5, scale=(0.3, 2.0)), EVERYTHING.model_copy(update={"noise": 3.0})])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_made_in_one_piece_is_the_one_made_sample_by_sample(painted: Cache, spec: AugmentationSpec, threads: int) -> None:
    """In one piece is how a GPU makes it: nothing but rounding to whole grey levels differs."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    indices, size, draws = np.arange(8), (32, 40), draw(3, 2, 8)
    images, labels = augment(painted, indices, size, spec, draws)
    each = [augment(painted, indices[[k]], size, spec, draws.rows(slice(k, k + 1))) for k in range(8)]
    places = locate(painted.sizes, indices, size, spec, draws)
    whole = Batches(painted, indices, TrainSpec(batch=8, crop=size), spec, 0)._made(
        lambda part: cut(painted, places.rows(part)), places, torch.device("cpu")
    )
    torch.set_num_threads(before)
    assert torch.equal(whole[1], labels) and torch.equal(whole[1], torch.cat([pair[1] for pair in each]))
    assert torch.equal(whole[0], normalise(torch.cat([pair[0] for pair in each])))
    assert (whole[0] - normalise(images)).abs().max() < 1.3 / (255 * 0.224)


@pytest.mark.parametrize("spec", [AugmentationSpec(flip=0.5), AugmentationSpec(flip=0.5, noise=3.0, colour=0.3)])
def test_large_crops_are_made_one_by_one_and_are_the_same(
    painted: Cache, monkeypatch: pytest.MonkeyPatch, spec: AugmentationSpec
) -> None:
    """Crops that lie in their images, and such as reach beyond them; mirrored and not."""
    batches = Batches(painted, np.arange(8), TrainSpec(batch=8, crop=(44, 60)), spec, 0)
    before = painted.pixels.clone()
    whole = [batches(step) for step in range(3)]
    monkeypatch.setattr("bench.data.batches._LARGE", 44 * 60)
    monkeypatch.setattr(Cache, "_lines", None)  # what gathers a batch in one piece
    for step, planes in enumerate(whole):
        assert all(torch.equal(one, other) for one, other in zip(planes, batches(step), strict=True))
    assert torch.equal(before, painted.pixels)


def test_a_cache_is_not_written_to(painted: Cache) -> None:
    before = painted.pixels.clone(), painted.labels.clone()
    for spec in (AugmentationSpec(flip=0.5), AugmentationSpec(flip=1.0, noise=9.0, colour=0.5), EVERYTHING):
        for batch in (1, 3):
            Batches(painted, np.arange(8), TrainSpec(batch=batch, crop=30), spec, 0)(0)
    assert torch.equal(before[0], painted.pixels) and torch.equal(before[1], painted.labels)


def test_colour_depends_neither_on_threads_nor_on_the_batch_split() -> None:
    """Contrast turns about the mean of a sample: a sum that must not be added up in another order."""
    pixels = torch.randint(0, 256, (3 * 300 * 200, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = pixels.view(3, 300, 200, 3)
    draws, before = draw(1, 4, 3), torch.get_num_threads()
    made = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        made.append(_recoloured(images, 0.3, draws))
        made.append(torch.cat([_recoloured(images[[k]], 0.3, draws.rows(slice(k, k + 1))) for k in range(3)]))
    torch.set_num_threads(before)
    assert all(torch.equal(each, made[0]) for each in made)


def test_draws_do_not_depend_on_the_batch_split(cache: Cache) -> None:
    draws = draw(5, 9, 6)
    whole = augment(cache, np.arange(6), (24, 24), EVERYTHING.model_copy(update={"colour": 0.0}), draws)
    parts = [
        augment(cache, np.arange(6)[part], (24, 24), EVERYTHING.model_copy(update={"colour": 0.0}), draws.rows(part))
        for part in (slice(0, 2), slice(2, 6))
    ]
    assert torch.equal(whole[1], torch.cat([labels for _, labels in parts]))
    assert torch.allclose(whole[0], torch.cat([images for images, _ in parts]), atol=1e-2)
    assert (draw(5, 9, 3).uniform == draws.uniform[:3]).all() and (draw(5, 9, 3).normal == draws.normal[:3]).all()


def test_noise_is_gaussian_and_a_function_of_its_sample_alone(cache: Cache) -> None:
    draws, grey = draw(0, 0, 64), torch.full((64, 32, 33, 3), 128.0)
    keys = torch.from_numpy(draws.noise)
    noise = noise_like(grey, keys)
    assert torch.equal(noise[5:9], noise_like(grey[5:9], keys[5:9])) and not torch.equal(noise[0], noise[1])
    assert stats.kstest(noise.flatten().double().numpy(), "norm").pvalue > 0.01
    planes = noise.flatten(1).double()
    for moved in (1, 3, 99, 1584, 1585):  # neighbours in channel, column, row, and the two halves of a word
        assert abs((planes * planes.roll(moved, 1)).mean()) < 4 / planes.numel() ** 0.5
    assert abs(torch.corrcoef(planes).fill_diagonal_(0)).max() < 5.5 / planes.shape[1] ** 0.5
    assert (draw(0, 0, 3).noise == draws.noise[:3]).all() and (draw(0, 1, 64).noise != draws.noise).all()


def test_noise_has_the_deviation_asked_for_and_stays_in_range(cache: Cache) -> None:
    indices = np.zeros(50, np.int64)
    plain, labels = cache.whole(indices)
    noisy, same = augment(cache, indices, (40, 48), AugmentationSpec(noise=6.0), draw(1, 0, 50))
    middle = labels == 2
    assert (noisy - plain)[middle].std().item() == pytest.approx(6.0, rel=0.02)
    assert torch.equal(labels, same) and noisy.min() == 0 and noisy.max() <= 255


def test_chance_depends_on_seed_purpose_and_step() -> None:
    first = generator(1, "a", 2).random(4)
    assert (generator(1, "a", 2).random(4) == first).all()
    for other in (generator(2, "a", 2), generator(1, "b", 2), generator(1, "a", 3)):
        assert (other.random(4) != first).all()
    assert 0 <= torch_seed(0, "x") < 2**63 and torch_seed(0, "x") != torch_seed(1, "x")


def test_batches_are_epochs_without_replacement_and_functions_of_the_step(cache: Cache) -> None:
    train = TrainSpec(steps=9, batch=4)
    batches = Batches(cache, np.array([0, 2, 3, 5]), train, EVERYTHING, seed=1)
    seen = np.concatenate([batches.indices(step) for step in range(6)]).reshape(6, 4)
    assert all(sorted(epoch) == [0, 2, 3, 5] for epoch in seen.tolist())
    assert len({tuple(epoch) for epoch in seen.tolist()}) > 1
    fresh = Batches(cache, np.array([0, 2, 3, 5]), train, EVERYTHING, seed=1)
    for one, other in zip(fresh(5), batches(5), strict=True):
        assert torch.equal(one, other)


def test_a_batch_larger_than_the_set_runs_across_epochs(cache: Cache) -> None:
    batches = Batches(cache, np.array([1, 4]), TrainSpec(steps=9, batch=5), PLAIN, seed=0)
    assert np.bincount(np.concatenate([batches.indices(step) for step in range(4)]), minlength=6).tolist() == [0, 10, 0, 0, 10, 0]


def test_whole_images_must_be_of_one_size() -> None:
    with pytest.raises(BenchError, match="10x20 and 11x20"):
        crop_size(np.array([[10, 20], [11, 20]]), TrainSpec())
    assert crop_size(np.array([[10, 20], [11, 20]]), TrainSpec(crop=8)) == (8, 8)
    assert crop_size(np.array([[10, 20]]), TrainSpec(crop=(4, 6))) == (4, 6)


def test_grouping_by_size_covers_every_image_once() -> None:
    sizes = np.array([[4, 5], [6, 7], [4, 5], [4, 5], [6, 7]])
    groups = [group.tolist() for group in by_size(sizes, 2)]
    assert sorted(functools.reduce(operator.iadd, groups, [])) == [0, 1, 2, 3, 4]
    assert all(len({tuple(sizes[index]) for index in group}) == 1 and len(group) <= 2 for group in groups)

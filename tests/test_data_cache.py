"""The packed cache: crops equal slices, whatever lies outside is void, and half a cache is none."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.cache import FILL, VOID, Cache, normalise, open_cache
from bench.data.prepare import is_complete, prepare
from bench.data.samples import Sample
from bench.errors import BenchError
from bench.registry import DatasetEntry
from bench.specs import DatasetSpec

SIZES = [(7, 9), (5, 6), (12, 4)]
ENTRY = DatasetEntry(
    samples="", class_names=("a", "b", "c"), palette=((0, 0, 0),) * 3, ignore_index=255, splits={}, version="1", license="",
    paper="", obtain="", decode="tests.test_data_cache:decode",
)  # fmt: skip
SPEC = DatasetSpec(name="made")


def made(index: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(index)
    height, width = SIZES[index]
    return chance.integers(0, 256, (height, width, 3), np.uint8), chance.choice(np.array([0, 1, 2, 255], np.uint8), (height, width))


def decode(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    if sample.id == "broken":
        raise BenchError("broken.png: truncated")
    return made(sample.index)


SAMPLES = [Sample(str(index), index=index) for index in range(len(SIZES))]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return open_cache(prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache"))


def test_images_come_back_as_they_went_in(cache: Cache) -> None:
    assert cache.ids == ("0", "1", "2")
    for index in range(len(SIZES)):
        image, label = made(index)
        got_image, got_label = cache.image(index)
        assert (got_image.numpy() == image).all() and (got_label.numpy() == label).all()
        assert cache.class_counts[index].tolist() == [(label == each).sum() for each in range(3)]


@pytest.mark.parametrize("corner", [(0, 0), (2, 1), (1, 2), (-2, -3), (4, 3), (-20, -20)])
def test_crops_equal_padded_slices(cache: Cache, corner: tuple[int, int]) -> None:
    indices, size = np.array([2, 0, 1]), (4, 3)
    images, labels = cache.crops(indices, np.tile(corner, (3, 1)), size)
    for row, index in enumerate(indices):
        image, label = made(index)
        wide_image = np.full((60, 60, 3), FILL, np.uint8)
        wide_label = np.full((60, 60), VOID, np.uint8)
        wide_image[25 : 25 + image.shape[0], 25 : 25 + image.shape[1]] = image
        wide_label[25 : 25 + label.shape[0], 25 : 25 + label.shape[1]] = label
        window = slice(25 + corner[0], 29 + corner[0]), slice(25 + corner[1], 28 + corner[1])
        assert (images[row].numpy() == wide_image[window]).all()
        assert (labels[row].numpy() == wide_label[window]).all()


def test_the_last_pixels_of_the_last_image_can_be_cut(cache: Cache) -> None:
    images, labels = cache.crops(np.array([2]), np.array([[8, 1]]), (4, 3))
    assert (images[0].numpy() == made(2)[0][8:12, 1:4]).all() and (labels[0].numpy() == made(2)[1][8:12, 1:4]).all()


def test_whole_images_of_two_sizes_share_no_batch(cache: Cache) -> None:
    with pytest.raises(AssertionError):
        cache.whole(np.array([0, 1]))


def test_normalised_input_has_imagenets_mean_taken_out() -> None:
    images = torch.tensor([[[[124, 116, 104], [255, 0, 0]]]], dtype=torch.uint8)
    batch = normalise(images)
    assert batch.shape == (1, 3, 1, 2) and batch.is_contiguous(memory_format=torch.channels_last)
    assert batch[0, :, 0, 0].abs().max() < 0.03
    assert batch[0, 0, 0, 1].item() == pytest.approx((1 - 0.485) / 0.229, abs=1e-5)


def test_a_prepared_cache_is_not_made_again(tmp_path: Path) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache")
    before = (folder / "pixels.u8").stat().st_mtime_ns
    prepare(SAMPLES, ENTRY, SPEC, folder)
    assert (folder / "pixels.u8").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["pixels.u8", "labels.u8", "index.npz"])
def test_a_truncated_cache_is_made_again(tmp_path: Path, name: str) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    assert not is_complete(folder)
    prepare(SAMPLES, ENTRY, SPEC, folder)
    assert open_cache(folder).image(0)[1].shape == SIZES[0]


def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="truncated"):
        prepare([*SAMPLES, Sample("broken")], ENTRY, SPEC, tmp_path / "cache")
    assert [each.name for each in tmp_path.iterdir() if not each.name.endswith(".lock")] == []


def test_two_preparing_at_once_make_one_cache(tmp_path: Path) -> None:
    threads = [threading.Thread(target=prepare, args=(SAMPLES, ENTRY, SPEC, tmp_path / "cache")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_complete(tmp_path / "cache") and len(open_cache(tmp_path / "cache")) == 3

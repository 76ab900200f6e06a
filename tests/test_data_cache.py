"""The packed cache: crops equal slices, whatever lies outside is void, and half a cache is none."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
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
from tests.made import ENTRY, SAMPLES, SIZES, SPEC, made


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
    alone = [cache.crops(indices[[row]], np.array([corner]), size) for row in range(3)]
    for row, index in enumerate(indices):
        assert (alone[row][0] == images[row]).all() and (alone[row][1] == labels[row]).all()
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


def test_an_index_with_other_bytes_of_the_same_number_is_made_again(tmp_path: Path) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache", fingerprint="x")
    (folder / "index.npz").write_bytes(b"?" * (folder / "index.npz").stat().st_size)
    assert not is_complete(folder)
    prepare(SAMPLES, ENTRY, SPEC, folder, fingerprint="x")
    assert open_cache(folder).image(0)[1].shape == SIZES[0]


@pytest.mark.parametrize("key", ["ids", "sources", "fingerprint", "index_sha256", "bytes"])
def test_a_manifest_that_lacks_something_is_a_damaged_cache(tmp_path: Path, key: str) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache", fingerprint="x")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({each: value for each, value in manifest.items() if each != key}))
    assert not is_complete(folder)
    prepare(SAMPLES, ENTRY, SPEC, folder, fingerprint="x")
    assert json.loads((folder / "manifest.json").read_text()) == manifest


def test_what_killed_processes_left_of_other_contents_is_cleared(tmp_path: Path) -> None:
    dead, alive, other = (tmp_path / name for name in (".made-train-1.tmp", ".made-train-2.tmp", ".made-val-1.tmp"))
    for folder in (dead, alive, other):
        folder.mkdir()
    with (tmp_path / ".made-train-2.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(SAMPLES, ENTRY, SPEC, tmp_path / "made-train-3")
    assert [each.exists() for each in (dead, alive, other)] == [False, True, True]


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


def test_two_processes_preparing_at_once_make_one_cache(tmp_path: Path) -> None:
    both = [subprocess.Popen(preparing(tmp_path)) for _ in range(2)]
    assert [each.wait(timeout=60) for each in both] == [0, 0]
    assert len(open_cache(tmp_path / "cache")) == 3 and sorted(each.name for each in tmp_path.iterdir()) == [".cache.lock", "cache"]


def test_a_killed_prepare_leaves_no_cache_and_the_next_one_makes_it(tmp_path: Path) -> None:
    process = subprocess.Popen(preparing(tmp_path, "bench.store.os.fsync = lambda file: __import__('time').sleep(60)"))
    beside = tmp_path / ".cache.tmp" / "pixels.u8"
    while not beside.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and beside.exists() and not is_complete(tmp_path / "cache")
    prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache")
    assert len(open_cache(tmp_path / "cache")) == 3 and not beside.exists()


@pytest.mark.parametrize("limit_bytes", [100, 430])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, limit_bytes: int) -> None:
    """A limit on the size of files stands for the disk: of pixels.u8, or of the index that follows."""
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))"
    done = subprocess.run(preparing(tmp_path, f"import resource; {limit}"), capture_output=True, text=True)
    assert done.returncode == 1 and "BenchError: the cache" in done.stderr and "cannot be written: File too large" in done.stderr
    assert "Free some space" in done.stderr and [each.name for each in tmp_path.iterdir()] == [".cache.lock"]


def preparing(folder: Path, first: str = "") -> list[str]:
    code = f"""
import bench.store
from bench.data.prepare import prepare
from pathlib import Path
from tests.made import ENTRY, SAMPLES, SPEC
{first}
prepare(SAMPLES, ENTRY, SPEC, Path({str(folder / "cache")!r}))
"""
    return [sys.executable, "-B", "-c", code]


def from_file(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    grey = int(sample.files[0].read_text())
    if spec.resize == (1, 1):  # another program writes to the file meanwhile
        sample.files[0].write_text("12")
    return np.full((4, 5, 3), grey, np.uint8), np.zeros((4, 5), np.uint8)


def test_files_that_change_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "image").write_text("7")
    samples, entry = [Sample("one", (tmp_path / "image",))], replace(ENTRY, decode="tests.test_data_cache:from_file")
    folder = prepare(samples, entry, SPEC, tmp_path / "cache")
    assert open_cache(folder).pixels.unique().tolist() == [7]
    (tmp_path / "image").write_text("9")
    assert open_cache(prepare(samples, entry, SPEC, folder)).pixels.unique().tolist() == [9]
    made_at = (folder / "pixels.u8").stat().st_mtime_ns
    prepare(samples, entry, SPEC, folder)
    assert (folder / "pixels.u8").stat().st_mtime_ns == made_at
    meanwhile = SPEC.model_copy(update={"resize": (1, 1)})
    with pytest.raises(BenchError, match="changed while it was read"):
        prepare(samples, entry, meanwhile, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_fingerprint_decides_whatever_the_times_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "image").write_text("7")
    samples, entry = [Sample("one", (tmp_path / "image",))], replace(ENTRY, decode="tests.test_data_cache:from_file")
    folder = prepare(samples, entry, SPEC, tmp_path / "cache", fingerprint="abc")
    made_at = (folder / "pixels.u8").stat().st_mtime_ns
    os.utime(tmp_path / "image", ns=(1, 1))
    prepare(samples, entry, SPEC, folder, fingerprint="abc")
    assert (folder / "pixels.u8").stat().st_mtime_ns == made_at
    prepare(samples, entry, SPEC, folder, fingerprint="def")
    assert (folder / "pixels.u8").stat().st_mtime_ns > made_at


def test_the_manifest_says_what_a_cache_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "image").write_text("7")
    samples, entry = [Sample("one", (tmp_path / "image",))], replace(ENTRY, decode="tests.test_data_cache:from_file")
    folder = prepare(samples, entry, SPEC, tmp_path / "cache", fingerprint="abc")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["fingerprint"] == "abc" and manifest["version"] == 2 and manifest["ids"] == ["one"]
    assert manifest["class_counts"] == {"a": 20, "b": 0, "c": 0}
    assert manifest["sources"] == [[1, (tmp_path / "image").stat().st_mtime_ns]]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 2, "bytes": 3}'])
def test_a_damaged_manifest_is_made_again(tmp_path: Path, content: str) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache")
    (folder / "manifest.json").write_text(content)
    assert len(open_cache(prepare(SAMPLES, ENTRY, SPEC, folder))) == 3


def test_decoding_uses_several_threads_and_reports_every_image_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    seen: list[tuple[int, int]] = []
    entry = replace(ENTRY, decode="tests.test_data_cache:together")
    prepare(SAMPLES, entry, SPEC, tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


_barrier = threading.Barrier(3)


def together(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    _barrier.wait(timeout=20)  # passes only when three images are being decoded at once
    return made(sample.index)


def test_ten_thousand_images_open_in_under_50_ms(tmp_path: Path) -> None:
    samples = [Sample(f"2007_{number:06d}", index=number) for number in range(10_000)]
    folder = prepare(samples, replace(ENTRY, decode="tests.test_data_cache:tiny"), SPEC, tmp_path / "cache")
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        assert len(open_cache(folder)) == 10_000
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.05


def tiny(sample: Sample, entry: DatasetEntry, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8)

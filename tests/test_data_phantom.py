"""The generator of the phantom: the same bytes everywhere, and the scales it promises, measured on what it draws."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bench.data import DATASETS, chart
from bench.data.canvas import Canvas
from bench.data.chart import BAR, DISC, DOT, KEYED, PLATE, WEAVE
from bench.data.phantom import SPLITS, decode, generate, samples
from bench.data.samples import Sample, list_samples
from bench.data.stream import Stream
from bench.errors import BenchError
from bench.specs import PhantomSpec

ENTRY = DATASETS["phantom"]
SPEC = PhantomSpec(name="phantom")


def alone(thing: Callable[[Canvas], None], count: int) -> list[Canvas]:
    """One thing on an even ground, many times over, those cut off by the edge left out."""
    drawn = []
    for index in range(count):
        stream, ground = Stream(1, 0, index), np.full(3, 128, np.float32)
        canvas = Canvas(np.full((120, 120, 3), 128, np.float32), np.zeros((120, 120), np.uint8), ground, stream)
        thing(canvas)
        if not np.pad(np.zeros((118, 118), bool), 1, constant_values=True)[canvas.label > 0].any() and canvas.label.any():
            drawn.append(canvas)
    assert len(drawn) > count / 5
    return drawn


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    return [generate(index, "test", SPEC) for index in range(60)]


def test_the_bytes_never_change() -> None:
    """A change here is a new `version` of the data set and an entry under "Numbers changed"."""
    digest = hashlib.sha256()
    for split in SPLITS:
        for size in ((96, 96), (50, 131)):
            for array in generate(7, split, PhantomSpec(name="phantom", size=size, data_seed=3)):
                digest.update(array.tobytes())
    assert digest.hexdigest() == "59492362c4e2dcfcfcf149c022b18ccd5c8d75d17b33731d65c2e57d173fb70e"
    assert ENTRY.version == "1"


def test_a_sample_depends_on_seed_split_and_index_alone() -> None:
    first = generate(5, "train", SPEC)
    generate(6, "train", SPEC)
    assert all((a == b).all() for a, b in zip(first, generate(5, "train", SPEC), strict=True))
    more = SPEC.model_copy(update={"train_images": 9999, "name": "phantom"})
    assert (generate(5, "train", more)[0] == first[0]).all()
    other = [generate(5, "val", SPEC), generate(5, "test", SPEC), generate(6, "train", SPEC)]
    other.append(generate(5, "train", SPEC.model_copy(update={"data_seed": 1})))
    assert all((image != first[0]).mean() > 0.5 for image, _ in other)


def test_no_two_streams_share_words() -> None:
    words = [Stream(seed, split, index)._bits.random_raw(2000) for seed in (0, 1) for split in range(3) for index in (0, 1, 2**63)]
    assert len(np.unique(np.concatenate(words))) == 2000 * len(words)


def test_numbers_have_the_stated_distributions() -> None:
    stream = Stream(0, 0, 0)
    assert {stream.integer(2, 4) for _ in range(100)} == {2, 3, 4}
    assert np.mean([stream.uniform(-1, 3) for _ in range(4000)]) == pytest.approx(1, abs=0.1)
    white = stream.white(200, 201)
    assert white.shape == (200, 201) and abs(white).max() < 1
    assert (white.mean(), white.std()) == pytest.approx((0, 1 / 6**0.5), abs=0.01)
    y, x = np.array([stream.direction() for _ in range(4000)]).T
    assert (np.mean(y), np.mean(x), np.mean(x * y)) == pytest.approx((0, 0, 0), abs=0.04)
    assert y * y + x * x == pytest.approx(np.ones(4000))
    cloud = stream.cloud(64, 64, 16)
    assert abs(np.diff(cloud, axis=0)).max() < 2 / 16 + 1e-6


@pytest.mark.parametrize("size", [(96, 96), (1, 1), (5, 300), (33, 65), (256, 128)])
def test_any_size(size: tuple[int, int]) -> None:
    image, label = generate(0, "train", PhantomSpec(name="phantom", size=size))
    assert image.shape == (*size, 3) and label.shape == size
    assert image.dtype == label.dtype == np.uint8
    assert label.max() < ENTRY.num_classes


def test_every_class_has_a_share(pictures: list[tuple[np.ndarray, np.ndarray]]) -> None:
    labels = np.stack([label for _, label in pictures])
    shares = np.bincount(labels.ravel(), minlength=ENTRY.num_classes) / labels.size
    assert shares.min() > 0.02
    assert 0.4 < shares[0] < 0.75
    assert all((labels == kind).any(axis=(1, 2)).mean() > 0.4 for kind in range(ENTRY.num_classes))


def test_number_follows_area_and_size_does_not() -> None:
    """Dots of the large image are as large as those of the small one, and 16 times as many."""
    areas: dict[int, list[float]] = {}
    for side, images in ((96, 48), (384, 3)):
        spec, areas[side] = PhantomSpec(name="phantom", size=(side, side)), []
        for index in range(images):
            mask = generate(index, "val", spec)[1] == DOT
            parts, count = ndimage.label(mask)
            areas[side] += list(ndimage.sum(mask, parts, range(1, count + 1)))
    assert np.median(areas[384]) == pytest.approx(np.median(areas[96]), rel=0.15)
    assert len(areas[384]) == pytest.approx(len(areas[96]), rel=0.15)


def test_dots_and_their_gaps() -> None:
    numbers = set()
    for canvas in alone(chart.row, 100):
        parts, count = ndimage.label(canvas.label == DOT, np.ones((3, 3)))
        if count < 3:
            continue  # the row runs off the picture
        numbers.add(count)
        areas = ndimage.sum(canvas.label == DOT, parts, range(1, count + 1))
        low, high = (np.pi / 4 * diameter**2 for diameter in chart.DOT_DIAMETER_PX)
        assert low - 5 <= areas.min() and areas.max() <= high + 6
        centres = np.array(ndimage.center_of_mass(parts > 0, parts, range(1, count + 1)))
        steps = np.sort(np.linalg.norm(centres[:, None] - centres[None], axis=-1), axis=1)[:, 1]
        assert (steps > 6 - 1).all() and (steps < 10 + 1).all()
    assert numbers == {3, 4, 5, 6}  # no two dots touch, not even at a corner, or there would be fewer


def test_bars_are_thin() -> None:
    widths = []
    for canvas in alone(chart.bar, 200):
        rows, columns = np.nonzero(canvas.label == BAR)
        # A rectangle's variance along an axis is its side squared over 12.
        sides = np.sqrt(12 * np.linalg.eigvalsh(np.cov(rows, columns)))
        widths.append(sides[0])
        assert chart.BAR_LENGTH_PX[0] - 1 < sides[1] < chart.BAR_LENGTH_PX[1] + 1
    assert min(widths) > chart.BAR_WIDTH_PX[0] - 0.6 and max(widths) < chart.BAR_WIDTH_PX[1] + 0.6
    assert max(widths) - min(widths) > 3


def test_blobs_are_tens_of_pixels_and_half_have_a_slit() -> None:
    canvases = alone(chart.blob, 300)
    slits = []
    for canvas in canvases:
        mask = canvas.label > 0
        slits.append(ndimage.label(mask)[1] > 1)
        if not slits[-1]:
            diameter = 2 * (mask.sum() / np.pi) ** 0.5
            assert 2 * chart.BLOB_RADIUS_PX[0] - 2 < diameter < 2 * chart.BLOB_RADIUS_PX[1] * 1.02 + 1
    assert 0.35 < np.mean(slits) < 0.65


def test_disc_and_weave_differ_in_fine_texture_alone() -> None:
    """As many, as large, of one mean colour; and a period of four pixels away, the weave looks like itself."""
    groups: dict[int, list[tuple[float, ...]]] = {DISC: [], WEAVE: []}
    for canvas in alone(chart.blob, 400):
        kind = int(canvas.label.max())
        inner = ndimage.binary_erosion(canvas.label == kind, iterations=2)
        pixels = canvas.image[inner] - 128
        groups[kind].append((*np.abs(pixels.mean(0)), pixels.std(0).mean(), (canvas.label > 0).sum() ** 0.5))
    disc, weave = (np.array(groups[kind]) for kind in (DISC, WEAVE))
    assert 0.7 < len(disc) / len(weave) < 1.4
    error = np.sqrt(disc.var(0) / len(disc) + weave.var(0) / len(weave))
    alike = np.abs(disc.mean(0) - weave.mean(0)) < 3.5 * error
    assert alike[[0, 1, 2, 4]].all()
    assert disc[:, 3].max() < 1 and weave[:, 3].min() > 15


def test_texture_keeps_its_mean_in_the_finished_picture() -> None:
    """Stripes clipped at black or white would give the weave away by its mean."""
    spec = PhantomSpec(name="phantom", size=(192, 192))
    sums = {kind: np.zeros(4) for kind in (DISC, WEAVE)}
    for index in range(150):
        image, label = generate(index, "train", spec)
        for kind, total in sums.items():
            total += [*image[label == kind].sum(0, dtype=float), (label == kind).sum()]
    means = [total[:3] / total[3] for total in sums.values()]
    assert np.abs(means[0] - means[1]).max() < 6


def test_context_is_the_beacon_at_its_distance() -> None:
    """Plates are told by the colour of the one beacon 28 pixels away, and by nothing nearer."""
    seen = {PLATE: 0, KEYED: 0}
    for index in range(12):
        image, label = generate(index, "test", PhantomSpec(name="phantom", size=(256, 256)))
        beacons = {kind: _beacons(image, label, np.array(chart.BEACON_COLOURS[kind - PLATE])) for kind in seen}
        for kind, other in ((PLATE, KEYED), (KEYED, PLATE)):
            parts, count = ndimage.label(label == kind)
            for part in range(1, count + 1):
                rows, columns = np.nonzero(parts == part)
                whole = 80 < len(rows) < 210 and rows.min() > 0 < columns.min() and rows.max() < 255 > columns.max()
                if whole:
                    centre = np.array([rows.mean(), columns.mean()])
                    own = np.linalg.norm(beacons[kind] - centre, axis=1).min()
                    assert own == pytest.approx(chart.BEACON_DISTANCE_PX, abs=4)  # another plate may cover a part of this one
                    if len(beacons[other]):
                        assert np.linalg.norm(beacons[other] - centre, axis=1).min() > 44
                    seen[kind] += 1
    assert min(seen.values()) > 30


def _beacons(image: np.ndarray, label: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(N, 2) centres of the background's patches of a beacon's colour."""
    parts, count = ndimage.label((np.abs(image - colour).max(-1) <= 11) & (label == 0))
    sizes = ndimage.sum(parts > 0, parts, range(1, count + 1))
    numbers = [number + 1 for number, size in enumerate(sizes) if size > 30]
    return np.array(ndimage.center_of_mass(parts > 0, parts, numbers)).reshape(-1, 2)


def test_samples_follow_the_spec(tmp_path: Path) -> None:
    spec = PhantomSpec(name="phantom", train_images=3, val_images=2, test_images=4)
    assert [len(list_samples(ENTRY, tmp_path / "nowhere", spec, split)) for split in SPLITS] == [3, 2, 4]
    assert list_samples(ENTRY, tmp_path, spec, "val") == [Sample("val_000000", (), 0), Sample("val_000001", (), 1)]
    with pytest.raises(BenchError, match="Did you mean 'train'"):
        list_samples(ENTRY, tmp_path, spec, "training")


def test_seed_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="below 2\\^64"):
        samples(tmp_path, "train", PhantomSpec(name="phantom", data_seed=2**64))


def test_decode_draws_the_split_and_resizes() -> None:
    image, label = decode(Sample("val_000004", (), 4), ENTRY, SPEC)
    assert (image == generate(4, "val", SPEC)[0]).all()
    small = decode(Sample("val_000004", (), 4), ENTRY, PhantomSpec(name="phantom", resize=(48, 32)))
    assert small[0].shape == (48, 32, 3)
    assert (small[1] == label[1::2, 1::3]).all()

"""Intervals, tests and ranks: by hand, against plain loops, and by simulating worlds whose truth is known."""

import itertools
import time

import numpy as np
import pytest

from bench import statistics
from bench.errors import BenchError
from bench.metrics.dialects import DIALECTS, distinct
from bench.metrics.scores import miou
from bench.statistics import (
    Samples,
    band_sums,
    bootstrap,
    bootstrap_interval,
    holm,
    interval,
    leader_p,
    paired_p,
    ranks,
    sign_flip_p,
)

CLASSES = 5


class World:
    """Images, models and seeds drawn at random, with a known expected score: rare classes, uneven images, seed noise."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def images(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        unions = self.rng.gamma(0.5, 1000, (count, CLASSES)) * (self.rng.random((count, CLASSES)) < 0.4)
        return unions, 0.5 + 0.15 * self.rng.standard_normal((count, CLASSES)) + unions / 20_000

    def trained(self, images: tuple[np.ndarray, np.ndarray], seeds: int, seed_sd: float = 0.0, shift: float = 0.0) -> np.ndarray:
        unions, quality = images
        noise = seed_sd * self.rng.standard_normal((seeds, 1, 1)) + 0.05 * self.rng.standard_normal((seeds, *unions.shape))
        return np.stack([unions * np.clip(quality + shift + noise, 0, 1), np.broadcast_to(unions, noise.shape)], axis=2)


def test_scores_are_those_of_the_metrics() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (3, 8, 4, 4))
    counts[:, :, 3], counts[:, :, :, 3] = 0, 0  # absent
    sums = statistics.area_sums(counts)
    assert sums.shape == (3, 8, 2, 4)
    assert statistics.scores(sums) == pytest.approx(miou(counts.sum(1)))
    assert bootstrap([sums], draws=5).scores[0] == pytest.approx(miou(counts.sum(1)).mean())
    assert band_sums(np.zeros((3, 8, 4, 2))).shape == (3, 8, 2, 4)


def test_draws_equal_a_plain_loop() -> None:
    world = World(0)
    row = world.trained(world.images(12), 2)
    values = bootstrap([row], draws=20, seed=3, seed_noise="own").values[0]
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, 12, (20, 12))
    normal, chi2 = rng.standard_normal((20, 2)), rng.chisquare(1, 20)
    for draw in range(20):
        means = [statistics.scores(row[[s]][:, drawn[draw]])[0] for s in range(2)]
        noise = (normal[draw] - normal[draw].mean()) @ statistics.scores(row) / 2 * np.sqrt(2 / chi2[draw])
        assert values[draw] == pytest.approx(np.mean(means) + noise)


def test_one_seed_resamples_images_only_and_says_so() -> None:
    world = World(0)
    images = world.images(30)
    single, double = world.trained(images, 1), world.trained(images, 2, 0.05)
    assert bootstrap([single]).interval(0).note.startswith("images only")
    assert bootstrap([single, double], seed_noise="own").interval(0).note.startswith("images only")
    assert bootstrap([single, double]).interval(0).note == "images and seeds (pooled)"
    alone = bootstrap([single]).interval(0)
    joined = bootstrap([single, double]).interval(0)
    assert joined.high - joined.low > 1.2 * (alone.high - alone.low)
    assert bootstrap_interval(single) == alone


def test_rows_are_paired() -> None:
    """Two rows that differ by a constant quality: their difference varies far less than either."""
    world = World(1)
    images = world.images(80)
    rows = [world.trained(images, 1), world.trained(images, 1, shift=0.02)]
    samples = bootstrap(rows)
    assert np.std(samples.values[1] - samples.values[0]) < 0.4 * np.std(samples.values[0])
    assert bootstrap([rows[1]]).values[0] == pytest.approx(samples.values[1])


def test_rare_classes_may_miss_from_a_draw_and_nothing_warns() -> None:
    sums = np.zeros((1, 6, 2, 3))
    sums[0, :, :, 0] = [8, 10]
    sums[0, 0, :, 1] = [0, 4]
    samples = bootstrap([sums])
    assert set(np.round(samples.values[0], 6)) == {0.4, 0.8}
    nothing = bootstrap([sums * 0])
    assert np.isnan(nothing.values).all()
    assert np.isnan(nothing.interval(0).low)


def test_interval_is_percentile() -> None:
    assert interval(np.arange(1001) / 1000, 0.9) == pytest.approx((0.05, 0.95))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).shape == (0,)


def test_paired_p_by_hand() -> None:
    assert paired_p(np.ones(99), np.zeros(99)) == pytest.approx(2 / 100)
    assert paired_p(np.zeros(99), np.zeros(99)) == 1
    values = np.r_[np.full(96, 1.0), np.full(3, -1.0)]
    assert paired_p(values, np.zeros(99)) == paired_p(np.zeros(99), values) == pytest.approx(2 * 4 / 100)


def test_sign_flip_equals_all_swaps() -> None:
    world = World(2)
    images = world.images(8)
    a, b = world.trained(images, 2), world.trained(images, 2, shift=0.06)
    found = abs(statistics.scores(a).mean() - statistics.scores(b).mean())
    extreme = 0
    for swap in itertools.product([False, True], repeat=8):
        where = np.array(swap)[None, :, None, None]
        one, other = np.where(where, b, a), np.where(where, a, b)
        extreme += abs(statistics.scores(one).mean() - statistics.scores(other).mean()) >= found - 1e-12
    assert sign_flip_p(a, b, draws=20_000) == pytest.approx(extreme / 256, abs=0.015)
    assert sign_flip_p(a, a) == 1


def test_ranks_are_shared_by_what_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    means = np.array([0.50, 0.70, 0.69, 0.60])
    values = means[:, None] + 0.01 * rng.standard_normal((4, 2000))
    samples = Samples(values, values, means, (1,) * 4, 100, ("",) * 4, (0.0,) * 4)
    assert ranks(samples).tolist() == [4, 1, 1, 3]
    alone = Samples(values[:1], values[:1], means[:1], (1,), 100, ("",), (0.0,))
    assert ranks(alone).tolist() == [1]


def test_p_against_the_leader_is_that_of_its_pairs() -> None:
    rng = np.random.default_rng(0)
    means = np.array([0.50, 0.70, 0.69, 0.68])
    values = means[:, None] + 0.01 * rng.standard_normal((4, 2000))
    found = leader_p(Samples(values, values, means, (1,) * 4, 100, ("",) * 4, (0.0,) * 4))
    pairs = holm([paired_p(values[1], values[row]) for row in (0, 2, 3)])
    assert np.isnan(found[1]) and found[[0, 2, 3]] == pytest.approx(pairs)


def test_an_interval_lies_about_its_score_and_says_how_many_draws_had_none() -> None:
    """Of two images one alone holds class 1: a rule that is undefined without it has no score in a quarter of the draws."""
    sums = np.zeros((1, 2, 2, 2))
    sums[0, :, :, 0], sums[0, 0, :, 1] = [[8, 10], [6, 10]], [3, 4]
    plain = bootstrap([sums], finish=DIALECTS["voc_devkit"].finish)
    assert plain.undefined[0] == pytest.approx(0.25, abs=0.04) and not plain.judged(0) and np.isnan(plain.values).all()
    assert bootstrap([sums]).undefined == (0.0,) and bootstrap([sums]).judged(0)
    world = World(5)
    row = world.trained(world.images(60), 1)
    drawn = bootstrap([row])
    assert drawn.centred[0].mean() == pytest.approx(drawn.scores[0], abs=0.003)
    left_out = [statistics.scores(np.delete(row, image, axis=1))[0] for image in range(60)]
    assert drawn.centred[0].std() >= np.sqrt(((left_out - np.mean(left_out)) ** 2).sum())


def test_seeds_to_settle() -> None:
    world = World(3)
    images = world.images(400)
    a = world.trained(images, 4, 0.02)
    near, far = world.trained(images, 4, 0.02, shift=0.03), world.trained(images, 4, 0.02, shift=0.2)
    needed = statistics.seeds_to_settle(a, far)
    assert needed.seeds is not None and needed.seeds <= 4
    assert needed.difference < -0.1
    more = statistics.seeds_to_settle(a, near)
    assert more.seeds is None or more.seeds > needed.seeds
    assert statistics.seeds_to_settle(a[:, :10], a[::-1, :10]).seeds is None
    with pytest.raises(BenchError, match="train one more"):
        statistics.seeds_to_settle(a[:1], far)


def test_noise_floor() -> None:
    floor = statistics.noise_floor([[0.5, 0.52], [0.6, 0.6, 0.6]])
    assert floor.sd == pytest.approx(np.sqrt(0.0002 / 3))
    assert floor.difference == pytest.approx(3.182 * np.sqrt(2) * floor.sd, rel=1e-3), "t with three degrees of freedom"
    assert floor.repeats == 3
    assert statistics.noise_floor([[0.5, 0.5]]).difference == 0
    with pytest.raises(BenchError, match="trained twice"):
        statistics.noise_floor([[0.5]])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in distinct() if name != "per_batch"])
def test_twenty_rows_of_voc_in_five_seconds(name: str) -> None:
    """2,000 draws of 1,449 images and 21 classes under every convention, from the areas that a store holds."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2000, (20, 1449, 21)) * (rng.random((20, 1449, 21)) < 0.1)
    hits = rng.binomial(truth, 0.7)
    rows = np.stack([hits, truth, hits + rng.integers(0, 300, hits.shape)], axis=2).astype(np.float64)
    start = time.perf_counter()
    bootstrap([DIALECTS[name].sums(row)[None] for row in rows], finish=DIALECTS[name].finish, draws=2000)
    assert time.perf_counter() - start < 5


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "seed_sd"), [(2, 0.03), (3, 0.005), (5, 0.03)])
def test_coverage_and_false_alarms(seeds: int, seed_sd: float) -> None:
    """Of 95 % intervals about 95 % hold the truth, and two equal models differ "significantly" in at most about 5 %."""
    world = World(seeds)
    big = world.images(100_000)
    truth = statistics.scores(world.trained(big, 1))[0]
    held, alarms, repeats = 0, 0, 250
    for repeat in range(repeats):
        images = world.images(150)
        samples = bootstrap([world.trained(images, seeds, seed_sd) for _ in range(4)], draws=400, seed=repeat)
        within = samples.interval(0)
        held += within.low <= truth <= within.high
        alarms += paired_p(samples.values[0], samples.values[1]) <= 0.05
    assert 0.92 <= held / repeats <= 0.985
    assert alarms / repeats <= 0.085


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "sds"), [(2, (0.005, 0.03)), (3, (0.03, 0.005))])
def test_coverage_when_noise_is_pooled_by_architecture(seeds: int, sds: tuple[float, float]) -> None:
    """Three rows of one architecture and one of another, whose seeds matter more or less; the fourth is better by 0.05."""
    world, repeats = World(seeds), 150
    big = world.images(100_000)
    low, high = (statistics.scores(world.trained(big, 1, shift=shift))[0] for shift in (0, 0.05))
    held = {"many": 0.0, "lone": 0.0, "difference": 0.0, "within": 0.0}
    for repeat in range(repeats):
        images = world.images(150)
        rows = [world.trained(images, seeds, sds[0]) for _ in range(3)] + [world.trained(images, seeds, sds[1], shift=0.05)]
        drawn = bootstrap(rows, draws=400, seed=repeat, pools=["fcn", "fcn", "fcn", "unet"])
        bounds = [drawn.interval(row) for row in range(4)]
        held["many"] += sum(each.low <= low <= each.high for each in bounds[:3]) / 3
        held["lone"] += bounds[3].low <= high <= bounds[3].high
        for name, row, truth in (("difference", 3, high - low), ("within", 1, 0.0)):
            least, most = interval(drawn.values[row] - drawn.values[0])
            held[name] += least <= truth <= most
    shares = {name: count / repeats for name, count in held.items()}
    assert all(share >= 0.92 for share in shares.values()), shares
    assert shares["many"] <= 0.985 and shares["lone"] <= 0.99, shares  # differences within a pool of two seeds err on the wide side


@pytest.mark.slow
def test_a_row_noisier_than_its_pool_keeps_its_own_noise() -> None:
    world, held, repeats = World(4), 0, 150
    truth = statistics.scores(world.trained(world.images(100_000), 1))[0]
    for repeat in range(repeats):
        images = world.images(150)
        wild = bootstrap([world.trained(images, 3, sd) for sd in (0.03, 0.015, 0.005)], draws=400, seed=repeat).interval(0)
        held += wild.low <= truth <= wild.high
    assert 0.91 <= held / repeats <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("images", [60, 500])
def test_coverage_over_images_alone_where_classes_are_rare(images: int) -> None:
    """Plain percentiles of the draws hold the truth 86 to 89 times in 100 of 60 images; the jackknife's width mends that."""
    world, held, repeats = World(0), 0, 300
    truth = statistics.scores(world.trained(world.images(100_000), 1))[0]
    for repeat in range(repeats):
        alone = bootstrap([world.trained(world.images(images), 1)], draws=400, seed=repeat).interval(0)
        held += alone.low <= truth <= alone.high
    assert 0.92 <= held / repeats <= 0.98


@pytest.mark.slow
def test_resampling_three_seeds_is_too_narrow() -> None:
    """Why seeds are not resampled by default: with a noise that dominates, the textbook's interval fails one time in five."""
    world = World(9)
    big = world.images(100_000)
    truth = statistics.scores(world.trained(big, 1))[0]
    held = dict.fromkeys(("own", "resample"), 0)
    for repeat in range(200):
        row = world.trained(world.images(600), 3, 0.06)
        for kind in held:
            within = bootstrap([row], draws=400, seed=repeat, seed_noise=kind).interval(0)
            held[kind] += within.low <= truth <= within.high
    assert held["resample"] / 200 < 0.85
    assert held["own"] / 200 > 0.9


def test_noise_between_seeds_is_pooled_within_a_pool_alone():
    rng = np.random.default_rng(0)
    wholes = np.full((2, 50, 1, 2), 100.0)
    calm = np.concatenate([np.full((2, 50, 1, 2), 50.0) + rng.normal(0, 1, (1, 50, 1, 2)), wholes], axis=2)
    wild = calm.copy()
    wild[1, :, 0] += 20
    one_pool = bootstrap([calm, wild])
    two_pools = bootstrap([calm, wild], pools=["a", "b"])
    width = [two_pools.interval(row).high - two_pools.interval(row).low for row in (0, 1)]
    assert width[0] < 0.02 < 0.5 < width[1], "the wild architecture's noise is its own"
    assert one_pool.interval(0).high - one_pool.interval(0).low > 0.1
    lone = bootstrap([calm[:1], wild], pools=["a", "b"])
    assert lone.interval(0).note.startswith("images only") and lone.interval(1).note == "images and seeds (pooled)"


def test_an_interval_of_a_score_lies_within_its_range():
    row = np.zeros((2, 10, 2, 3))
    row[:, :, 1] = 10
    row[0, :, 0] = 1
    within = bootstrap([row]).interval(0)
    assert within.low == 0.0 and within.high <= 1.0


def test_an_interval_does_not_depend_on_a_rows_place_and_equal_rows_have_equal_ones() -> None:
    world = World(1)
    images = world.images(60)
    one, other, third = (world.trained(images, 2, sd) for sd in (0.01, 0.02, 0.03))
    alone = bootstrap([one, other], pools=["a", "b"])
    more = bootstrap([third, other, one, one.copy()], pools=["c", "b", "a", "a"])
    assert more.interval(1) == alone.interval(1) and (more.values[1] == alone.values[1]).all()
    assert more.interval(2) == more.interval(3) == bootstrap([one, one, other], pools=["a", "a", "b"]).interval(0)
    assert not (bootstrap([one], seed=1).values == bootstrap([one], seed=2).values).any()

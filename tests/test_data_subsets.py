"""Reduced-data regimes and class weights."""

import itertools

import numpy as np
import pytest

from bench.data.subsets import horizon, median_frequency_weights, subset
from bench.errors import BenchError
from bench.specs import TrainSpec


def counts(images: int = 200, classes: int = 6) -> np.ndarray:
    chance = np.random.default_rng(0)
    shown = chance.random((images, classes)) < np.array([0.9, 0.5, 0.2, 0.05, 0.02, 0.005])
    shown[7, 5] = True
    return shown * chance.integers(1, 100, (images, classes))


@pytest.mark.parametrize("seed", range(5))
def test_subsets_are_nested_and_cover_the_classes(seed: int) -> None:
    table = counts()
    sets = [set(subset(table, fraction, seed).tolist()) for fraction in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)]
    assert [len(each) for each in sets] == [13, 25, 50, 100, 200]
    assert all(small < large for small, large in itertools.pairwise(sets))
    assert (table[sorted(sets[0])].sum(axis=0) > 0).all()


def test_seeds_choose_other_images_and_the_same_seed_the_same() -> None:
    table = counts()
    assert subset(table, 0.1, 1).tolist() == subset(table, 0.1, 1).tolist() != subset(table, 0.1, 2).tolist()


def test_a_share_is_rounded_up_and_never_empty() -> None:
    assert len(subset(counts(367), 1 / 16, 0)) == 23
    assert len(subset(counts(10), 0.3, 0)) == 3  # 0.3 * 10 is 3.0000000000000004 nowhere
    assert len(subset(counts(10), 0.01, 0)) == 1


def test_median_frequency_weights_by_hand() -> None:
    # Class 0 in both images of 10 pixels: 12 / 20; class 1 in both: 6 / 20; class 2 in the first alone: 2 / 10.
    table = np.array([[6, 2, 2], [6, 4, 0]])
    weights = median_frequency_weights(table, np.array([10, 10]))
    assert weights == pytest.approx([0.3 / 0.6, 0.3 / 0.3, 0.3 / 0.2])


def test_a_class_that_never_occurs_has_no_weight() -> None:
    with pytest.raises(BenchError, match="class 1 is in none of them"):
        median_frequency_weights(np.array([[5, 0]]), np.array([5]))


@pytest.mark.parametrize(
    ("epochs", "images", "batch", "steps"), [(3, 10, 4, 8), (1, 16, 16, 1), (2, 1, 16, 1), (320, 367, 8, 14680)]
)
def test_epochs_become_steps_by_hand(epochs: int, images: int, batch: int, steps: int) -> None:
    resolved = horizon(TrainSpec(epochs=epochs, batch=batch), images)
    assert (resolved.steps, resolved.epochs) == (steps, None)
    assert horizon(TrainSpec(steps=7), images) == TrainSpec(steps=7)


def test_a_training_has_one_horizon() -> None:
    assert TrainSpec().steps == 40_000 and TrainSpec(epochs=3).steps is None
    assert TrainSpec.model_validate(TrainSpec(epochs=3).model_dump()) == TrainSpec(epochs=3)
    with pytest.raises(ValueError, match="steps is 5 and epochs is 3; set one of them to null"):
        TrainSpec(steps=5, epochs=3)
    with pytest.raises(ValueError, match="neither steps nor epochs"):
        TrainSpec(steps=None)
    with pytest.raises(BenchError, match="3 epochs of 10 images in batches of 4 are 8 steps"):
        horizon(TrainSpec(epochs=3, batch=4, warmup_steps=8), 10)

"""The contact sheet, and that augmented labels stay on their pixels."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.data import DATASETS
from bench.data.show import Tile, contact_sheet, overlay
from bench.data.variants import variants
from bench.specs import AugmentationSpec

ENTRY = DATASETS["phantom"]


def encoded(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour is its label: blocks of 30 * label in every channel."""
    blocks = np.random.default_rng(seed).integers(0, 7, (height // 10, width // 10), np.uint8)
    label = np.kron(blocks, np.ones((10, 10), np.uint8))
    return np.repeat((label * 30)[..., None], 3, axis=2), label


@pytest.mark.parametrize(
    "recipe",
    [
        AugmentationSpec(),
        AugmentationSpec(flip=0.5),
        AugmentationSpec(rotate_deg=25, scale=(0.6, 1.7)),
        AugmentationSpec(elastic_px=6),
        AugmentationSpec(flip=0.5, rotate_deg=10, scale=(0.8, 1.25), elastic_px=4),
    ],
)
def test_labels_stay_on_their_pixels(recipe: AugmentationSpec) -> None:
    pairs = [encoded(60, 80, 0), encoded(90, 50, 1)]
    drawn = variants(pairs, recipe, 4, seed=3)
    assert [len(versions) for versions in drawn] == [4, 4]
    for (source, _), versions in zip(pairs, drawn, strict=True):
        for image, label in versions:
            assert image.shape == source.shape and label.shape == source.shape[:2]
            known = label != 255
            # Inside a block all neighbours have one colour, and there bilinear and nearest sampling must tell one story.
            sharp = known & (image[..., 0] % 30 == 0)
            inner = sharp.copy()
            for axis in (0, 1):
                for step in (-1, 1):
                    inner &= np.roll(image[..., 0], step, axis) == image[..., 0]
            assert inner.sum() > 0.3 * known.sum() > 0
            assert (image[..., 0][inner] == 30 * label[inner]).all()


def test_versions_differ_by_step_and_repeat_by_seed() -> None:
    recipe, pairs = AugmentationSpec(rotate_deg=20), [encoded(60, 80, 0)]
    (first,), (again,), (other,) = (variants(pairs, recipe, 2, seed) for seed in (0, 0, 1))
    assert (first[0][0] == again[0][0]).all() and (first[1][1] == again[1][1]).all()
    assert (first[0][0] != first[1][0]).any() and (first[0][0] != other[0][0]).any()


def test_an_overlay_shows_class_void_and_outline() -> None:
    label = np.zeros((20, 20), np.uint8)
    label[:, 10:] = 3
    label[15:] = 255
    image = np.full((20, 20, 3), 100, np.uint8)
    over = overlay(image, label, ENTRY)
    assert over[5, 5].tolist() == [int(0.45 * 100 + 0.55 * 32)] * 3
    assert over[5, 15].tolist() == [int(0.45 * 100 + 0.55 * shade) for shade in ENTRY.palette[3]]
    assert over[5, 9].tolist() == list(ENTRY.palette[0]), "the outline is opaque, in the colour of its own side"
    assert len(np.unique(over[16:])) == 2, "void is chequered"


def test_a_sheet_holds_every_image_to_the_pixel() -> None:
    chance = np.random.default_rng(0)
    pairs = [(chance.integers(0, 256, (40, 30, 3), np.uint8), chance.integers(0, 7, (40, 30), np.uint8)) for _ in range(4)]
    tiles = [Tile(pair, f"image {number}") for number, pair in enumerate(pairs)]
    sheet = np.array(contact_sheet([tiles[:3], tiles[3:]], ENTRY, "a title", tile_px=120))
    for image, label in pairs:
        for part in (image, overlay(image, label, ENTRY)):
            assert _stands_in(np.kron(part, np.ones((3, 3, 1), np.uint8)), sheet)


def _stands_in(part: np.ndarray, sheet: np.ndarray) -> bool:
    height, width = part.shape[:2]
    starts = np.argwhere((sheet[: -height + 1, : -width + 1] == part[0, 0]).all(-1))
    return any((sheet[y : y + height, x : x + width] == part).all() for y, x in starts)


def test_long_names_many_classes_and_odd_sizes_fit() -> None:
    entry = replace(ENTRY, class_names=tuple(f"a class with a long name {n}" for n in range(40)), palette=((1, 2, 3),) * 40)
    pairs = [
        (np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8))
        for height, width in ((1, 1), (9, 900), (700, 2))
    ]
    sheet = contact_sheet([[Tile(pair, "x" * 500)] for pair in pairs], entry, "t")
    assert isinstance(sheet, Image.Image) and sheet.width < 1000

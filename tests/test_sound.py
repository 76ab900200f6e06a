"""Curves of a result are what tables and figures read, or it is said what they are instead."""

from typing import Any

import pytest

from bench.sound import unequal, unsound

BINS = {"edge_strides": [0.25, None], "error": [0.5, None], "share": [0.5, 0.5]}
SIZES = {"side_px": [0, 2], "miou": [None, 0.5], "objects": [1, 2]}


@pytest.mark.parametrize(("curve", "held"), [("trimap_iou", [0.1, None, 1]), ("error_by_distance", BINS), ("object_iou", SIZES)])
def test_what_results_hold_is_sound(curve: str, held: Any) -> None:
    assert unsound(curve, held) is None and unequal(curve, [held, held]) is None


@pytest.mark.parametrize(
    ("curve", "held", "said"),
    [
        ("trimap_iou", "abc", "is no list of numbers"),
        ("trimap_iou", [0.1, "0.2"], "is no list of numbers"),
        ("trimap_iou", [0.1, True], "is no list of numbers"),
        ("trimap_iou", [float("nan")], "is no list of numbers"),
        ("trimap_iou", [10**400], "is no list of numbers"),
        ("error_by_distance", [1], "lacks edge_strides, error, share"),
        ("error_by_distance", {**BINS, "error": [0.5]}, "holds lists of 2, 1, 2 numbers"),
        ("object_iou", {**SIZES, "side_px": [0, None]}, "holds no list of numbers as side_px"),
        ("object_iou", {"side_px": [0]}, "holds no list of numbers as miou"),
    ],
)
def test_what_is_not_is_said(curve: str, held: Any, said: str) -> None:
    assert said in (unsound(curve, held) or "")


def test_seeds_must_be_alike_in_length() -> None:
    assert "4, 5 numbers" in (unequal("trimap_iou", [[1] * 5, [1] * 4]) or "")
    assert "1, 2 numbers" in (unequal("object_iou", [SIZES, {"side_px": [0]}]) or "")

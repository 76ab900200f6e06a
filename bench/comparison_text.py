"""A comparison of two rows as words and tables, and as plain data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from bench.classes import TITLES as CLASS_TITLES
from bench.compare import Comparison, Difference
from bench.export import TITLES
from bench.leaderboard import Row
from bench.metrics.dialects import DIALECTS
from bench.statistics import SeedsNeeded
from bench.tables import Table

_IMAGES = 3
"""Images shown at either end."""
_ALPHA = 0.05
_UNTESTED = "– no interval and no test where a row has no score, or more than 5 % of its bootstrap draws have none."
_BOTH = "p: other images and other seeds (paired bootstrap)"
_IMAGES_ONLY = "p of these models: other images, these trainings given (paired permutation; only between the same seeds)"


def as_text(a: str, b: str, comparison: Comparison) -> Iterator[str | Table]:
    """Lines and tables for a person."""
    one, other = comparison.a, comparison.b
    seeds = " and ".join(str(count) for count in dict.fromkeys([len(one.images), len(other.images)]))
    images, have = len(one.images[0].ids), min(len(one.images), len(other.images))
    yield f"A: {a}\nB: {b}\n{one.cells[0].dataset_label}, {images} images, {seeds} seed{'s' if seeds != '1' else ''}\n"
    yield Table(
        titles=["Score", "A", "B", "A − B", "p", "p of these models"],
        lines=[
            [TITLES[each.metric], _percent(each.a), _percent(each.b), _gap(each), _p(each.p), _p(each.p_images)]
            for each in comparison.scores
        ],
        records=[],
        notes=[
            f"A − B in points with its 95 % interval. {_BOTH}; {_IMAGES_ONLY}.",
            *_named(one.convention, comparison.scores),
            *(_verdict(each, have) for each in comparison.scores),
        ],
        left=frozenset({"Score"}),
    )
    won, alike, lost = comparison.wins
    yield f"\nImage by image A has the higher mIoU in {won}, B in {lost}, neither in {alike}. The largest differences:"
    ends = (
        comparison.images if len(comparison.images) <= 2 * _IMAGES else comparison.images[:_IMAGES] + comparison.images[-_IMAGES:]
    )
    yield _ranked("Image", ends)
    for metric, entries in comparison.classes.items():
        if entries:
            yield f"\n{CLASS_TITLES[metric]} of each class in percent:"
            yield _ranked("Class", entries)
    if comparison.specs:
        yield "\nWhat differs between them:"
        lines = [
            [path, *("–" if value is None else str(value) for value in (mine, theirs))] for path, mine, theirs in comparison.specs
        ]
        yield Table(["Field", "A", "B"], lines, [], left=frozenset({"Field", "A", "B"}))


def as_data(a: str, b: str, comparison: Comparison) -> dict[str, Any]:
    """The documented keys of `bench compare --json`; scores and differences in [-1, 1]."""
    won, alike, lost = comparison.wins
    return {
        "a": a,
        "b": b,
        "convention": comparison.a.convention,
        "cells": [[cell.id for cell in row.cells] for row in (comparison.a, comparison.b)],
        "scores": [_plain(each) for each in comparison.scores],
        "classes": {metric: _entries("class", entries) for metric, entries in comparison.classes.items()},
        "images": {"a_ahead": won, "alike": alike, "b_ahead": lost, "miou": _entries("image", comparison.images)},
        "differs": [{"field": path, "a": mine, "b": theirs} for path, mine, theirs in comparison.specs],
    }


def pairs_table(named: Mapping[int, str], pairs: Sequence[tuple[Row, Row]], found: Sequence[tuple[Difference, ...]]) -> Table:
    """All pairs of a family: differences in each score, p-values with Holm's correction."""
    labels = [(named[id(a)], named[id(b)]) for a, b in pairs]
    titles = [title for each in found[0] for title in (f"{TITLES[each.metric]}: A − B", "p")]
    return Table(
        titles=["A", "B", *titles],
        lines=[
            [a, b, *(text for each in row for text in (_gap(each), _p(each.p_holm)))]
            for (a, b), row in zip(labels, found, strict=True)
        ],
        records=[{"a": a, "b": b, "scores": [_plain(each) for each in row]} for (a, b), row in zip(labels, found, strict=True)],
        notes=[
            f"Differences in points with 95 % intervals, paired over images. {_BOTH}, with Holm's correction over the "
            f"{len(pairs)} pair{'s' if len(pairs) != 1 else ''} of a column.",
            *_named(pairs[0][0].convention, found[0]),
            *([_UNTESTED] if any(each.p is None for row in found for each in row) else []),
        ],
        left=frozenset({"A", "B"}),
    )


def _named(convention: str, scores: Sequence[Difference]) -> list[str]:
    """The convention of mIoU where it is not the usual one."""
    shown = convention != "fcn" and any(each.metric == "miou" for each in scores)
    return [f"mIoU as in {convention}: {DIALECTS[convention].rule}."] if shown else []


def _verdict(found: Difference, have: int) -> str:
    """What the test says, and what would say more."""
    score = TITLES[found.metric].removesuffix(" %")
    if found.p is None:
        return f"{score}: {_UNTESTED}"
    if found.p <= _ALPHA:
        return f"{score}: told apart (5 %), tested over {found.note}."
    return f"{score}: not told apart (5 %), tested over {found.note}. {_settle(found.seeds, have)}"


def _settle(needed: SeedsNeeded | None, have: int) -> str:
    if needed is None:
        return "Two seeds of each would show how many it takes."
    if needed.seeds is None:
        return "No number of seeds would settle it: these images alone leave too much doubt."
    if needed.seeds <= have:
        return "As many seeds as there are settle a difference of this size four times in five; a few more may."
    return (
        f"About {needed.seeds} seeds of each, {needed.seeds - have} more, would settle it four times in five, "
        "if the difference is as large as it looks."
    )


def _ranked(what: str, entries: Sequence[tuple[str, float, float]]) -> Table:
    lines = [[name, _percent(one), _percent(other), _points(one - other)] for name, one, other in entries]
    return Table([what, "A", "B", "A − B"], lines, [], left=frozenset({what}))


def _plain(found: Difference) -> dict[str, Any]:
    """For JSON, which has no NaN."""
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in asdict(found).items()}


def _entries(key: str, entries: Sequence[tuple[str, float, float]]) -> list[dict[str, Any]]:
    return [{key: name, "a": one, "b": other, "difference": one - other} for name, one, other in entries]


def _gap(found: Difference) -> str:
    bounds = "" if found.low is None or found.high is None else f" [{_points(found.low)}, {_points(found.high)}]"
    return f"{_points(found.difference)}{bounds}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f}" if isfinite(value) else "–"


def _points(value: float) -> str:
    if not isfinite(value):
        return "–"
    rounded = round(value * 100, 1)
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "< 0.001"

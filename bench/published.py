"""Published scores beside the rows of a suite: what `expected:` says, and whether a row comes within its tolerance."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from bench.leaderboard import Row
from bench.specs import Expectation
from bench.suite import Suite


@dataclass(frozen=True)
class Published:
    """One published score of a row, with what came of it here."""

    expectation: Expectation
    verdict: str
    """"pass", "fail", or "not run" where a seed has no result yet."""
    splits: tuple[str, str]
    """The split of the published score and the one scored here; alike where the suite names no other."""

    @property
    def text(self) -> str:
        """The published score in percent with its tolerance, and the verdict."""
        return f"{self.expectation.value * 100:.1f} ± {self.expectation.tolerance * 100:.1f} {self.verdict}"


def beside(rows: Iterable[Row], suite: Suite) -> list[Row]:
    """The rows with the published scores that a suite expects of them; of two for one score the later counts."""
    return [replace(row, published=_of(row, suite.expected)) for row in rows]


def _of(row: Row, expected: Iterable[Expectation]) -> dict[str, Published]:
    first = row.cells[0]
    here = {
        "model": first.model_label,
        "dataset": first.dataset_label,
        "augmentation": first.augmentation_label,
        "fraction": first.fraction,
        **dict(first.axes),
    }
    found: dict[str, Published] = {}
    for each in expected if not row.external else ():
        if all(here[axis] in _values(axis, given) for axis, given in each.when.items()):
            scored = str(first.dataset.test)
            found[each.metric] = Published(each, _verdict(row, each), (each.split or scored, scored))
    return found


def _values(axis: str, given: Any) -> list[Any]:
    many = given if isinstance(given, list) else [given]
    return [float(Fraction(str(each))) for each in many] if axis == "fraction" else many


def _verdict(row: Row, expectation: Expectation) -> str:
    # From the results: the row's own score may follow another convention, and what is published follows FCN's.
    scores = [score for result in row.results if (score := result.metrics.get(expectation.metric)) is not None]
    if len(scores) < len(row.cells):
        return "not run"
    # Not above either: a score that is too good was not made as the published one.
    off = abs(sum(scores) / len(scores) - expectation.value)
    return "pass" if off <= expectation.tolerance + 1e-12 else "fail"

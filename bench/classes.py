"""Scores of each class, and what a coarser output stride costs them."""

import json
from itertools import pairwise
from typing import Any

from bench.errors import BenchError
from bench.leaderboard import Row
from bench.names import EXTERNAL_NOTE, marked, names
from bench.tables import Table

PER_CLASS = {
    "miou": "iou",
    "boundary_iou": "boundary_iou",
    "boundary_f1": "boundary_f1",
    "davis_f": "davis_f",
    "mean_accuracy": "accuracy",
}
"""Scores that results hold for each class, and the name they have there."""
TITLES = {
    "miou": "IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f1": "BF score",
    "davis_f": "DAVIS F",
    "mean_accuracy": "Accuracy",
}


def class_scores(row: Row, metric: str = "miou") -> dict[str, float | None]:
    """Score of each class, mean over the seeds that have one; None where none has. Raises BenchError for other scores."""
    if metric not in PER_CLASS:
        raise BenchError(f"--metric {metric}: is not kept for each class; those that are: {', '.join(PER_CLASS)}")
    seeds = [result.per_class.get(PER_CLASS[metric], {}) for result in row.results]
    known = {name: [value for seed in seeds if (value := seed.get(name)) is not None] for name in (seeds[0] if seeds else {})}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}


def by_class(rows: list[Row]) -> Table:
    """Classes down, rows across; the score the rows were ranked by."""
    metric = rows[0].ranked_by
    named = list(zip(names(rows), marked(rows), rows, strict=True))
    scored = [(name, title, row, class_scores(row, metric)) for name, title, row in named if row.results]
    classes = list(dict.fromkeys(each for *_, scores in scored for each in scores))
    records = [
        {**row_keys(name, row), "class": each, **{key: class_scores(row, other).get(each) for other, key in PER_CLASS.items()}}
        for name, _, row, _ in scored
        for each in classes
    ]
    return Table(
        titles=["Class", *(title for _, title, _, _ in scored)],
        lines=[[each, *(percent(scores.get(each)) for *_, scores in scored)] for each in classes],
        records=records,
        notes=[f"{TITLES[metric]} of each class in percent, over the whole set, mean over seeds.", *external_note(rows)],
        left=frozenset({"Class"}),
    )


def by_stride(rows: list[Row]) -> Table:
    """Classes of each family of models, sorted by the score they lose from the finest output stride to the coarsest.

    A family is trained rows that differ in nothing but the stride. Raises BenchError when there is none.
    """
    metric, named = rows[0].ranked_by, dict(zip(map(id, rows), names(rows), strict=True))
    families = _families(rows)
    if not families:
        raise BenchError("no two rows differ in their output stride alone, so nothing says what stride costs a class")
    strides = sorted({_stride(row) for family in families for row in family})
    lines, records = [], []
    for family in families:
        title = " to ".join(named[id(row)] for row in (family[0], family[-1]))
        for name, scores in _by_loss({_stride(row): class_scores(row, metric) for row in family}):
            lost = _lost(scores)
            lines.append([title, name, *(percent(scores.get(stride)) for stride in strides), percent(lost)])
            levels = {f"stride_{stride}": scores.get(stride) for stride in strides}
            records.append({"family": title, "class": name, "score": PER_CLASS[metric], **levels, "lost": lost})
    return Table(
        titles=["Family", "Class", *(f"Stride {stride}" for stride in strides), "Lost"],
        lines=lines,
        records=records,
        notes=[
            f"{TITLES[metric]} of each class in percent; lost: from the finest to the coarsest stride, in points.",
            *(["Models trained elsewhere are left out: nothing says what else they differ in."] if _any_external(rows) else []),
        ],
        left=frozenset({"Family", "Class"}),
    )


def _families(rows: list[Row]) -> list[list[Row]]:
    """Rows that differ in the stride alone, from the finest to the coarsest; families of one stride are left out."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        first = row.cells[0]
        if row.results and not row.external and row.scores.get("output_stride") is not None:
            model = {key: value for key, value in first.model.model_dump(mode="json").items() if key != "stride"}
            axes = [axis for axis in first.axes if axis[0] != "model.stride"]
            key = [first.dataset_label, model, first.augmentation_label, first.fraction, axes]
            groups.setdefault(json.dumps(key, default=str), []).append(row)
    ordered = [sorted(group, key=_stride) for group in groups.values()]
    return [group for group in ordered if len(group) > 1 and all(_stride(a) < _stride(b) for a, b in pairwise(group))]


def _by_loss(levels: dict[int, dict[str, float | None]]) -> list[tuple[str, dict[int, float | None]]]:
    """Class and its score by stride, the dearest loss first; classes without a score come last."""
    classes = list(dict.fromkeys(name for scores in levels.values() for name in scores))
    table = [(name, {stride: scores.get(name) for stride, scores in levels.items()}) for name in classes]
    return sorted(table, key=lambda each: -lost if (lost := _lost(each[1])) is not None else float("inf"))


def _lost(scores: dict[int, float | None]) -> float | None:
    finest, coarsest = scores[min(scores)], scores[max(scores)]
    return None if finest is None or coarsest is None else finest - coarsest


def _stride(row: Row) -> int:
    return int(row.scores["output_stride"] or 0)


def row_keys(name: str, row: Row) -> dict[str, Any]:
    """What names a row in a record; of a model trained elsewhere the recipe is not known."""
    first = row.cells[0]
    named = {"row": name, "dataset": first.dataset_label, "model": first.model_label, "external": row.external}
    if row.external:
        return {**named, "augmentation": None, "fraction": None}
    return {**named, "augmentation": first.augmentation_label, "fraction": first.fraction}


def external_note(rows: list[Row]) -> list[str]:
    """What the mark of external models means, where there are any."""
    return [EXTERNAL_NOTE] if _any_external(rows) else []


def _any_external(rows: list[Row]) -> bool:
    return any(row.external for row in rows)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f}"

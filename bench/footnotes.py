"""What the numbers of a table mean and how they were measured, sentence by sentence."""

from collections.abc import Collection
from typing import Any

from bench.layout import Layout
from bench.leaderboard import SPEED, Row
from bench.metrics.dialects import DIALECTS, same_as
from bench.names import EXTERNAL_NOTE, names
from bench.pieces import Number, Piece, text
from bench.statistics import MOST_UNDEFINED
from bench.store import Result
from bench.titles import score_name

Sentences = list[list[Piece]]


def footnotes(rows: list[Row], shown: Collection[str] | None = None, layout: Layout | None = None) -> list[str]:
    """The notes below a table for people; ``shown`` are its columns, unset: all that there may be."""
    return [text(sentence) for sentence in sentences(rows, shown, layout or Layout())]


def sentences(rows: list[Row], shown: Collection[str] | None, layout: Layout) -> Sentences:
    """The notes with their numbers apart, so that these can be found again."""
    results = [result for row in rows for result in row.results]
    if not results:
        return _sources(rows, shown)
    about_miou = shown is None or not {"miou", "miou_of_ceiling"}.isdisjoint(shown) or _ranked(shown, rows, "miou")
    notes = [[*(_convention(rows) if about_miou else []), *_evidence(rows, results, layout)]]
    notes += _without_score(rows) if about_miou else []
    notes += _ranks(rows) if shown is None or "rank" in shown else []
    notes += [[each] for each in _undefined(rows, shown)]
    notes += _ceilings(rows, results) if _has(shown, "miou_of_ceiling", "boundary_iou_of_ceiling") else []
    widths = sorted({width for result in results for width in result.data.get("boundary_width_px", [])})
    if widths and (_has(shown, "boundary_iou", "boundary_iou_of_ceiling") or _ranked(shown, rows, "boundary_iou")):
        notes.append(["Boundary IoU with a band of ", *_span("boundary_width_px", widths), " px."])
    if _has(shown, *SPEED):
        notes += [[f"Speed: {each}."] for each in sorted({_speed(result.profile) for result in results if result.profile})]
    notes += [["FLOPs of one image: 2 x multiply-accumulates, interpolation counted."]] if shown and "flops" in shown else []
    notes += _sources(rows, shown)
    return [*notes, [EXTERNAL_NOTE]] if any(row.external for row in rows) else notes


def _has(shown: Collection[str] | None, *columns: str) -> bool:
    return shown is None or any(column in shown for column in columns)


def _ranked(shown: Collection[str] | None, rows: list[Row], metric: str) -> bool:
    return _has(shown, "rank") and rows[0].ranked_by == metric


def _convention(rows: list[Row]) -> list[Piece]:
    convention = rows[0].convention
    return [f"mIoU as in {convention}: {DIALECTS[convention].rule}. "]


def _evidence(rows: list[Row], results: list[Result], layout: Layout) -> list[Piece]:
    """How many images and seeds there are, and what the intervals rest on."""
    seeds = sorted({len(row.results) for row in rows if row.results and not row.external})
    over = (
        "images and seeds (noise between seeds pooled within an architecture)"
        if max(seeds, default=1) > 1
        else "images alone" + (", since one seed says nothing about the noise between trainings" if seeds else "")
    )
    trainings: list[Piece] = [", ", *_span("seeds", seeds), f" seed{'s' if seeds != [1] else ''}"] if seeds else []
    images = sorted({result.data["test_images"] for result in results})
    bounds = {
        "range": f"; 95 % intervals by bootstrap over {over}.",
        "pm": f"; ± half the width of the 95 % interval, by bootstrap over {over}.",
        "none": ".",
    }
    return [*_span("test_images", images), " images", *trainings, bounds[layout.interval]]


def _without_score(rows: list[Row]) -> Sentences:
    convention = rows[0].convention
    notes: Sentences = []
    if DIALECTS[convention].ordered:
        notes.append([f"mIoU as in {convention} depends on the order of the images and so has no interval."])
    if any(row.results and row.scores.get("miou") is None for row in rows):
        notes.append([f"–: {convention} defines no mIoU there."])
    return notes


def _ranks(rows: list[Row]) -> Sentences:
    by = rows[0].ranked_by
    if DIALECTS[rows[0].convention].ordered and by == "miou":
        return [["Ranks follow the score alone: nothing tests whether rows can be told apart."]]
    better = f"significantly better in {score_name(by)} (paired over images, Holm's correction, 5 %)"
    return [[f"A rank is 1 + the number of rows {better}."]]


def _undefined(rows: list[Row], shown: Collection[str] | None) -> list[str]:
    """Which rows have draws without a score, and which have so many that nothing can be said of them."""
    notes = []
    for name, row in zip(names(rows), rows, strict=True):
        for metric, share in row.undefined.items():
            if _has(shown, metric, "rank"):
                end = "so it has no interval and no test" if share > MOST_UNDEFINED else "which its interval leaves out"
                notes.append(f"{name}: {share * 100:.2g} % of the bootstrap draws have no {score_name(metric)}, {end}.")
    return notes


def _ceilings(rows: list[Row], results: list[Result]) -> Sentences:
    convention = rows[0].convention
    protocols = sorted({result.ceiling["protocol"] for result in results if result.ceiling})
    notes: Sentences = []
    if same_as(convention) != "fcn" and protocols:
        notes.append([f"% of ceiling: only for FCN's mIoU, not for that of {convention}."])
    if protocols:
        how = f"reduced to the output stride and enlarged ({', '.join(protocols)}); within reach, no bound"
        notes.append([f"Ceiling: mIoU of the labels themselves, {how}."])
    return notes


def _speed(profile: dict[str, Any]) -> str:
    threads = f", {profile['threads']} threads" if profile.get("threads") else ""
    size = f"{profile['height_px']}x{profile['width_px']} px"
    return f"{profile['device']}{threads}, {profile['precision']}, {size}, batch {profile['batch']}, class map included"


def _sources(rows: list[Row], shown: Collection[str] | None) -> Sentences:
    """Where the published scores come from, each once, and what they are not comparable in."""
    columns = {metric: f"{metric}_published" for row in rows for metric in row.published}
    found = [each for row in rows for metric, each in row.published.items() if _has(shown, columns[metric])]
    sources = dict.fromkeys(each.expectation.source for each in found)
    others = dict.fromkeys(each.splits for each in found if each.splits[0] != each.splits[1])
    notes: Sentences = [[f"Published scores with their tolerance: {source}."] for source in sources]
    apart = "other images, other scores"
    return notes + [[f"They are of {theirs}, and this table is of {ours}: {apart}."] for theirs, ours in others]


def _span(key: str, values: list[int]) -> list[Piece]:
    """A number, or the smallest and the largest."""
    low, high = Number(key, "low", values[0], str(values[0])), Number(key, "high", values[-1], str(values[-1]))
    return [Number(key, "", values[0], low.text)] if low.text == high.text else [low, " to ", high]

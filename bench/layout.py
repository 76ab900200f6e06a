"""What of a leaderboard a table shows, and how: which rows and columns, in which groups, with which intervals."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from bench.errors import BenchError, nearest
from bench.leaderboard import BOUNDED, COST, PERCENT, SPEED, Row
from bench.names import find_rows, listed, names, varying

Bounds = Literal["range", "pm", "none"]
BOUNDS: tuple[str, ...] = get_args(Bounds)
ALWAYS = ("rank", "model", "output_stride", "miou", "miou_of_ceiling", "boundary_iou", "images_per_s", "parameters", "seeds")
OF_TRAINED = ("images_per_s", "parameters", "seeds")
"""Those of them that no external model has."""
LABELS = ("model", "dataset", "augmentation", "fraction")
"""What names a row, besides the further axes of its suite."""
_OTHERS = ("rank", "seeds", "train_images", "p_leader", "status", *(f"{name}_of_ceiling" for name in BOUNDED))


@dataclass(frozen=True)
class Layout:
    """The author's choices; as they stand, a table is the whole leaderboard."""

    rows: tuple[str, ...] = ()
    """Names of rows as `bench compare` takes them, in the order wanted; each may mean several. Empty: all."""
    columns: tuple[str, ...] = ()
    """Keys of a row. Empty: those that always stand and those that differ between rows."""
    group_by: str | None = None
    """A label of rows, or an axis: rows with the same value stand together below a heading."""
    percent: bool = True
    """Scores in percent; else in [0, 1]."""
    interval: Bounds = "range"
    """Scores with the bounds of their 95 % interval, with half its width, or alone."""

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `layout_from_json` makes an equal layout."""
        return {**asdict(self), "rows": list(self.rows), "columns": list(self.columns)}


def layout_from_json(data: dict[str, Any]) -> Layout:
    """The inverse of `Layout.to_json`; raises ValueError, TypeError or KeyError for what is none."""
    rows, columns = ([str(each) for each in data[key]] for key in ("rows", "columns"))
    if data["interval"] not in BOUNDS:
        raise ValueError(f"interval {data['interval']!r}")
    group_by = None if data["group_by"] is None else str(data["group_by"])
    return Layout(tuple(rows), tuple(columns), group_by, bool(data["percent"]), data["interval"])


def chosen_rows(rows: list[Row], layout: Layout) -> list[Row]:
    """The rows shown, each once, those of a group together; raises BenchError for a name that no row has."""
    named = [each for wanted in layout.rows for each in find_rows(rows, wanted)] if layout.rows else rows
    shown = list({id(row): row for row in named}.values())
    if layout.group_by is None:
        return shown
    _check(layout.group_by, "--group-by", axes(rows))
    places = list(dict.fromkeys(group_of(row, layout) for row in shown))
    return sorted(shown, key=lambda row: places.index(group_of(row, layout)))


def group_of(row: Row, layout: Layout) -> str:
    """The heading a row stands below, or "" where there are none."""
    if layout.group_by is None:
        return ""
    value = row.to_json().get(layout.group_by)
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def axes(rows: Iterable[Row]) -> list[str]:
    """What names rows, and so may group them."""
    return list(dict.fromkeys([*LABELS, *(path for row in rows for path, _ in row.cells[0].axes)]))


def known_columns(rows: list[Row]) -> list[str]:
    """All columns that a table of these rows may have."""
    published = [f"{metric}_published" for metric in PERCENT if any(metric in row.published for row in rows)]
    return list(dict.fromkeys([*axes(rows), *PERCENT, *_OTHERS, *COST, *SPEED, *published]))


def chosen_columns(rows: list[Row], layout: Layout) -> list[str]:
    """The columns shown; what rows are grouped by stands in the headings. Raises BenchError for a column there is not."""
    for name in layout.columns:
        _check(name, "--columns", known_columns(rows))
    shown = [name for name in layout.columns or _usual(rows) if name != layout.group_by]
    if not shown:
        raise BenchError(f"--group-by {layout.group_by} leaves no column; name others with --columns")
    return shown


def alike(shown: list[Row], layout: Layout) -> str:
    """Which rows the chosen columns, and headings, do not tell apart, and what would; "" where there are none."""
    said = {layout.group_by, *chosen_columns(shown, layout)}
    words = [{key: str(row.to_json().get(key)) for key in axes(shown)} for row in shown]
    seen = [{key: word for key, word in each.items() if key in said} for each in words]
    twins = [place for place, each in enumerate(seen) if layout.columns and seen.count(each) > 1]
    missing = [key for key in axes(shown) if key not in said and len({words[place][key] for place in twins}) > 1]
    called = names(shown)
    return f"{listed(called[each] for each in twins)} read alike; --columns {','.join(missing)} tells them apart" if twins else ""


def _usual(rows: list[Row]) -> list[str]:
    trained = any(not row.external for row in rows)
    shown = [*ALWAYS[:2], *varying(rows), *(name for name in ALWAYS[2:] if trained or name not in OF_TRAINED)]
    by = rows[0].ranked_by if rows else "miou"
    if by not in shown:
        shown.insert(shown.index("miou"), by)
    shown += [name for name in known_columns(rows) if name.endswith("_published")]
    return [*shown, "status"] if any(row.status for row in rows) else shown


def _check(name: str, option: str, known: list[str]) -> None:
    if name not in known:
        raise BenchError(f"{option} {name}: unknown.{nearest(name, known)} It is one of {', '.join(known)}.")


def split_names(given: Iterable[str], rows: list[Row], option: str = "--rows") -> tuple[str, ...]:
    """Names from options that may hold several, parted by commas; a row's name that itself has one is left whole.

    Raises BenchError for an option that holds none, and for a name that is given twice.
    """
    whole = set(names(rows))
    found: list[str] = []
    for each in given:
        parts = [each] if each in whole else [part.strip() for part in each.split(",") if part.strip()]
        if not parts:
            raise BenchError(f"{option} {each!r}: names nothing. Give names parted by commas, or leave {option} out for all.")
        found += parts
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise BenchError(f"{option} {','.join(given)}: {', '.join(twice)} is given twice. Name each once.")
    return tuple(found)

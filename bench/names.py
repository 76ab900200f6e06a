"""Short names of leaderboard rows, and the rows that a short name means."""

from collections.abc import Iterable
from typing import Any

from bench.errors import BenchError, nearest
from bench.leaderboard import Row


def varying(rows: list[Row]) -> list[str]:
    """The columns besides the model that differ between rows."""
    labels = [_labels(row) for row in rows if not row.external] or [{}]
    keys = dict.fromkeys(key for each in labels for key in each if key != "model")
    sets = ["dataset"] if len({row.cells[0].dataset_label for row in rows}) > 1 else []
    return sets + [key for key in keys if key != "dataset" and len({str(each.get(key)) for each in labels}) > 1]


EXTERNAL = "†"
"""Marks the models that were trained elsewhere."""
EXTERNAL_NOTE = f"{EXTERNAL} trained elsewhere: its predictions were scored here, its stride is as stated by its makers."


def names(rows: list[Row]) -> list[str]:
    """The model's label where that is enough, or `model/augmentation/...` with whatever differs between rows.

    An external model that has the name of a trained one is `model/external`.
    """
    models = [(row.cells[0].model_label, row.external) for row in rows]
    extra = varying(rows)
    named = []
    for row, model in zip(rows, models, strict=True):
        words = [model[0], *(["external"] if row.external and (model[0], False) in models else [])]
        if models.count(model) > 1:
            words += [_word(key, _labels(row)[key]) for key in extra if not row.external or key == "dataset"]
        named.append("/".join(words))
    return named


def marked(rows: list[Row]) -> list[str]:
    """The names of rows for a table or a sentence, external models with their mark."""
    return [f"{name} {EXTERNAL}" if row.external else name for name, row in zip(names(rows), rows, strict=True)]


def find_row(rows: list[Row], wanted: str) -> Row:
    """The one row that a name means: a model's label, then in any order what sets the row apart, joined by slashes.

    `unet`, `unet/standard`, `unet/none/fraction=0.25`, `fcn/stride=8`, `unet/external`. Raises BenchError for none or several.
    """
    found = find_rows(rows, wanted)
    if len(found) == 1:
        return found[0]
    known = zip(rows, names(rows), strict=True)
    chosen = ", ".join(name for row, name in known if any(row is each for each in found))
    raise BenchError(f"{wanted!r} could be {len(found)} rows: {chosen}. Give one of these names.")


def find_rows(rows: list[Row], wanted: str) -> list[Row]:
    """All rows that a name means, as `find_row` reads it; raises BenchError for none."""
    known = names(rows)
    exact = [row for row, name in zip(rows, known, strict=True) if name == wanted]
    found = exact or [row for row in rows if _words(row).issuperset(wanted.split("/"))]
    if not found:
        raise BenchError(f"no row {wanted!r}.{nearest(wanted, known)} Rows are {', '.join(known)}.")
    return found


def _labels(row: Row) -> dict[str, Any]:
    first = row.cells[0]
    named = {"dataset": first.dataset_label, "augmentation": first.augmentation_label, "fraction": first.fraction}
    return {"model": first.model_label, **named, **dict(first.axes)}


def _word(key: str, value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if key in ("model", "dataset", "augmentation") else f"{key}={text}"


def _words(row: Row) -> set[str]:
    """All the words that may stand in a name of the row; a dotted axis goes by its last part as well."""
    words: set[str] = {"external"} if row.external else set()
    for key, value in _labels(row).items():
        if row.external and key not in ("model", "dataset"):  # nothing is known of its training
            continue
        text = _word(key, value)
        words |= {text, text.rpartition("=")[2]} if key == "fraction" else {text}
        words |= {f"{key.rpartition('.')[2]}={text.partition('=')[2]}"} if "." in key else set()
        words |= {f"{key}={text}"} if key in ("model", "dataset", "augmentation") else set()
    return words


def listed(names: Iterable[str]) -> str:
    """Words as English lists them: "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last

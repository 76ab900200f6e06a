"""`bench ceiling`."""

import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bench.ceilings import DEFAULT, FCN_PAPER, PROTOCOLS, Ceiling, checked_protocol, checked_strides
from bench.cli.options import DATA, STORE, DataOption, JsonOption, SetOption, StoreOption, checked, suite_path
from bench.cli.printing import console, print_json, print_table
from bench.contest import contests
from bench.data import DATASETS, entry_of
from bench.errors import BenchError, nearest
from bench.expand import expand
from bench.specs import DatasetSpec
from bench.suite import Suite, build_suite
from bench.trust import read_suite
from bench.yamlfile import Document

NOTES = (
    "What a network could reach that scores classes on a grid of this stride and interpolates, if it knew the labels. Cell i of "
    "an axis begins at pixel stride * i, its score stands in its middle, and the image may cut the last cell short.",
    "mIoU over the set, classes absent from truth and prediction left out; void is never counted.",
)
BOUND_NOTE = (
    "A protocol shows what can be reached, and forbids nothing: a finer search finds higher scores, as `optimised` does where "
    "outlines matter most."
)
PAPER_NOTE = (
    "Paper: Long et al., CVPR 2015, appendix A, a subset of VOC 2011 val, called approximate; how labels were reduced and "
    "enlarged, and what became of void, is not stated."
)


class ManyStrides(TyperCommand):
    """Lets ``--strides`` take several numbers after one another, which the parser cannot: they become one value with commas."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the numbers that follow ``--strides``."""
        joined: list[str] = []
        numbers: list[str] | None = None
        for each in [*args, ""]:
            if numbers is not None and re.match(r"-?\d", each):
                numbers.append(each)
                continue
            joined += [",".join(numbers)] if numbers else []
            numbers = [] if each == "--strides" else None
            joined.append(each)
        return super().parse_args(ctx, joined[:-1])


def ceiling(
    dataset: Annotated[
        str, typer.Argument(help="Data set of `bench list datasets`, or a suite: its data sets.", show_default=False)
    ],
    strides: Annotated[str, typer.Option("--strides", help="Strides in pixels.", metavar="N N ...")] = "4,8,16,32,64,128",
    protocol: Annotated[str, typer.Option("--protocol", help=f"{', '.join(PROTOCOLS)}, or all.", metavar="NAME|all")] = DEFAULT,
    split: Annotated[str | None, typer.Option("--split", help="Unset: the split that is reported.")] = None,
    resize: Annotated[tuple[int, int] | None, typer.Option("--resize", help="Size labels are brought to.", metavar="H W")] = None,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print the best scores that prediction at a stride allows on a data set's labels; computed once, then read from the store."""
    wanted = checked_strides(_numbers(strides))
    names = list(PROTOCOLS) if protocol == "all" else [checked_protocol(protocol)]
    rows: list[dict[str, Any]] = []
    place = checked(store)
    for label, spec, ratio in _datasets(dataset, settings, resize):
        rows += _rows(label, spec, split or spec.test, ratio, wanted, names, place.root, data_root)
    if as_json:
        print_json(rows)
        return
    _print(rows, names)


def _numbers(text: str) -> list[int]:
    """Whole numbers separated by commas or spaces."""
    parts = re.split(r"[,\s]+", text.strip(", "))
    try:
        return [int(each) for each in parts]
    except ValueError:
        raise BenchError(f"--strides {text}: expected whole numbers, as in --strides 4 8 16") from None


def _datasets(name: str, settings: list[str], resize: tuple[int, int] | None) -> list[tuple[str, DatasetSpec, float]]:
    """The distinct data sets of a suite, or the one of that name, with the width of Boundary IoU's band."""
    settings = [*settings, *([f"dataset.resize=[{resize[0]}, {resize[1]}]"] if resize else [])]
    if name in DATASETS:
        # As a suite of one cell, so that fields are set and checked in one way; the model plays no part.
        data = {"name": name, "matrix": {"model": ["fcn"], "dataset": [name]}}
        full = [each if each.partition("=")[0].count(".") else f"dataset.{each}" for each in settings]
        suite: Suite = build_suite(Document(Path(name), data, {}), full)
    else:
        suite = read_suite(_suite(name), settings)
    found = contests(suite, expand(suite))
    return [(each.label, each.dataset, each.eval.boundary_ratio) for each in found]


def _suite(name: str) -> Path:
    try:
        return suite_path(name)
    except BenchError as error:
        known = f"no data set {name!r}.{nearest(name, DATASETS)} `bench list datasets` prints them all."
        raise BenchError(f"{known}\n{error}") from None


def _rows(
    label: str,
    spec: DatasetSpec,
    split: str | None,
    ratio: float,
    strides: list[int],
    protocols: list[str],
    store: Path,
    data_root: Path,
) -> list[dict[str, Any]]:
    """One plain row a protocol and stride."""
    from bench.ceilings.compute import ceilings
    from bench.ceilings.labels import labels_of_files
    from bench.store import Store

    assert split is not None, "every data set reports on a split"
    place, entry = Store(store), entry_of(spec)
    labels = labels_of_files(entry, spec, data_root, split, place)
    rows = []
    for name in protocols:
        with _Progress(f"{label} {split}, {name}") as progress:
            found = ceilings(place, labels, strides, name, ratio, progress)
        for each in found:
            paper = FCN_PAPER.get(each.stride) if (spec.name, split, spec.resize) == ("voc2012", "val", None) else None
            rows.append(_row(label, split, spec, each, paper))
    return rows


def _row(label: str, split: str, spec: DatasetSpec, found: Ceiling, paper: float | None) -> dict[str, Any]:
    return {
        "dataset": label,
        "split": split,
        "height_px": spec.resize[0] if spec.resize else None,
        "width_px": spec.resize[1] if spec.resize else None,
        **found.model_dump(exclude={"class_iou", "labels"}),
        "paper_miou": paper,
        "class_iou": dict(zip(entry_of(spec).class_names, found.class_iou, strict=True)),
        "labels": found.labels,
    }


class _Progress:
    """One line on a terminal that counts images, and nothing elsewhere."""

    def __init__(self, title: str) -> None:
        self.title, self.live, self.said = title, sys.stderr.isatty(), 0.0

    def __enter__(self) -> "_Progress":
        return self

    def __call__(self, done: int, total: int) -> None:
        if self.live and (time.monotonic() - self.said > 0.1 or done == total):
            self.said = time.monotonic()
            print(f"\r{self.title}: {done} of {total} images", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.said:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(rows: list[dict[str, Any]], protocols: list[str]) -> None:
    """A table in percent for every data set, and what the numbers mean."""
    paper = any(row["paper_miou"] is not None for row in rows)
    for label in dict.fromkeys((row["dataset"], row["split"]) for row in rows):
        members = [row for row in rows if (row["dataset"], row["split"]) == label]
        shown = []
        for row in members:
            line = {"protocol": row["protocol"], "stride": row["stride"]}
            line |= {"mIoU %": _percent(row["miou"]), "Boundary IoU %": _percent(row["boundary_iou"])}
            line |= {"trimap 3 px mIoU %": _percent(row["trimap_iou_3px"])}
            if paper:
                known = row["paper_miou"]
                line |= {"paper mIoU %": _percent(known)}
                gap = known is not None and row["miou"] is not None
                line |= {"difference": f"{(row['miou'] - known) * 100:+.1f}" if gap else None}
            shown.append(line)
        print_table(shown, title=f"{label[0]} {label[1]}, {members[0]['images']} images")
    out = console()
    notes = [f"{name}: {PROTOCOLS[name].summary}." for name in protocols]
    for note in (*NOTES, *notes, BOUND_NOTE, *((PAPER_NOTE,) if paper else ())):
        out.print(note, style="dim")


def _percent(value: float | None) -> float | None:
    return None if value is None else round(value * 100, 2)

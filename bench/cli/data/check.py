"""`bench data check`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from bench.cli.data.named import FieldOption, NameArgument, Named, SplitOption, datasets
from bench.cli.data.progress import progress
from bench.cli.options import DATA, DataOption, JsonOption
from bench.cli.printing import console, print_json, print_table, say
from bench.data.check import KINDS
from bench.data.check import check as check_files
from bench.data.report import Report, SplitCount
from bench.data.samples import labelled
from bench.errors import BenchError, nearest


def check(
    name: NameArgument,
    settings: FieldOption = [],  # noqa: B006  typer reads the default and never changes it
    split: SplitOption = [],  # noqa: B006
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="Read labels alone, where the photographs are not at hand.")
    ] = False,
    allow: Annotated[list[str], typer.Option("--allow", help="Take a kind of defect for a note. Repeatable.", metavar="KIND")] = [],  # noqa: B006
    as_json: JsonOption = False,
    data_root: DataOption = DATA,
) -> None:
    """Read every file of a data set and print all that is wrong with it; exit code 1 if anything is."""
    for kind in allow:
        if kind not in KINDS:
            raise BenchError(f"--allow {kind}: no kind of defect.{nearest(kind, KINDS)} They are {', '.join(KINDS)}.")
    found = {}
    for named in datasets(name, settings):
        with labelled(named.label, named.spec), progress(f"reading {named.label}", unit="images") as report:
            outcome = check_files(named.entry, named.spec, data_root, splits=split, labels_only=labels_only, progress=report)
        outcome.notes += [each for each in outcome.defects if each.kind in allow]
        outcome.defects = [each for each in outcome.defects if each.kind not in allow]
        found[named.label] = (named, outcome)
    if as_json:
        print_json([{"dataset": label, "labels_only": labels_only, **_plain(*pair)} for label, pair in found.items()])
    else:
        for named, outcome in found.values():
            _print(named, outcome, labels_only)
    raise typer.Exit(1 if any(outcome.defects for _, outcome in found.values()) else 0)


def _plain(named: Named, report: Report) -> dict[str, Any]:
    classes = [*named.entry.class_names, "void"]
    splits = [
        {
            "split": each.split,
            "published": each.published,
            "listed": each.listed,
            "readable": each.readable,
            "pixels": dict(zip(classes, each.pixels.tolist(), strict=True)),
            "images": dict(zip(classes, each.images.tolist(), strict=True)),
        }
        for each in report.splits
    ]
    return {
        "splits": splits,
        "defects": [asdict(each) for each in report.defects],
        "notes": [asdict(each) for each in report.notes],
    }


def _print(named: Named, report: Report, labels_only: bool) -> None:
    what = "labels only; photographs were not read" if labels_only else "images and labels"
    console().print(f"{named.label}: {what}")
    print_table([_split_row(each) for each in report.splits])
    rows = []
    for index, label in enumerate([*named.entry.class_names, "void"]):
        row: dict[str, Any] = {"class": label}
        for each in report.splits:
            share = round(float(100 * each.pixels[index] / max(1, each.pixels.sum())), 3)
            images = int(each.images[index])
            row |= {f"{each.split} images": images if each.there else None, f"{each.split} pixels_%": share if each.there else None}
        rows.append(row)
    console().print("\nImages that show a class, and its share of all pixels:")
    print_table(rows)
    for title, findings in (("Notes", report.notes), ("Defects", report.defects)):
        if findings:
            console().print(f"\n{title}:")
            print_table([asdict(each) for each in findings])
    say(f"{named.label}: {len(report.defects)} defects, {len(report.notes)} notes.")


def _split_row(count: SplitCount) -> dict[str, Any]:
    sizes = count.sizes.most_common()
    size = "–" if not sizes else "{}x{}".format(*sizes[0][0]) + (f" and {len(sizes) - 1} more" if len(sizes) > 1 else "")
    return {
        "split": count.split,
        "published": count.published,
        "listed": count.listed if count.there else None,
        "without_fault": count.readable if count.there else None,
        "height_x_width": size,
        "pixels": int(count.pixels.sum()) if count.there else None,
    }

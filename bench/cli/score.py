"""`bench score`: others' predictions, checked, scored and entered beside trained cells."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import DATA, STORE, DataOption, JsonOption, SetOption, StoreOption, checked, suite_path
from bench.cli.printing import print_json, say, show
from bench.contest import RULES, Contest, contest_on, contests
from bench.data import DATASETS
from bench.data.samples import list_samples
from bench.errors import BenchError, nearest
from bench.expand import expand
from bench.export import table
from bench.leaderboard import collect, rank
from bench.plan import seen, survey
from bench.specs import EvalSpec
from bench.store import Store
from bench.suite import Suite, build_suite
from bench.trust import read_suite
from bench.yamlfile import Document

if TYPE_CHECKING:
    from bench.external import Entry

SHOWN = 20
"""Defects printed of one model; --json has all of them."""


def score(
    target: Annotated[
        str, typer.Argument(metavar="DATASET_OR_SUITE", help="A data set's name or a suite file.", show_default=False)
    ],
    predictions: Annotated[
        Path, typer.Option("--predictions", help="PNGs, one an image, or one folder of them a model.", metavar="DIR")
    ],
    name: Annotated[str | None, typer.Option("--name", help="The model's name. Unset: its folder's.", metavar="NAME")] = None,
    split: Annotated[str | None, typer.Option("--split", help="Unset: the split that is reported.", metavar="SPLIT")] = None,
    stride: Annotated[int | None, typer.Option("--stride", min=1, max=32768, help="Its output stride, for the plots.")] = None,
    suffix: Annotated[str, typer.Option("--suffix", help="What names have after the image's id, e.g. _pred.")] = "",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Which of a suite's data sets.", metavar="LABEL")] = None,
    settings: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Score label maps that a model trained elsewhere predicted, and enter it into the leaderboards beside trained cells.

    PNGs of class ids or of the data set's colours, at the labels' size, named <id>.png. Photographs are not needed. Exit code 1
    when a file has a defect; its model is then not entered.
    """
    if name is not None and not (name.strip() and name.isprintable()):
        raise BenchError(f"--name {name!r}: expected a name that can be printed on one line")
    place = checked(store)
    suite, reported = _contest(target, dataset, settings)
    contest, samples = seen(reported.on(split or reported.split), data_root, place)
    from bench.data.submitted import submissions

    models = submissions(predictions, samples, suffix)
    if name is not None and len(models) > 1:
        raise BenchError(f"--name {name}: {predictions} holds {len(models)} models, named by their folders; leave --name out")
    place.writable()
    from bench.external import score as score_one

    entries = {}
    for label, folder in ((name or each, folder) for each, folder in models.items()):
        entries[label] = score_one(label, folder, contest, samples, place, stride=stride, suffix=suffix, progress=_progress)
        _tell(label, entries[label])
        if entries[label].matched == 0:
            _hint(folder, contest, data_root, suffix)
    if contest.split != reported.split and any(entry.cell for entry in entries.values()):
        say(f"Scored on {contest.split!r}: shown by suites that report it, with dataset.test: {contest.split}.")
    if suite and not suite.matrix:  # nothing else would tell the dashboard of it
        known = survey([], data_root, place, suite.name, contests(suite, [])).contests
        place.note_suite(suite.name, suite.document.path, [], [each.to_json() for each in known])
    _print(entries, place, as_json)
    raise typer.Exit(1 if any(entry.defects for entry in entries.values()) else 0)


def _contest(target: str, label: str | None, settings: list[str]) -> tuple[Suite | None, Contest]:
    """What a data set's name or a suite stands for; raises BenchError where a suite leaves a choice."""
    if target in DATASETS:
        if label is not None:
            raise BenchError(f"--dataset {label}: {target} is a data set itself; the option is for suites of several")
        return None, replace(contest_on(target), eval=_rules(target, settings))
    try:
        path = suite_path(target)
    except BenchError:
        raise BenchError(
            f"neither a data set nor a suite: {target!r}.{nearest(target, DATASETS)} "
            "`bench list datasets` and `bench list suites` print what there is."
        ) from None
    suite = read_suite(path, settings)
    found = contests(suite, expand(suite))
    labels = list(dict.fromkeys(each.label for each in found))
    if label is not None and label not in labels:
        raise BenchError(f"--dataset {label}: not in {path}.{nearest(label, labels)} It has {', '.join(labels)}.")
    chosen = [each for each in found if label in (None, each.label)]
    if len(chosen) > 1:
        alone = "Write a suite file with nothing but the one you mean, as `dataset:`."
        how = f"Choose with --dataset: {', '.join(labels)}." if label is None and len(labels) > 1 else alone
        raise BenchError(f"{path}: predictions can be scored on {len(chosen)} data sets or versions of one here. {how}")
    return suite, chosen[0]


def _rules(target: str, settings: list[str]) -> EvalSpec:
    """The rules of scoring on a data set of the table, where a suite file could say more."""
    for setting in settings:
        if setting.partition("=")[0].removeprefix("eval.") not in RULES:
            fields = ", ".join(f"eval.{rule}" for rule in RULES)
            raise BenchError(f"--set {setting}: beside a data set's name it sets {fields} alone; a file can say more.")
    document = Document(Path(target), {"name": target, "dataset": target}, {})
    return contests(build_suite(document, settings), [])[0].eval


def _tell(name: str, entry: "Entry") -> None:
    """Say what came of a model."""
    for defect in entry.defects[:SHOWN]:
        say(f"{name}: {defect.file}: {defect.reason}")
    count = len(entry.defects)
    if count:
        more = f"the first {SHOWN} of them above, all with --json" if count > SHOWN else "all above"
        say(f"{name}: not entered, {count} {'defects' if count > 1 else 'defect'}, {more}")
        return
    assert entry.cell is not None
    instead = f", in place of {entry.replaced}, which keeps its folder" if entry.replaced else ""
    say(f"{name}: {'scored' if entry.new else 'already scored'}  [{entry.cell.id}]{instead}")


def _hint(folder: Path, contest: Contest, data_root: Path, suffix: str) -> None:
    """Say whose names the files have, when none has a name of this split."""
    from bench.data.submitted import match

    for split in contest.entry.splits:
        try:
            found, _ = match(folder, list_samples(contest.entry, data_root, contest.dataset, split, images=False), suffix)
        except BenchError:
            continue  # a split that is not at hand
        if found:
            say(f"None of the files belongs to the split {contest.split!r}, {len(found)} to {split!r}: say --split {split}.")


def _progress(done: int, total: int) -> None:
    """A line on a terminal that is written over and goes at the end."""
    if sys.stderr.isatty():
        print(f"\r{done} of {total} images" if done < total else "\r\033[K", end="", file=sys.stderr, flush=True)


def _print(entries: "dict[str, Entry]", store: Store, as_json: bool) -> None:
    """The models as rows of a leaderboard of their own; those with defects have no scores in it."""
    cells = [replace(entry.cell, model_label=name) for name, entry in entries.items() if entry.cell]
    rows = rank(collect(cells, store), store)
    if as_json:
        flawed = [
            {"model": name, "external": True, "status": "defects", "defects": [vars(defect) for defect in entry.defects]}
            for name, entry in entries.items()
            if entry.defects
        ]
        print_json([*(row.to_json() for row in rows), *flawed])
    elif rows:
        show(table(rows))

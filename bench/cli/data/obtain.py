"""`bench data fetch` and `bench data prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.data.named import FieldOption, NameArgument, Named, SplitOption, datasets, presence
from bench.cli.data.progress import progress
from bench.cli.options import DATA, STORE, DataOption, StoreOption, checked
from bench.cli.printing import print_table, say
from bench.data.fetch import fetch as fetch_file
from bench.data.fingerprint import fingerprint
from bench.data.leak import no_leak
from bench.data.prepare import cache_folder, is_current, prepare_split
from bench.data.samples import Sample
from bench.data.sources import SOURCES, Download


def fetch(
    name: NameArgument,
    settings: FieldOption = [],  # noqa: B006  typer reads the default and never changes it
    force: Annotated[bool, typer.Option("--force", help="Download again what is there already.")] = False,
    data_root: DataOption = DATA,
) -> None:
    """Download what may be downloaded, and say what only you can do; exit code 1 while a data set is not whole."""
    whole = True
    for named in datasets(name, settings):
        source = SOURCES.get(named.spec.name)
        if source is None:
            say(f"{named.label}: {named.entry.obtain}.")
        else:
            say(f"{named.label}: see {source.terms} for its terms of use.")
            for download in source.downloads:
                _download(download, data_root, force)
        there = _all_there(named, data_root)
        if source and source.steps and not there:
            say("\n".join(f"  {number}. {step}" for number, step in enumerate(source.steps, start=1)))
            say(f"<data root> is {data_root}; name another with --data-root DIR or BENCH_DATA.")
        say(f"{named.label} is {'whole' if there else 'not whole'} below {data_root}.")
        whole &= there
    say(f"`bench data check {name}` reads every file.")
    raise typer.Exit(0 if whole else 1)


def _all_there(named: Named, root: Path) -> bool:
    found = presence(named, root)
    return all(found[split] for split in named.roles().values())


def _download(download: Download, root: Path, force: bool) -> None:
    with progress(download.name, unit="bytes") as report:
        fetched = fetch_file(download, root, progress=report, note=say, force=force)
    if not fetched:
        say(f"{download.name}: its content is there already (--force downloads it again).")
    elif download.checksum:
        say(f"{download.name}: downloaded, {download.checksum.partition(':')[0]} agrees, unpacked.")
    else:
        say(f"{download.name}: downloaded and unpacked. No checksum of it is published, so only its length was checked.")


def prepare(
    name: NameArgument,
    settings: FieldOption = [],  # noqa: B006  typer reads the default and never changes it
    split: SplitOption = [],  # noqa: B006
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Decode a data set into the caches that a run would build, so that the run begins at once."""
    place = checked(store)
    place.writable()
    kept = place.cache / "fingerprints"
    found = [(named, _listed(named, split, data_root, kept)) for named in datasets(name, settings)]
    rows = []
    for named, (samples, prints) in found:  # all lists are read and compared before the first image is decoded
        for each, print_ in prints.items():
            folder = cache_folder(named.spec, each, print_, place.cache)
            known = is_current(folder, print_)
            with progress(f"{named.label} {each}", unit="images") as report:
                prepare_split(samples[each], named.entry, named.spec, each, print_, place.cache, progress=report)
            size = sum(file.stat().st_size for file in folder.iterdir())
            rows.append(
                {
                    "dataset": named.label,
                    "split": each,
                    "images": len(samples[each]),
                    "mib": round(size / 2**20, 1),
                    "state": "was there" if known else "made",
                    "cache": str(folder),
                }
            )
    print_table(rows)


def _listed(named: Named, chosen: list[str], root: Path, kept: Path) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """The samples and the fingerprint of each split; raises BenchError for splits that a run would refuse."""
    roles = named.roles()
    samples = {split: named.samples(root, split) for split in dict.fromkeys(chosen or roles.values())}
    prints = {split: fingerprint(samples[split], named.entry, named.spec, root, kept) for split in samples}
    splits = {role: split for role, split in roles.items() if split in samples}
    no_leak(named.label, named.entry, named.spec, splits, samples, root, kept)
    return samples, prints

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
from bench.data.prepare import cache_folder, is_complete
from bench.data.prepare import prepare as prepare_split
from bench.data.samples import list_samples
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
    rows = []
    for named in datasets(name, settings):
        entry, spec = named.entry, named.spec
        for each in dict.fromkeys(split or named.roles().values()):
            samples = list_samples(entry, data_root, spec, each)
            print_ = fingerprint(samples, entry, spec, data_root, place.cache / "fingerprints")
            folder = cache_folder(spec, each, print_, place.cache)
            known = is_complete(folder)
            with progress(f"{named.label} {each}", unit="images") as report:
                prepare_split(samples, entry, spec, folder, progress=report)
            size = sum(file.stat().st_size for file in folder.iterdir())
            state = "was there" if known else "made"
            rows.append(
                {
                    "dataset": named.label,
                    "split": each,
                    "images": len(samples),
                    "mib": round(size / 2**20, 1),
                    "state": state,
                    "cache": str(folder),
                }
            )
    print_table(rows)

"""`bench data list` and `bench data info`."""

from pathlib import Path
from typing import Any

from bench.cli.data.named import FieldOption, NameArgument, one, presence
from bench.cli.options import DATA, STORE, DataOption, JsonOption, StoreOption
from bench.cli.printing import console, print_json, print_table
from bench.data import DATASETS
from bench.data.prepare import is_complete
from bench.data.sources import SOURCES


def list_(as_json: JsonOption = False, data_root: DataOption = DATA) -> None:
    """Print the data sets there are, and which of them are below the data root."""
    rows: list[dict[str, Any]] = []
    for name, entry in DATASETS.items():
        source = SOURCES.get(name)
        sizes = ", ".join(f"{split} {size if size is not None else '(any)'}" for split, size in entry.splits.items())
        rows.append(
            {
                "name": name,
                "classes": entry.num_classes or None,
                "splits": sizes or "yours",
                "here": _here(name, data_root),
                "fetch": "–" if source is None else "downloads" if source.downloads else "by hand",
                "licence": entry.license,
            }
        )
    if as_json:
        print_json(rows)
    else:
        print_table(rows)


def _here(name: str, root: Path) -> str:
    """Whether a data set of the table is below the data root."""
    entry = DATASETS[name]
    if not entry.splits:
        return "–"
    found = presence(one(name, []), root).values()
    return "yes" if all(found) else "in part" if any(found) else "no"


def info(
    name: NameArgument,
    settings: FieldOption = [],  # noqa: B006  typer reads the default and never changes it
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    data_root: DataOption = DATA,
) -> None:
    """Print what is known of a data set: classes, splits, licence, how to get it, and what of it is here."""
    named = one(name, settings)
    entry, found = named.entry, presence(named, data_root)
    source = SOURCES.get(named.spec.name)
    facts = {
        "name": named.label,
        "version": entry.version,
        "paper": entry.paper,
        "licence": entry.license,
        "terms": source.terms if source else None,
        "obtain": entry.obtain,
        "data_root": str(data_root),
        "roles": named.roles(),
        "ignore_index": entry.ignore_index,
    }
    splits = [
        {"split": split, "published": size, "here": found[split], "caches": _caches(named.spec.name, split, store)}
        for split, size in entry.splits.items()
    ]
    classes = [
        {"id": index, "class": each, "colour": "#{:02x}{:02x}{:02x}".format(*entry.palette[index])}
        for index, each in enumerate(entry.class_names)
    ]
    if as_json:
        print_json({**facts, "splits": splits, "classes": classes})
        return
    for key, value in facts.items():
        text = ", ".join(f"{role} {split}" for role, split in value.items()) if isinstance(value, dict) else value
        console().print(f"{key.replace('_', ' '):13}{'–' if text is None else text}", soft_wrap=True)
    console().print("\nImages published, images listed below the data root, and caches in the store:")
    print_table(splits)
    console().print()
    print_table(classes)


def _caches(name: str, split: str, store: Path) -> int:
    """Prepared caches of a split in the store, of whatever size and version."""
    folder = store / "cache"
    return sum(is_complete(each) for each in folder.glob(f"{name}-{split}-*")) if folder.is_dir() else 0

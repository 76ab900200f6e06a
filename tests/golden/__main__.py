"""The command of `tests.golden`, whose docstring says what it does."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests import golden


def main() -> int:
    """Compare, or write; returns the exit code: 1 where a number is off."""
    parser = argparse.ArgumentParser(description=golden.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a store with a run of the quickstart")
    parser.add_argument("--write", nargs="+", choices=[golden.LOSSES, golden.SCORES], default=[], metavar="FILE")
    args = parser.parse_args()
    for name in args.write:
        golden.write(name)
        print(f"written: {golden.FOLDER / name}")
    if args.write:
        return 0
    losses, scores = golden.golden(golden.LOSSES), golden.golden(golden.SCORES)
    with tempfile.TemporaryDirectory() as place:
        first = golden.first_losses(golden.kinds(), Path(place))
    found = {
        "first losses": golden.off_losses(first, losses),
        "published scores": golden.off_scores(golden.final_scores(golden.PUBLISHED), scores, rerun=False),
    }
    if args.store:
        found[f"scores in {args.store}"] = golden.off_scores(golden.final_scores(args.store), scores, rerun=True)
    for what, off in found.items():
        print(f"{what}: {len(off)} off" if off else f"{what}: as expected")
        print("".join(f"  {line}\n" for line in off), end="")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())

"""The doors: every command of `bench`."""

import sys

from bench.errors import BenchError


def main() -> None:
    """Entry point of the `bench` command: a user's mistake is one message and exit code 2."""
    from bench.cli.app import app

    try:
        app()
    except BenchError as error:
        for line in str(error).splitlines():
            print(f"bench: {line}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `bench ... | head` has what it wanted
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()

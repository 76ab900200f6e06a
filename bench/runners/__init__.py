"""The table of runners. A runner takes jobs and brings each to a result or a failure in its folder."""

RUNNERS = {"local": "bench.runners.local:run"}

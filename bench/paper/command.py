"""The command that a table says of itself."""

import shlex
from typing import Any

from bench.layout import Layout


def command(options: dict[str, Any], to: str, layout: Layout) -> str:
    """The command that makes a table again, as far as it does not name places on this machine."""
    words = ["bench", "export", options["suite"], "--format", to]
    words += ["--smoke"] if "smoke" in options else []
    words += ["--metric", options["metric"]] if options["metric"] != "miou" else []
    words += ["--convention", options["convention"]] if options["convention"] != "fcn" else []
    words += [word for each in options["settings"] for word in ("--set", each)]
    words += [word for each in layout.rows for word in ("--rows", each)]
    words += ["--by", options["by"]] if "by" in options else []
    words += ["--columns", ",".join(layout.columns)] if layout.columns else []
    words += ["--group-by", layout.group_by] if layout.group_by else []
    words += [] if "by" in options else ["--interval", layout.interval]
    return shlex.join([*words, *([] if layout.percent else ["--no-percent"])])

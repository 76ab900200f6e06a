"""`bench export --format pdf|svg`: figures into a folder."""

from pathlib import Path

from bench.cli.options import Opened
from bench.cli.printing import say
from bench.errors import BenchError, nearest
from bench.leaderboard import Row
from bench.paper.drawing import Page, drawn
from bench.paper.figures import FIGURES, drawings
from bench.paper.provenance import provenance
from bench.store import write_whole


def draw(opened: Opened, rows: list[Row], to: str, out: Path | None, names: tuple[str, ...], page: Page) -> None:
    """Write the figures asked for; all that can be drawn when none is named. Raises BenchError when there is none."""
    for name in names:
        if name not in FIGURES:
            raise BenchError(f"--figure {name}: unknown.{nearest(name, FIGURES)} It is one of {', '.join(FIGURES)}.")
    if out is None:
        raise BenchError(f"--format {to} writes one file a figure: name a folder with --out FOLDER")
    page = page.checked()
    about = f"{opened.suite.name}, provenance {provenance(rows, opened.store, {'suite': opened.suite.name})}"
    made: dict[Path, bytes] = {}
    for name in names or FIGURES:
        try:
            found = {out / f"{each.name}.{to}": drawn(each.panels, page, to, about) for each in drawings(rows, name)}
        except BenchError as error:
            if name in names:
                raise
            say(f"{name}: {error}")
            continue
        if not found:
            say(f"{name}: no row has what it shows, so it is not drawn")
        made |= found
    if not made:
        raise BenchError(f"{opened.suite.name}: nothing to draw of {', '.join(names or FIGURES)}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, content in made.items():
            write_whole(path, content)
            say(f"{path}: written")
    except OSError as error:
        raise BenchError(f"--out {out}: cannot be written: {error.strerror or error}") from None

"""One printed row of an exported table: whose it is, that its cells have keys, its marks, and what stands beside its numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.marks import Mark
from bench.paper.finding import OWN_WORDS, Finding
from bench.paper.latex import GROUP, HEAD, OWN, group_key
from bench.paper.said import bare_key, letters, minuses, plain, quoted, squeezed, without_macros
from bench.paper.scan import Header, Scan
from bench.paper.sheet import WHOLE, Sheet
from bench.paper.texcode import Cell
from bench.pieces import Number
from bench.tex import escaped

_BARE = re.compile(r"[\d\s.,±()%+/-]*\d[\d\s.,±()%+/-]*")
_BOLD = re.compile(r"\\(?:textbf|mathbf|boldsymbol|bm|bfseries|bf)(?![A-Za-z])")
_UNDERLINED = re.compile(r"\\(?:underline|uline)(?![A-Za-z])")
_SAID = {frozenset(): "no mark", frozenset({"best"}): "bold", frozenset({"tied"}): "underlined"}
_BOTH = "bold and underlined"
_MEANS = {None: "no mark", "best": "bold: significantly the best", "tied": "underlined: not told apart from the best"}


@dataclass(frozen=True)
class Seen:
    """A cell of a printed table, and the keys in it, without tag and mark."""

    cell: Cell
    keys: list[str]
    line: int

    @property
    def rows(self) -> set[str]:
        """The rows that the keys are of."""
        return {key.partition("/")[0] for key in self.keys} - {HEAD, GROUP, WHOLE}


def seen(scan: Scan, header: Header, cell: Cell) -> Seen:
    """A cell with the keys of one table in it."""
    macros = scan.code.macros(cell.start, cell.start + len(cell.code))
    keys = [bare_key(each.key) for each in macros if each.key.startswith(f"{header.tag}/")]
    shown = re.search(r"\S", cell.code)
    return Seen(cell, keys, scan.code.line(cell.start + (shown.start() if shown else 0)))


def below(scan: Scan, rows: list[list[Seen]], heads: dict[int, str], made: Sheet) -> Iterator[Finding]:
    """Columns that stand below the head of another, each told once."""
    titles = {f"{HEAD}/{name}": head.removesuffix(" %") for name, head in zip(made.columns, made.heads, strict=True)}
    told: set[int] = set()
    for row in rows:
        for each in row:
            above = heads.get(each.cell.column)
            own = {f"{HEAD}/{key.split('/')[1]}" for key in each.keys if "/" in key} & titles.keys()
            if each.rows and above in titles and own and above not in own and each.cell.column not in told:
                told.add(each.cell.column)
                column = titles[next(iter(own))]
                yield Finding(scan.name, each.line, f"the column {column}", f"below the head {titles[above]}", "not its own")


def row_findings(scan: Scan, row: list[Seen], head: bool, group: str, values: dict[str, Any], made: Sheet) -> Iterator[Finding]:
    """One row: whose it is, that each of its cells has a key, marks, and what stands beside the numbers."""
    if not any(each.keys for each in row):
        return  # the author's own
    called = {line.key: line.name for line in made.lines}
    named = {key.partition("/")[0] for each in row for key in each.keys if key not in values} & called.keys()
    rows = set().union(*(each.rows for each in row)) & called.keys()
    if named and len(rows) > 1:
        names, others = ", ".join(called[key] for key in sorted(named)), ", ".join(called[key] for key in sorted(rows - named))
        beside = f"named {names} beside numbers of {others}" if others else f"with the names of {names}"
        yield Finding(scan.name, row[0].line, "a row", beside, "each has its own row")
    for line in made.lines if group else []:
        if line.key in rows and group_key(line.group) != group:
            yield Finding(scan.name, row[0].line, f"the row {line.name}", "below another heading", f"it is of {line.group}")
    for each in row:
        macros = without_macros(each.cell.code)
        if not each.keys and rf"\benchnum{{{OWN}}}" not in squeezed(each.cell.code) and letters(macros):
            what = "a head" if head else "words of an exported table"
            yield Finding(scan.name, each.line, what, quoted(each.cell.code), OWN_WORDS)
        valued = [key for key in each.keys if key in values]
        if valued and each.rows:
            yield from _marks(scan, each, valued, values, made)
            yield from _beside(scan, each, macros, made)


def _marks(scan: Scan, each: Seen, numbers: list[str], values: dict[str, Any], made: Sheet) -> Iterator[Finding]:
    """Bold and underlined where the tests say so, and nowhere else."""
    number, _, name = values[numbers[0]]
    mark: Mark | None = next((values[key][1] for key in numbers if values[key][1]), None)
    seen = frozenset(word for word, how in (("best", _BOLD), ("tied", _UNDERLINED)) if how.search(each.cell.code))
    exported = {word for word in ("best", "tied") if re.search(rf"/{word}\s*\}}", each.cell.code)}
    expected = {mark} if mark else set()
    if seen != expected and exported <= expected:  # where the key itself tells of another mark, that has been told
        what = f"{_head(number.column, made)} of {name}"
        yield Finding(scan.name, each.line, what, _SAID.get(seen, _BOTH), f"{_MEANS[mark]} in the store")


def _beside(scan: Scan, each: Seen, left: str, made: Sheet) -> Iterator[Finding]:
    """Units and other words beside the numbers of a cell."""
    row, column = each.keys[0].split("/")[:2]
    line = next((line for line in made.lines if line.key == row), None)
    if line is None or column not in made.columns:
        return
    pieces = line.entries[made.columns.index(column)].pieces
    what = f"{_head(column, made)} of {line.name}"
    wanted = "".join(letters(escaped(piece)) for piece in pieces if not isinstance(piece, Number))
    found = letters(left)
    if found != wanted and not (found == "%" and made.layout.percent and not wanted):
        told = [f"with {word!r} beside it" if word else "with nothing beside it" for word in (found, wanted)]
        yield Finding(scan.name, each.line, what, told[0], f"{told[1]} in the export")
    exported = "".join("<>" if isinstance(piece, Number) else piece for piece in pieces)
    said = minuses(plain(each.cell.code, keys=True)), minuses(exported)
    if said[0] != said[1]:
        here, there = ("with a minus" if count else "without a minus" for count in said)
        yield Finding(scan.name, each.line, what, here, f"{there} in the export")


def _head(column: str, made: Sheet) -> str:
    return dict(zip(made.columns, made.heads, strict=True))[column].removesuffix(" %")


def numbers(scan: Scan, row: list[Seen]) -> Iterator[Finding]:
    """Numbers alone in a cell that carry no key."""
    for each in row:
        visible = plain(re.sub(r"\\[A-Za-z]+\*?(?![A-Za-z{\[])", " ", without_macros(each.cell.code)))
        if _BARE.fullmatch(visible):
            why = rf"without a key, so nothing says what it is; \benchnum{{{OWN}}}{{{visible}}} marks a number of your own"
            yield Finding(scan.name, each.line, "a number of an exported table", visible, why)

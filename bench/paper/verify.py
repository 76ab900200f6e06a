"""Whether the numbers of a paper still are those of the results."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.leaderboard import PERCENT
from bench.paper.finding import Finding
from bench.paper.latex import words
from bench.paper.printed import printed
from bench.paper.said import letters, plain, quoted, squeezed
from bench.paper.scan import Found, Header, Scan
from bench.paper.sheet import WHOLE, Sheet, keyed
from bench.pieces import NOTHING
from bench.tex import escaped
from bench.titles import title

_MARKS = ("best", "tied")
_IN_CAPTION = {"test_images": "Images", "boundary_width_px": "Width of the boundary band"}
_PARTS = {"low": "lower bound of ", "high": "upper bound of ", "half": "half-interval of "}


@dataclass(frozen=True)
class Report:
    """What came of checking some files against a suite."""

    findings: list[Finding]
    agreed: int
    """Numbers and words that agree."""
    strangers: int
    """Those from tables of other suites, which were not looked at."""


def verify(scans: Iterable[Scan], suite: str, remade: Callable[[dict[str, Any]], Sheet]) -> Report:
    """Check every number of the tables of one suite; ``remade`` makes a table again from the options in its header.

    A number agrees when the exact value rounds to it at the digits that the paper gives, whichever these are; a word, when it
    is the one exported, whatever its dress.
    """
    scans = list(scans)
    headers = {header.tag: header for each in scans for header in each.headers}
    sheets = {tag: remade(header.options) for tag, header in headers.items() if header.options.get("suite") == suite}
    values = {tag: keyed(made) for tag, made in sheets.items()}
    said = {tag: words(made) for tag, made in sheets.items()}
    findings: list[Finding] = []
    agreed = strangers = 0
    for each in scans:
        for header in each.headers:
            if header.tag in sheets:
                findings += [*_stale(each, header, sheets[header.tag]), *printed(each, header, sheets[header.tag])]
        for number in each.found:
            tag, _, rest = number.key.partition("/")
            if tag in headers and tag not in sheets:
                strangers += 1
            elif tag not in sheets:
                findings.append(_orphan(each, number))
            else:
                worded = rest in said[tag]
                found = _word(each, number, *said[tag][rest]) if worded else _checked(each, number, rest, values[tag], sheets[tag])
                findings += [found] if found else []
                agreed += found is None
    return Report(sorted(findings, key=lambda found: (found.file, found.line)), agreed, strangers)


def _word(scan: Scan, found: Found, told: str, what: str) -> Finding | None:
    """Whether a keyed word still is the one exported."""
    if squeezed(plain(found.shown)) == squeezed(plain(escaped(told))):
        return None
    if told == NOTHING or found.readings == [plain(found.shown)]:
        return Finding(scan.name, found.line, what, plain(found.shown), f"{told} in the store")
    return Finding(scan.name, found.line, what, quoted(found.shown), f"{told!r} in the store")


def _checked(scan: Scan, number: Found, rest: str, values: dict[str, Any], made: Sheet) -> Finding | None:
    words = rest.split("/")
    marked = words.pop() if words[-1] in _MARKS else None
    shown = number.shown.strip()
    if "/".join(words) not in values:
        known = {WHOLE: "the caption", **{line.key: line.name for line in made.lines}}
        what = f"{_named(words[1:], made)} of {known.get(words[0], words[0])}"
        why = "which the results do not have any more" if words[0] in known else "a row that the table does not have any more"
        return Finding(scan.name, number.line, what, shown, why)
    exact, mark, row = values["/".join(words)]
    what = f"{_named(words[1:], made)} of {row}"
    if not any(_rounds_to(exact.value, reading) for reading in number.readings):
        return Finding(scan.name, number.line, what, shown, f"{exact.text} in the store")
    unit = letters(number.shown)
    if unit and not (unit == "%" and made.layout.percent and made.options.get("by") is None and _in_percent(exact.column)):
        return Finding(scan.name, number.line, what, shown, f"{exact.text} in the store, without {unit!r}")
    if marked and marked != mark:
        is_now = {"best": "significantly better than all others now", "tied": "not told apart from the best now"}
        was = {"best": "exported as significantly the best", "tied": "exported as not told apart from the best"}
        return Finding(scan.name, number.line, what, was[marked], is_now.get(mark or "", "neither now"))
    return None


def _rounds_to(value: float, reading: str) -> bool:
    """Whether a value, rounded to the digits of a decimal, is that decimal; either neighbour will do for a half."""
    digits = len(reading.partition(".")[2])
    return abs(value - float(reading)) <= 0.5 * 10.0**-digits + 1e-9 * max(1.0, abs(value))


def _named(words: list[str], made: Sheet) -> str:
    column, *part = words or ["number"]
    heads = {**_IN_CAPTION, **dict(zip(made.columns, made.heads, strict=True))}
    return f"{_PARTS.get(part[0], '') if part else ''}{(heads.get(column) or title(column)).removesuffix(' %')}"


def _in_percent(column: str) -> bool:
    return column.removesuffix("_of_ceiling").removesuffix("_published") in PERCENT


def _stale(scan: Scan, header: Header, made: Sheet) -> list[Finding]:
    """A table whose results are not those it was made from, whether a number moved or not."""
    if made.provenance == header.provenance:
        return []
    now = f"{made.provenance} in the store: the results are not those of the table"
    return [Finding(scan.name, header.line, "provenance", header.provenance, now)]


def _orphan(scan: Scan, number: Found) -> Finding:
    why = "without the comment `bench-table` of its table; keep that comment, or name the file it stands in as well"
    return Finding(scan.name, number.line, number.key, number.shown.strip(), why)

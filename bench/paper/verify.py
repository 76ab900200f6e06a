"""Whether the numbers of a paper still are those of the results."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bench.paper.latex import OWN
from bench.paper.scan import Found, Header, Scan
from bench.paper.sheet import WHOLE, Sheet, keyed
from bench.titles import title

_MARKS = ("best", "tied")
_PARTS = {"low": "lower bound of ", "high": "upper bound of ", "half": "half-interval of "}


@dataclass(frozen=True)
class Finding:
    """One thing in which a file and the store do not agree."""

    file: str
    line: int
    what: str
    """The number: column and row."""
    paper: str
    store: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.paper} here, {self.store}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """What came of checking some files against a suite."""

    findings: list[Finding]
    agreed: int
    """Numbers that agree."""
    strangers: int
    """Numbers from tables of other suites, which were not looked at."""


def verify(scans: Iterable[Scan], suite: str, remade: Callable[[dict[str, Any]], Sheet]) -> Report:
    """Check every number of the tables of one suite; ``remade`` makes a table again from the options in its header.

    A number agrees when the exact value rounds to it at the digits that the paper gives, whichever these are.
    """
    scans = list(scans)
    headers = {header.tag: header for each in scans for header in each.headers}
    sheets = {tag: remade(header.options) for tag, header in headers.items() if header.options.get("suite") == suite}
    values = {tag: keyed(made) for tag, made in sheets.items()}
    findings: list[Finding] = []
    agreed = strangers = 0
    for each in scans:
        findings += [_keyless(each, line, text) for line, text in each.keyless]
        findings += [found for header in each.headers if (found := _stale(each, header, sheets))]
        for number in each.found:
            tag, _, rest = number.key.partition("/")
            if tag in headers and tag not in sheets:
                strangers += 1
            elif tag not in sheets:
                findings.append(_orphan(each, number))
            elif rest != f"{WHOLE}/provenance":
                found = _checked(each, number, rest, values[tag], sheets[tag])
                findings += [found] if found else []
                agreed += found is None
    return Report(sorted(findings, key=lambda found: (found.file, found.line)), agreed, strangers)


def _checked(scan: Scan, number: Found, rest: str, values: dict[str, Any], made: Sheet) -> Finding | None:
    words = rest.split("/")
    marked = words.pop() if words[-1] in _MARKS else None
    shown = number.shown.strip()
    if "/".join(words) not in values:
        known = {key.partition("/")[0]: entry[2] for key, entry in values.items()}
        what = f"{_named(words[1:], made)} of {known.get(words[0], words[0])}"
        why = "which the results do not have any more" if words[0] in known else "a row that the table does not have any more"
        return Finding(scan.name, number.line, what, shown, why)
    exact, mark, row = values["/".join(words)]
    what = f"{_named(words[1:], made)} of {row}"
    if not any(_rounds_to(exact.value, reading) for reading in number.readings):
        return Finding(scan.name, number.line, what, shown, f"{exact.text} in the store")
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
    heads = dict(zip(made.columns, made.heads, strict=True))
    return f"{_PARTS.get(part[0], '') if part else ''}{(heads.get(column) or title(column)).removesuffix(' %')}"


def _stale(scan: Scan, header: Header, sheets: dict[str, Sheet]) -> Finding | None:
    """A table whose results are not those it was made from, whether a number moved or not."""
    if header.tag not in sheets or sheets[header.tag].provenance == header.provenance:
        return None
    now = f"{sheets[header.tag].provenance} in the store: the results are not those of the table"
    return Finding(scan.name, header.line, "provenance", header.provenance, now)


def _keyless(scan: Scan, line: int, text: str) -> Finding:
    why = rf"without a key, so nothing says what it is; \benchnum{{{OWN}}}{{{text}}} marks a number of your own"
    return Finding(scan.name, line, "a number of an exported table", text, why)


def _orphan(scan: Scan, number: Found) -> Finding:
    why = "without the comment `bench-table` of its table; keep that comment, or name the file it stands in as well"
    return Finding(scan.name, number.line, number.key, number.shown.strip(), why)

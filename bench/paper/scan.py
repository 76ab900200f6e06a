"""What a LaTeX file holds of exported tables: their headers, the numbers with a key, and those that lost it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.errors import BenchError
from bench.paper.latex import HEADER, MACRO, OWN

_HEADER = re.compile(rf"%+\s*{HEADER}\s*(?=\{{)")
_KEYED = re.compile(rf"\\{MACRO}\s*(?=\{{)")
_TABULAR = re.compile(r"\\(begin|end)\s*\{(?:tabular[*xy]?|longtable|tblr)\}")
_ARGUMENTS = re.compile(
    r"\\(?:cmidrule|cline)\s*(?:\([^)]*\))?\{[^}]*\}|\\multicolumn\s*\{[^}]*\}\s*\{[^}]*\}|\\multirow\s*(?:\[[^]]*\])?\{[^}]*\}\s*\{[^}]*\}"
    r"|\\(?:rule|vspace|hspace|rowcolor|cellcolor|color|textcolor|setlength|label|ref|cite\w*)\*?(?:\[[^]]*\])?\{[^}]*\}|\[[^]\n]*\]"
)
_CELLS = re.compile(r"(?<!\\)&|\\\\(?:\[[^]]*\])?")
_BRACE = re.compile(r"(?<!\\)[{}]")
LONGEST = 2000
"""Characters of an argument; a number and its dress are short, and a brace that is never closed must not cost a whole file."""
_SPACE = re.compile(r"\s*")
_BARE = re.compile(r"[\d\s.,±()%+/-]*\d[\d\s.,±()%+/-]*")
_BLANK = "\0"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*|\.\d+")


@dataclass(frozen=True)
class Found:
    """A number that carries a key."""

    line: int
    key: str
    shown: str
    """What the macro shows, as it stands in the file."""

    @property
    def readings(self) -> list[str]:
        """The number as plain decimals, in every way that its commas may be meant; none where there is no number."""
        plain = re.sub(r"\\[A-Za-z]+\*?|[{}$\s]|\\[,;: ]", "", _ARGUMENTS.sub("", self.shown))
        numbers = _NUMBER.findall(plain)
        if not numbers:
            return []
        return list(dict.fromkeys([numbers[-1].replace(",", ""), re.sub(r",(?=\d+$)", ".", numbers[-1]).replace(",", "")]))


@dataclass(frozen=True)
class Header:
    """What an exported table says of itself."""

    line: int
    tag: str
    provenance: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Scan:
    """Everything found in one file."""

    name: str
    headers: list[Header] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    keyless: list[tuple[int, str]] = field(default_factory=list)
    """(Line, text) of numbers in an exported table that carry no key."""


def scan(name: str, text: str) -> Scan:
    """Read a LaTeX file; raises BenchError for a header that cannot be read."""
    code = _without_comments(text)
    headers = list(_headers(name, text))
    spans = list(_keyed(code))
    found = [Found(_line(code, start), key, shown) for start, _, key, shown in spans if key != OWN]
    bare, done = [], 0
    for start, end, *_ in spans:
        if start >= done:  # a number within a number is blanked with it
            bare += [code[done:start], re.sub(r"[^\n]", _BLANK, code[start:end])]
            done = end
    return Scan(name, headers, found, list(_keyless("".join([*bare, code[done:]]), [each.line for each in headers])))


def _without_comments(text: str) -> str:
    """The same text with comments blanked, so that places stay what they are."""
    return re.sub(r"(?<!\\)((?:\\\\)*)(%[^\n]*)", lambda match: match[1] + " " * len(match[2]), text)


def _headers(name: str, text: str) -> Iterator[Header]:
    for match in _HEADER.finditer(text):
        # An editor may have wrapped the line: the comment goes on for as long as comment lines do.
        rest = text[match.end() :].split("\n")
        joined = rest[0]
        for each in rest[1:]:
            if not each.lstrip().startswith("%"):
                break
            joined += " " + each.lstrip().lstrip("%").strip()
        line = _line(text, match.start())
        try:
            data, _ = json.JSONDecoder().raw_decode(joined)
            yield Header(line, str(data.pop("tag")), str(data.pop("provenance")), {k: v for k, v in data.items() if k != "version"})
        except (ValueError, KeyError, AttributeError, RecursionError):
            raise BenchError(f"{name}:{line}: the comment `{HEADER}` cannot be read. Export the table again.") from None


def _keyed(code: str) -> Iterator[tuple[int, int, str, str]]:
    """(Start, end, key, shown) of every keyed number."""
    for match in _KEYED.finditer(code):
        key, middle = _argument(code, match.end())
        shown, end = _argument(code, middle)
        yield match.start(), end, key.strip(), shown


def _argument(code: str, place: int) -> tuple[str, int]:
    """The argument in braces that begins at a place, white space skipped, and where it ends; "" where there is none."""
    start = _SPACE.match(code, place).end()  # type: ignore[union-attr]
    if code[start : start + 1] != "{":
        return "", place
    depth = 0
    for brace in _BRACE.finditer(code, start, start + LONGEST):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return code[start + 1 : brace.start()], brace.end()
    return "", place


def _keyless(code: str, headers: list[int]) -> Iterator[tuple[int, str]]:
    """Numbers alone in a cell of the first tabular after each header."""
    for header in headers:
        begin, end = (
            next((match for match in _TABULAR.finditer(code) if match[1] == kind and _line(code, match.start()) >= header), None)
            for kind in ("begin", "end")
        )
        if begin is None or end is None or end.start() < begin.end():
            continue
        _, start = _argument(code, begin.end())
        start = max(start, code.find(r"\midrule", start, end.start()))  # heads may well be numbers
        body = _ARGUMENTS.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), code[start : end.start()])
        place = 0
        for cell in [*_CELLS.split(body)]:
            at = body.index(cell, place)
            place = at + len(cell)
            visible = re.sub(rf"\\[A-Za-z]+\*?|[{{}}$~{_BLANK}]", " ", cell)
            if _BARE.fullmatch(visible):
                yield _line(code, start + at + re.search(r"\d", cell).start()), " ".join(visible.split())  # type: ignore[union-attr]


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1

"""What a LaTeX file holds of exported tables: their headers, and the numbers and words with a key."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.errors import BenchError
from bench.paper.latex import HEADER, OWN, seal
from bench.paper.said import ARGUMENTS, MINUS
from bench.paper.sheet import VERSION
from bench.paper.texcode import Code

_HEADER = re.compile(rf"%+\s*{HEADER}\s*(?=\{{)")
_MADE_BY = re.compile(r"%+\s*stridebench ([^;\s]+);")
_NUMBER = re.compile(r"([^\d.]*)(\d+(?:[.,]\d+)*|\.\d+)\D*")
_OF_THE_TABLE = ("version", "tag", "provenance", "stridebench", "seal")
"""Keys of a header that are no options."""


@dataclass(frozen=True)
class Found:
    """A number or word that carries a key."""

    line: int
    key: str
    shown: str
    """What the macro shows, as it stands in the file."""

    @property
    def readings(self) -> list[str]:
        """The number as plain decimals, in every way that its commas may be meant; none unless it is one, without a minus."""
        plain = re.sub(r"\\[A-Za-z]+\*?(?:\[[^]]*\])?|[{}$\s]|\\[,;: ]", "", ARGUMENTS.sub("", self.shown))
        number = _NUMBER.fullmatch(plain)
        if not number or re.search(MINUS, number[1]):
            return []
        return list(dict.fromkeys([number[2].replace(",", ""), re.sub(r",(?=\d+$)", ".", number[2]).replace(",", "")]))


@dataclass(frozen=True)
class Header:
    """What an exported table says of itself."""

    line: int
    start: int
    tag: str
    provenance: str
    options: dict[str, Any]
    made_by: str
    """The version of stridebench."""
    told: str
    """The version in the comment for people, "" where that is gone."""
    whole: bool
    """Whether the comment is as it was exported."""


@dataclass(frozen=True)
class Scan:
    """Everything found in one file."""

    name: str
    code: Code
    headers: list[Header] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def until(self, header: Header) -> int:
        """Where a table's part of the file ends at the latest: at the next table's header."""
        return min((each.start for each in self.headers if each.start > header.start), default=len(self.code.text))


def scan(name: str, text: str) -> Scan:
    """Read a LaTeX file; raises BenchError for a header that cannot be read."""
    code = Code(text)
    found = [Found(code.line(each.start), each.key, each.shown) for each in code.macros() if each.key != OWN]
    return Scan(name, code, list(_headers(name, text)), found)


def _headers(name: str, text: str) -> Iterator[Header]:
    for match in _HEADER.finditer(text):
        # An editor may have wrapped the line: the comment goes on for as long as comment lines do.
        rest = text[match.end() :].split("\n")
        joined = rest[0]
        for each in rest[1:]:
            if not each.lstrip().startswith("%"):
                break
            joined += " " + each.lstrip().lstrip("%").strip()
        line = text.count("\n", 0, match.start()) + 1
        try:
            data, _ = json.JSONDecoder().raw_decode(joined)
            version, tag, provenance = int(data["version"]), str(data["tag"]), str(data["provenance"])
            options = {key: value for key, value in data.items() if key not in _OF_THE_TABLE}
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise BenchError(f"{name}:{line}: the comment `{HEADER}` cannot be read. Export the table again.") from None
        if version != VERSION:
            raise BenchError(
                f"{name}:{line}: the table was exported in format {version}, and this version reads {VERSION}. Export it again."
            )
        told = _MADE_BY.findall(text, max(0, match.start() - 2000), match.start())
        made_by = str(data.get("stridebench"))
        yield Header(
            line, match.start(), tag, provenance, options, made_by, told[-1] if told else "", data.get("seal") == seal(data)
        )

"""LaTeX code taken apart: keyed macros, arguments, and the cells of a tabular."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.paper.latex import MACRO

_KEYED = re.compile(rf"\\{MACRO}\s*(?=\{{)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SPACE = re.compile(r"\s*")
_TABULAR = re.compile(r"\\(begin|end)\s*\{(?:tabular[*xy]?|longtable|tblr)\}")
_TOKEN = re.compile(r"\\\\(?:\*?\s*\[[^]]*\])?|\\.|[{}&]", re.DOTALL)
_RULE = re.compile(r"\\(?:midrule|hline)\b")
_SPAN = re.compile(r"\\multicolumn\s*\{(\d+)\}")


@dataclass(frozen=True)
class Macro:
    """A keyed number or word."""

    start: int
    end: int
    key: str
    shown: str
    """What the macro shows, as it stands in the file."""


@dataclass(frozen=True)
class Cell:
    """One cell of a tabular."""

    start: int
    """Where its code begins."""
    code: str
    column: int
    """Its place, cells that span several columns counted."""


class Code:
    """A LaTeX file without its comments; places are those of the file."""

    def __init__(self, text: str) -> None:
        self.text = re.sub(r"(?<!\\)((?:\\\\)*)(%[^\n]*)", lambda match: match[1] + " " * len(match[2]), text)
        self._ends = dict(_pairs(self.text))

    def line(self, place: int) -> int:
        """The line a place is on."""
        return self.text.count("\n", 0, place) + 1

    def argument(self, place: int) -> tuple[str, int]:
        """The argument in braces that begins at a place, white space skipped, and where it ends; "" where there is none."""
        start = _SPACE.match(self.text, place).end()  # type: ignore[union-attr]
        end = self._ends.get(start)
        return ("", place) if end is None else (self.text[start + 1 : end], end + 1)

    def macros(self, start: int = 0, end: int | None = None) -> Iterator[Macro]:
        """Every keyed number and word between two places."""
        for match in _KEYED.finditer(self.text, start, len(self.text) if end is None else end):
            key, middle = self.argument(match.end())
            shown, close = self.argument(middle)
            yield Macro(match.start(), close, key.strip(), shown)

    def tabular(self, place: int, until: int) -> tuple[int, int] | None:
        """Where the body of the first tabular between two places begins and ends; None where there is none."""
        begin, end = (
            next((match for match in _TABULAR.finditer(self.text, place, until) if match[1] == kind), None)
            for kind in ("begin", "end")
        )
        if begin is None or end is None or end.start() < begin.end():
            return None
        return self.argument(begin.end())[1], end.start()

    def rows(self, start: int, end: int) -> list[list[Cell]]:
        """The rows of a tabular's body, cells in braces left whole."""
        rows: list[list[Cell]] = [[]]
        begun, depth = start, 0
        for token in [*_TOKEN.finditer(self.text, start, end), None]:
            mark = token[0] if token else r"\\"
            depth += (mark == "{") - (mark == "}")
            if (mark == "&" or mark.startswith(r"\\")) and depth <= 0:
                stop = token.start() if token else end
                code = self.text[begun:stop]
                rows[-1].append(Cell(begun, code, sum(_width(each) for each in rows[-1])))
                begun = token.end() if token else end
                rows += [] if mark == "&" else [[]]
        return [row for row in rows if row]

    def after_head(self, start: int, end: int) -> int:
        """Where the heads of a tabular end, as its first rule tells."""
        rule = _RULE.search(self.text, start, end)
        return rule.end() if rule else start


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """Each brace that opens and the one that closes it; a file with braces too few or too many loses those alone."""
    open_at: list[int] = []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            open_at.append(match.start())
        elif match[0] == "}" and open_at:
            yield open_at.pop(), match.start()


def _width(cell: Cell) -> int:
    span = _SPAN.search(cell.code)
    return int(span[1]) if span else 1

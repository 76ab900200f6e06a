"""A table as LaTeX with booktabs, in which every number carries the key by which `bench verify-table` finds it again."""

import json
import re

from bench.paper.sheet import VERSION, WHOLE, Entry, Line, Sheet, number_key
from bench.pieces import Number, Piece
from bench.tex import comment, escaped
from bench.titles import title

MACRO = "benchnum"
OWN = "-"
"""The key of a number that is not from the results."""
HEADER = "bench-table"
_BARE = re.compile(r"[\d\s.,()\[\]%+-]*\d[\d\s.,()\[\]%+-]*")
_MARKS = {"best": r"\textbf", "tied": r"\underline"}


def latex(sheet: Sheet, command: str, version: str) -> str:
    """The table environment, compiled by pdflatex with ``\\usepackage{booktabs}``; ``command`` is what made it."""
    suite = sheet.options["suite"]
    header = {"version": VERSION, "tag": sheet.tag, "provenance": sheet.provenance, **sheet.options}
    align = "".join("l" if words else "r" for words in sheet.words)
    parts = [
        f"% {comment(command)}",
        rf"% stridebench {version}; needs \usepackage{{booktabs}}. Check: bench verify-table FILE --suite {suite}",
        f"% {HEADER} {json.dumps(header)}",
        rf"\providecommand{{\{MACRO}}}[2]{{#2}}",
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(map(escaped, sheet.heads)) + r" \\",
        r"\midrule",
        *_body(sheet),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(sheet),
        rf"\caption{{{_caption(sheet)}}}",
        rf"\label{{tab:{suite}}}",
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"


def _body(sheet: Sheet) -> list[str]:
    lines: list[str] = []
    group = ""
    for line in sheet.lines:
        if sheet.layout.group_by and (line.group != group or not lines):
            heading = escaped(f"{title(sheet.layout.group_by)}: {line.group}")
            lines += [r"\midrule"] if lines else []
            lines.append(rf"\multicolumn{{{len(sheet.columns)}}}{{l}}{{\emph{{{heading}}}}} \\")
            group = line.group
        # A line a cell: a change then shows as that of one cell.
        cells = [_entry(sheet, line, entry) for entry in line.entries]
        lines += [*(f"{'  & ' if place else ''}{cell}" for place, cell in enumerate(cells)), r"  \\"]
    return lines


def _entry(sheet: Sheet, line: Line, entry: Entry) -> str:
    shown = []
    for piece in entry.pieces:
        mark = entry.mark if isinstance(piece, Number) and not piece.part else None
        text = _piece(sheet, line.key, piece, mark)
        shown.append(f"{_MARKS[mark]}{{{text}}}" if mark else text)
    return "".join(shown) + (rf"\textsuperscript{{{letter(entry.note)}}}" if entry.note is not None else "")


def _piece(sheet: Sheet, row: str, piece: Piece, mark: str | None = None) -> str:
    if isinstance(piece, Number):
        key = "/".join([sheet.tag, number_key(row, piece), *([mark] if mark else [])])
        return rf"\{MACRO}{{{key}}}{{{piece.text}}}"
    # A name that looks like a number must not be taken for one whose key was lost.
    return rf"\{MACRO}{{{OWN}}}{{{escaped(piece)}}}" if row != WHOLE and _BARE.fullmatch(piece) else escaped(piece)


def _notes(sheet: Sheet) -> list[str]:
    texts = [rf"\textsuperscript{{{letter(place)}}}\,{escaped(text)}" for place, text in enumerate(sheet.notes)]
    return [rf"\par\smallskip{{\footnotesize {' '.join(texts)}\par}}"] if texts else []


def _caption(sheet: Sheet) -> str:
    sentences = ["".join(_piece(sheet, WHOLE, piece) for piece in sentence) for sentence in sheet.caption]
    return " ".join(
        [
            f"{escaped(sheet.title)}.",
            *sentences,
            rf"Provenance \{MACRO}{{{sheet.tag}/{WHOLE}/provenance}}{{\texttt{{{sheet.provenance}}}}}.",
        ]
    )


def letter(place: int) -> str:
    """a, b, … z, aa, ab, …"""
    rest, last = divmod(place, 26)
    return (letter(rest - 1) if rest else "") + chr(ord("a") + last)

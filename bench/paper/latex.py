"""A table as LaTeX with booktabs, in which every number carries the key by which `bench verify-table` finds it again."""

import json
from typing import Any

from bench.cell import digest
from bench.paper.sheet import VERSION, WHOLE, Entry, Line, Sheet, number_key
from bench.pieces import Number, Piece, text
from bench.tex import comment, escaped
from bench.titles import title

MACRO = "benchnum"
OWN = "-"
"""The key of a number, or of words, not from the results."""
HEADER = "bench-table"
HEAD, GROUP = "head", "group"
"""Stand for the row in the keys of heads of columns and of headings of rows."""
SHORT = {"augmentation": "Augm.", "trimap_iou_3px": "Trimap 3 px %", "p_leader": "p"}
"""Heads that are wider than what stands below them, for the width of a page."""
_MARKS = {"best": r"\textbf", "tied": r"\underline"}


def latex(sheet: Sheet, command: str, version: str) -> str:
    """The table environment, compiled by pdflatex with ``\\usepackage{booktabs}``; ``command`` is what made it."""
    suite = sheet.options["suite"]
    header = {"version": VERSION, "stridebench": version, "tag": sheet.tag, "provenance": sheet.provenance, **sheet.options}
    align = "".join("l" if words else "r" for words in sheet.words)
    parts = [
        f"% {comment(command)}",
        rf"% stridebench {version}; needs \usepackage{{booktabs}}. Check: bench verify-table FILE --suite {suite}",
        f"% {HEADER} {json.dumps({**header, 'seal': seal(header)})}",
        rf"\providecommand{{\{MACRO}}}[2]{{#2}}",
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(_word(sheet, key, text) for key, text in heads(sheet).items()) + r" \\",
        r"\midrule",
        *_body(sheet),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(sheet),
        rf"\caption{{{escaped(sheet.title)}. {caption(sheet)}}}",
        rf"\label{{tab:{suite}}}",
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"


def _body(sheet: Sheet) -> list[str]:
    lines: list[str] = []
    group = ""
    for line in sheet.lines:
        if sheet.layout.group_by and (line.group != group or not lines):
            heading = _word(sheet, group_key(line.group), f"{title(sheet.layout.group_by)}: {line.group}")
            lines += [r"\midrule"] if lines else []
            lines.append(rf"\multicolumn{{{len(sheet.columns)}}}{{l}}{{\emph{{{heading}}}}} \\")
            group = line.group
        # A line a cell: a change then shows as that of one cell.
        cells = [_entry(sheet, line, entry, name) for entry, name in zip(line.entries, sheet.columns, strict=True)]
        lines += [*(f"{'  & ' if place else ''}{cell}" for place, cell in enumerate(cells)), r"  \\"]
    return lines


def _entry(sheet: Sheet, line: Line, entry: Entry, column: str) -> str:
    if not any(isinstance(piece, Number) for piece in entry.pieces):
        said = _word(sheet, f"{line.key}/{column}", text(entry.pieces))
        return said + _footnote(entry)
    shown = []
    for piece in entry.pieces:
        mark = entry.mark if isinstance(piece, Number) and not piece.part else None
        said = _piece(sheet, line.key, piece, mark)
        shown.append(f"{_MARKS[mark]}{{{said}}}" if mark else said)
    return "".join(shown) + _footnote(entry)


def _footnote(entry: Entry) -> str:
    return rf"\textsuperscript{{{letter(entry.note)}}}" if entry.note is not None else ""


def _piece(sheet: Sheet, row: str, piece: Piece, mark: str | None = None) -> str:
    if not isinstance(piece, Number):
        return escaped(piece)
    key = "/".join([sheet.tag, number_key(row, piece), *([mark] if mark else [])])
    return rf"\{MACRO}{{{key}}}{{{piece.text}}}"


def _word(sheet: Sheet, key: str, said: str) -> str:
    return rf"\{MACRO}{{{sheet.tag}/{key}}}{{{escaped(said)}}}"


def heads(sheet: Sheet) -> dict[str, str]:
    """What stands above each column, by its key."""
    return {f"{HEAD}/{name}": SHORT.get(name, head) for name, head in zip(sheet.columns, sheet.heads, strict=True)}


def group_key(group: str) -> str:
    """The key of the heading of some rows."""
    return f"{GROUP}/{digest(group)[:6]}"


def words(sheet: Sheet) -> dict[str, tuple[str, str]]:
    """All words of a table by their keys, without its tag: what the export says, and what it is in words."""
    found = {key: (head, f"the head of {head.removesuffix(' %')}") for key, head in heads(sheet).items()}
    for line in sheet.lines:
        for entry, name, head in zip(line.entries, sheet.columns, sheet.heads, strict=True):
            if not any(isinstance(piece, Number) for piece in entry.pieces):
                found[f"{line.key}/{name}"] = (text(entry.pieces), f"{head.removesuffix(' %')} of {line.name}")
        if sheet.layout.group_by:
            found[group_key(line.group)] = (f"{title(sheet.layout.group_by)}: {line.group}", "a heading")
    return {**found, f"{WHOLE}/provenance": (sheet.provenance, "provenance")}


def seal(header: dict[str, Any]) -> str:
    """A hash of a header, so that it shows when somebody changed it."""
    return digest({key: value for key, value in header.items() if key != "seal"})[:6]


def _notes(sheet: Sheet) -> list[str]:
    texts = [rf"\textsuperscript{{{letter(place)}}}\,{escaped(text)}" for place, text in enumerate(sheet.notes)]
    return [rf"\par\smallskip{{\footnotesize {' '.join(texts)}\par}}"] if texts else []


def caption(sheet: Sheet) -> str:
    """What a caption says below its title, as LaTeX."""
    sentences = ["".join(_piece(sheet, WHOLE, piece) for piece in sentence) for sentence in sheet.caption]
    printed = rf"Provenance \{MACRO}{{{sheet.tag}/{WHOLE}/provenance}}{{\texttt{{{sheet.provenance}}}}}."
    return " ".join([*sentences, printed])


def letter(place: int) -> str:
    """a, b, … z, aa, ab, …"""
    rest, last = divmod(place, 26)
    return (letter(rest - 1) if rest else "") + chr(ord("a") + last)

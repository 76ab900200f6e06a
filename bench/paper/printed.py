"""Whether a table as an author left it still says what was exported: its comment, caption, heads and rows."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from bench.paper.finding import OWN_WORDS, Finding
from bench.paper.latex import GROUP, HEAD, OWN, caption
from bench.paper.rows import below, numbers, row_findings, seen
from bench.paper.said import plain, quoted, sentences, squeezed
from bench.paper.scan import Header, Scan
from bench.paper.sheet import Sheet, keyed
from bench.tex import escaped

_CAPTION = re.compile(r"\\caption(?:of\s*\{\w+\}|\*)?\s*(?:\[[^]]*\])?\s*(?=\{)")


def printed(scan: Scan, header: Header, made: Sheet) -> Iterator[Finding]:
    """What of one table does not say what its export said."""
    until = scan.until(header)
    place = scan.code.tabular(header.start, until)
    yield from _comment(scan, header)
    if any(each.key.startswith(f"{header.tag}/") for each in scan.code.macros(header.start, until)):  # else it is in another file
        yield from _caption(scan, header, made)
    if place:
        yield from _tabular(scan, header, place, made)


def _tabular(scan: Scan, header: Header, place: tuple[int, int], made: Sheet) -> Iterator[Finding]:
    rows = [[seen(scan, header, cell) for cell in row] for row in scan.code.rows(*place)]
    first = next((at for at, row in enumerate(rows) if any(each.rows for each in row)), len(rows))
    heads = {each.cell.column: key for row in rows[:first] for each in row for key in each.keys if key.startswith(f"{HEAD}/")}
    if not heads and first < len(rows):
        yield Finding(scan.name, scan.code.line(place[0]), "the heads of the table", "none with its key", OWN_WORDS)
    yield from below(scan, rows[first:], heads, made)
    group, values, rule = "", keyed(made), scan.code.after_head(*place)
    for at, row in enumerate(rows):
        group = next((key for each in row for key in each.keys if key.startswith(f"{GROUP}/")), group)
        yield from row_findings(scan, row, at < first, group, values, made)
        if row[0].cell.start + len(row[0].cell.code) >= rule:  # heads may well be numbers
            yield from numbers(scan, row)


def _comment(scan: Scan, header: Header) -> Iterator[Finding]:
    if not header.whole:
        yield Finding(scan.name, header.line, "the comment `bench-table`", "changed by hand", "and it says how the table was made")
    if header.told and header.told != header.made_by:
        yield Finding(scan.name, header.line, "version", header.told, f"and the table was exported by {header.made_by}")


def _caption(scan: Scan, header: Header, made: Sheet) -> Iterator[Finding]:
    """Each sentence of the caption, and each footnote; an author's own words, marked as such, are not looked at."""
    text, until = scan.code.text, scan.until(header)
    match = _CAPTION.search(text, header.start, until)
    code, end = scan.code.argument(match.end()) if match else ("", header.start)
    line = scan.code.line(match.start() if match else header.start)
    if rf"\benchnum{{{OWN}}}" not in squeezed(code):
        begin = end - len(code) - 1
        there = [(scan.code.line(begin + place), each) for place, each in sentences(code)]
        known = {squeezed(plain(each, keys=True)) for _, each in there}
        for _, told in sentences(caption(made)):
            if squeezed(plain(told, keys=True)) not in known:
                near = get_close_matches(plain(told), [plain(each) for _, each in there], n=1, cutoff=0.5)
                at = next((place for place, each in there if near and plain(each) == near[0]), line)
                said = quoted(near[0]) if near else "no such sentence"
                yield Finding(scan.name, at, "the caption", said, f"{quoted(told)} in the export")
        around = squeezed(plain(text[header.start : until]))
        for note in made.notes:
            if squeezed(plain(escaped(note))) not in around:
                yield Finding(scan.name, line, "a footnote", "none", f"{note!r} in the export")

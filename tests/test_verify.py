"""What an author, or an accident, can do to an exported table, and that the check names it: line, paper and store."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.layout import Layout
from bench.paper.latex import latex
from bench.paper.scan import scan
from bench.paper.sheet import Sheet, sheet
from bench.paper.verify import verify
from bench.store import Store
from bench.stored import ranked

OPTIONS = {"suite": "quickstart", "metric": "miou", "convention": "fcn", "settings": []}


@pytest.fixture(scope="module")
def made(repository: Path) -> Sheet:
    store = Store(repository / "reports" / "quickstart" / "store")
    rows = ranked(store, "quickstart")[0]
    layout = Layout(
        columns=("model", "output_stride", "miou", "boundary_iou", "parameters"), group_by="augmentation", interval="pm"
    )
    return sheet(rows, store, "FCN and U-Net", layout, OPTIONS)


def checked(text: str, made: Sheet) -> list[str]:
    return [
        f"{each.line}: {each.what}: {each.paper} | {each.store}"
        for each in verify([scan("p", text)], "quickstart", lambda _: made).findings
    ]


def swapped(text: str, one: str, other: str) -> str:
    first, second = (re.search(pattern, text)[0] for pattern in (one, other))  # type: ignore[index]
    return text.replace(first, "\0").replace(second, first).replace("\0", second)


def cell(row: str, column: str) -> str:
    return rf"\\benchnum\{{\w+/{row}-\w+/{column}\}}\{{[^}}]*\}}"


Change = Callable[[str], str]
TAMPERED: dict[str, tuple[Change, list[str]]] = {
    "names swapped as text": (
        lambda text: swapped(text, r"/model\}\{fcn8s\}", r"/model\}\{fcn32s\}"),
        ["Model of fcn8s: 'fcn32s' | 'fcn8s' in the store", "Model of fcn32s: 'fcn8s' | 'fcn32s' in the store"],
    ),
    "names swapped with their keys": (
        lambda text: swapped(text, cell("fcn8s", "model"), cell("fcn32s", "model")),
        ["a row: named fcn32s beside numbers of fcn8s | each has its own row"] * 2,
    ),
    "a name retyped": (
        lambda text: re.sub(cell("fcn8s", "model"), "Ours", text, count=1),
        [r"words of an exported table: 'Ours' | without a key, so nothing says what it is; \benchnum{-}{…} marks"],
    ),
    "numbers of two rows swapped": (
        lambda text: swapped(text, cell("fcn8s", "parameters"), cell("fcn16s", "parameters")),
        ["a row: named fcn", "a row: named fcn"],
    ),
    "heads swapped": (
        lambda text: swapped(text, r"\\benchnum\{\w+/head/miou\}\{[^}]*\}", r"\\benchnum\{\w+/head/boundary_iou\}\{[^}]*\}"),
        ["the column mIoU: below the head Boundary IoU | not its own", "the column Boundary IoU: below the head mIoU | not its"],
    ),
    "heads retyped": (
        lambda text: re.sub(r"\\benchnum\{\w+/head/\w+\}", "", text),
        ["the heads of the table: none with its key | without a key"],
    ),
    "one head retyped": (
        lambda text: re.sub(r"\\benchnum\{\w+/head/miou\}\{[^}]*\}", "mIoU", text),
        ["a head: 'mIoU' | without a key"],
    ),
    "the unit of a head": (lambda text: text.replace(r"{mIoU \%}", "{mIoU}"), ["the head of mIoU: 'mIoU' | 'mIoU %' in the store"]),
    "the unit beside a number": (
        lambda text: text.replace("{0.36} M", "{0.36} k"),
        ["Parameters of fcn8s: with 'k' beside it | with 'M' beside it in the export"],
    ),
    "a unit within": (lambda text: text.replace("{0.36} M", "{0.36 k} M"), ["Parameters of fcn8s: 0.36 k | 0.36 in the store"]),
    "a minus within": (lambda text: text.replace("{61.5}", "{-61.5}"), ["mIoU of fcn8s: -61.5 | 61.5 in the store"]),
    "a minus before": (
        lambda text: re.sub(rf"({cell('fcn16s', 'miou')})", r"$-$\1", text),
        ["mIoU of fcn16s: with a minus | without a minus in the export"],
    ),
    "a number before": (lambda text: text.replace("{61.5}", "{99/61.5}"), ["mIoU of fcn8s: 99/61.5 | 61.5 in the store"]),
    "a heading swapped": (
        lambda text: text.replace("Augmentation: none", "Augmentation: all"),
        ["a heading: 'Augmentation: all' | 'Augmentation: none' in the store"],
    ),
    "a heading moved": (
        lambda text: swapped(text, r"\\benchnum\{\w+/group/\w+\}\{[^}]*none\}", r"\\benchnum\{\w+/group/\w+\}\{[^}]*standard\}"),
        ["below another heading | it is of none"] * 4 + ["below another heading | it is of standard"],
    ),
    "bold by hand": (
        lambda text: re.sub(rf"({cell('fcn16s', 'miou')})", r"\\textbf{\1}", text),
        ["mIoU of fcn16s: bold | no mark in the store"],
    ),
    "bold within the macro": (lambda text: text.replace("{45.1}", r"{\bfseries 45.1}"), ["mIoU of fcn16s: bold | no mark in"]),
    "a bold cost": (lambda text: text.replace("{0.35}", r"{\textbf{0.35}}", 1), ["Parameters of fcn16s: bold | no mark in"]),
    "bold instead of underlined": (
        lambda text: text.replace(r"\underline", r"\textbf", 1),
        ["mIoU of fcn8s: bold | underlined: not told apart from the best in the store"],
    ),
    "a mark missing": (
        lambda text: re.sub(r"\\underline\{(\\benchnum\{[^}]*\}\{61.5\})\}", r"\1", text),
        ["mIoU of fcn8s: no mark | underlined: not told apart from the best in the store"],
    ),
    "n": (lambda text: text.replace("{120}", "{1200}"), ["Images of the caption: 1200 | 120 in the store"]),
    "n retyped": (
        lambda text: re.sub(r"\\benchnum\{[^}]*test_images\}\{120\} images", "500 images", text),
        ["the caption: '500 images, 2 seeds; "],
    ),
    "seeds": (lambda text: re.sub(r"(all/seeds\}\{)2", r"\g<1>5", text), ["Seeds of the caption: 5 | 2 in the store"]),
    "the convention": (
        lambda text: text.replace("mIoU as in fcn:", "mIoU as in monai:"),
        ["the caption: 'mIoU as in monai: over the set; classes absent"],
    ),
    "the band": (lambda text: re.sub(r"(boundary_width_px\}\{)3", r"\g<1>5", text), ["Width of the boundary band of the cap"]),
    "a sentence lost": (lambda text: re.sub(r"Boundary IoU with a band of [^.]*\. ", "", text), ["the caption: no such sentence"]),
    "the caption lost": (lambda text: re.sub(r"\\caption\{.*", "", text), ["the caption: no such sentence"]),
    "the provenance of the caption": (
        lambda text: re.sub(r"(texttt\{)\w", r"\1z", text),
        ["provenance: 'z"],
    ),
    "the provenance of the comment": (
        lambda text: re.sub(r'("provenance": ")\w{6}', r"\1abcdef", text),
        ["provenance: abcdef", "the comment `bench-table`: changed by hand"],
    ),
    "the version": (
        lambda text: text.replace("stridebench 0", "stridebench 7"),
        ["version: 7.1.0 | and the table was exported by 0.1.0"],
    ),
    "the version of the comment": (
        lambda text: text.replace('"stridebench": "0', '"stridebench": "7'),
        ["the comment `bench-table`: changed by hand", "version: 0.1.0 | and the table was exported by 7.1.0"],
    ),
}  # fmt: skip


ELSEWHERE = {"numbers of two rows swapped", "heads swapped", "heads retyped", "a heading moved", "the caption lost", "the version"}
"""Told at the row, the table or its comment, and not at the line that was changed."""


@pytest.mark.parametrize(("change", "expected"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_changed_is_named(made: Sheet, change: Change, expected: list[str], request: pytest.FixtureRequest) -> None:
    text = latex(made, "bench export", "0.1.0")
    assert not checked(text, made) and change(text) != text
    found = checked(change(text), made)
    for part in expected:
        assert any(part in each for each in found), found
    lines = [
        place for place, (old, new) in enumerate(zip(text.split("\n"), change(text).split("\n"), strict=True), 1) if old != new
    ]
    assert len(found) >= len(expected)
    assert {int(each.partition(":")[0]) for each in found} & set(lines) or request.node.callspec.id in ELSEWHERE

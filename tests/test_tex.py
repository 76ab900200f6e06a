"""Any text as LaTeX: what it says is shown, and nothing of it is a command."""

import pytest

from bench.tex import comment, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("100% of a_b & {c} #1 $x$", r"100\% of a\_b \& \{c\} \#1 \$x\$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a~b^c <d> |e|", r"a\textasciitilde{}b\textasciicircum{}c \textless{}d\textgreater{} \textbar{}e\textbar{}"),
        ("[x] *y", "{[}x] {*}y"),  # after \\ these would be arguments
        ("a--b ,, ?`", "a-{}-b ,{}, ?{}`"),  # fonts join them to other characters
        ("é ñ ö ß µ ±", r"\'{e} \~{n} \"{o} \ss{} \ensuremath{\mu} \ensuremath{\pm}"),
        ("e\u0301", r"\'{e}"),
        ("中 \x00 \ud800", "{[}U+4E2D] {[}U+0000] {[}U+D800]"),
        ("two\n\nlines\t", "two lines "),  # an empty line would end a caption
    ],
)
def test_by_hand(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_comment_is_one_line_of_ascii() -> None:
    assert comment("a\n\\input{b}\r é") == "a?\\input{b}? ?"

"""What LaTeX code says to a reader, without its dress."""

import re
from collections.abc import Callable

from bench.paper.latex import OWN
from bench.paper.texcode import Code, Macro

ARGUMENTS = re.compile(
    r"\\(?:cmidrule|cline)\s*(?:\([^)]*\))?\{[^}]*\}|\\multicolumn\s*\{[^}]*\}\s*\{[^}]*\}|\\multirow\s*(?:\[[^]]*\])?\{[^}]*\}\s*\{[^}]*\}"
    r"|\\(?:rule|vspace|hspace|rowcolor|cellcolor|color|textcolor|setlength|label|ref|cite\w*|textsuperscript|tnote|footnotemark)\*?"
    r"(?:\[[^]]*\])?(?:\{[^}]*\}|(?=\W))|\\\\\[[^]]*\]"
)
"""Commands whose arguments nobody reads, or that only point elsewhere."""
_DRESS = re.compile(
    r"\\(?:text(?:bf|it|sc|sf|rm|tt|normal|md|up)|text|emph|u?underline|uline|[mh]box|math(?:bf|rm|it)|bm|boldsymbol|bfseries|itshape"
    r"|small|footnotesize|scriptsize|normalsize|large|centering|par|smallskip|noindent|protect|ensuremath|end|begin|toprule|midrule"
    r"|bottomrule|hline|addlinespace)(?![A-Za-z])\*?|\\[,;:! ]|[{}$~\s]+"
)
MINUS = r"(?:[-−–]|\\textminus)"
_SENTENCE = re.compile(r"(?<=\.)\s+")


def without_macros(code: str, keep_own: bool = False) -> str:
    """Code without its keyed numbers and words."""
    return _replaced(code, lambda macro: macro.shown if keep_own and macro.key == OWN else "")


def plain(code: str, keys: bool = False) -> str:
    """What code says, without its dress; with ``keys`` each keyed number or word is its key, tag and mark left out."""

    def shown(macro: Macro) -> str:
        return f"<{bare_key(macro.key)}>" if keys and macro.key != OWN else macro.shown

    return " ".join(_DRESS.sub(" ", ARGUMENTS.sub("", _replaced(code, shown))).split())


def quoted(code: str) -> str:
    """What code says, for a person."""
    return f"'{plain(code).replace(chr(92) + 'pm', '±').replace(chr(92), '')}'"


def bare_key(key: str) -> str:
    """A key without the tag of its table and without its mark."""
    return "/".join(word for word in key.split("/")[1:] if word not in ("best", "tied"))


def squeezed(text: str) -> str:
    """Text without white space, of which an author may want more or less."""
    return "".join(text.split())


def letters(code: str) -> str:
    """The letters and percent signs that code shows."""
    return "".join(re.findall(r"[A-Za-z%]", re.sub(r"\\[A-Za-z]+\*?", " ", _DRESS.sub(" ", ARGUMENTS.sub("", code)))))


def minuses(keyed: str) -> int:
    """How many numbers of a cell have a minus before them; each number stands as "<…>". A dash between two is none."""
    return len(re.findall(rf"(?:^|[(\[,;±]|\\pm){MINUS}+(?=<)", squeezed(keyed)))


def sentences(code: str) -> list[tuple[int, str]]:
    """The sentences of a caption, each with where it begins."""
    found, start = [], 0
    for end in [*(match.end() for match in _SENTENCE.finditer(code)), len(code)]:
        found.append((start, code[start:end]))
        start = end
    return [(place, each) for place, each in found if each.strip()]


def _replaced(code: str, by: Callable[[Macro], str]) -> str:
    inner, parts, done = Code(code), [], 0
    for macro in inner.macros():
        if macro.start >= done:  # one within another goes with it
            parts += [inner.text[done : macro.start], by(macro)]
            done = macro.end
    return "".join([*parts, inner.text[done:]])

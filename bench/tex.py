"""Any text as LaTeX that pdflatex takes: what it says is shown, and nothing of it is ever a command."""

import re
import unicodedata

_ASCII = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''",
    # After \\ and \midrule these two would be read as arguments.
    "[": "{[}", "*": "{*}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip
_SYMBOLS = {
    "–": "--", "—": "---", "−": "$-$", "·": r"\textperiodcentered{}", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}",
    "±": r"\ensuremath{\pm}", "×": r"\ensuremath{\times}", "≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}",
    "≈": r"\ensuremath{\approx}", "→": r"\ensuremath{\rightarrow}", "∞": r"\ensuremath{\infty}", "°": r"\ensuremath{^{\circ}}",
    "²": r"\ensuremath{^{2}}", "³": r"\ensuremath{^{3}}", "…": r"\ldots{}", "‘": "`", "’": "'", "“": "``", "”": "''",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}",
    "Ł": r"\L{}", "ı": r"\i{}", "§": r"\S{}", "µ": r"\ensuremath{\mu}",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "λ": "lambda",
    "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "varphi", "χ": "chi", "ψ": "psi",
    "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u0308": '"',
    "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
_KNOWN = _ASCII | _SYMBOLS | {letter: rf"\ensuremath{{\{name}}}" for letter, name in _GREEK.items()}


def escaped(text: str) -> str:
    """Text for the body of a LaTeX document in any of its usual fonts.

    A character that pdflatex has no glyph for is shown by its number, as [U+4E2D]; white space of any kind is one space.
    """
    letters = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text))
    # Letters that fonts join to others, such as two hyphens to a dash, are kept apart.
    return "".join(
        _letter(letter) + ("{}" if letter in "-`',?!" and letters[place + 1 : place + 2] in ("-", "`", "'", ",") else "")
        for place, letter in enumerate(letters)
    )


def comment(text: str) -> str:
    """Text for one comment line: nothing in it can end the line."""
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in text)


def _letter(letter: str) -> str:
    if letter in _KNOWN:
        return _KNOWN[letter]
    if letter.isascii():
        return letter if letter.isprintable() else f"{{[}}U+{ord(letter):04X}]"
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if len(marks) == 1 and marks[0] in _ACCENTS and base.isascii() and base.isalpha():
        base = {"i": r"\i", "j": r"\j"}.get(base, base)
        return rf"\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"{{[}}U+{ord(letter):04X}]"

"""Text of results on a page: shown as it is written, never read as Markdown or HTML."""

from string import punctuation

LONGEST = 400


def literal(text: object, longest: int = LONGEST) -> str:
    """Text for Streamlit's Markdown in which nothing is markup; what is longer is cut."""
    line = str(text)
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return "".join(f"\\{letter}" if letter in punctuation else letter for letter in short)


def short(text: object, longest: int = 60) -> str:
    """Text for a table, a choice or a file name, cut where it is longer."""
    line = " ".join(str(text)[: 4 * longest].split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


_CAUSES = {
    "oom": "out of memory",
    "error": "failed with an error",
    "input": "refused its input",
    "timeout": "ran out of time",
    "crashed": "its process crashed",
}


def cause(word: object) -> str:
    """Why a cell failed, in words; "" where it did not."""
    return _CAUSES.get(str(word), short(word)) if isinstance(word, str) else ""


def status(text: str) -> str:
    """`Row.status` in words: "1 oom, 1 not run" is "1 out of memory, 1 not run", and a row of one seed needs no count."""
    counted = [part.partition(" ") for part in text.split(", ") if part]
    words = [f"{count} {cause(word)}" for count, _, word in counted]
    return words[0].removeprefix("1 ") if len(words) == 1 and words[0].startswith("1 ") else short(", ".join(words), 120)

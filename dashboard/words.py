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

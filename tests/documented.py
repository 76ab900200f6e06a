"""What the documentation shows: its blocks, its commands, and what a command may be told in the place of a capital word."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from typer.core import TyperGroup

from bench.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACEHOLDERS = {
    "SUITE": "quickstart", "DATASET": "camvid", "NAME": "camvid", "MODEL": "unet", "DATA": "data", "DIR": "data", "CELL": "0",
    "A": "unet/none", "B": "fcn8s", "FIELD": "augmentation", "IMAGE": "photo.png", "FILE": "out", "KIND": "pair", "ID": "0",
    "N": "1", "H": "64", "W": "64", "FOLDER": "out", "LABEL": "phantom", "STORE": "runs",
}  # fmt: skip
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\w+=\S+ )*bench [^`]+)`")
STARTS = re.compile(r"^(?:\w+=\S+ )*(?:\.venv/bin/)?(?:bench|python3?|make|mkdocs|source|pip)(?=\s)")
BREAKS = {"&&", ";", "|", "&", ">", "||"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    info: str
    text: str

    @property
    def title(self) -> str | None:
        """The file that the block is."""
        found = re.search(r'title="([^"]+)"', self.info)
        return found[1] if found else None


@dataclass(frozen=True)
class Command:
    """A command line of a page, and the messages that the page says it prints."""

    place: str
    text: str
    messages: tuple[str, ...] = ()
    whole: bool = True
    """False where a sentence names a command without its arguments."""


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(page.name, text.count("\n", 0, found.start()) + 1, found[1], found[2], found[3])


def shown(block: Block) -> Iterator[Command]:
    """The commands of a fenced block: lines after `$`, or that begin with a program of ours."""
    lines = block.text.replace("\\\n", " ").splitlines()
    for place, line in enumerate(lines):
        command = line.removeprefix("$ ")
        if block.language in ("", "console", "bash") and STARTS.match(command):
            rest = lines[place + 1 :]
            end = next((at for at, each in enumerate(rest) if STARTS.match(each.removeprefix("$ "))), len(rest))
            messages = tuple(each for each in rest[:end] if each.startswith("bench: "))
            yield Command(f"{block.page}:{block.line + place + 1}", command, messages)


def mentioned(page: Path) -> Iterator[Command]:
    """The commands that a page names in its text and its tables."""
    text = FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))
    for found in INLINE.finditer(text):
        yield Command(f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", found[1], whole=False)


def calls(text: str) -> list[tuple[dict[str, str], list[str]]]:
    """The environment and the words of each program that a line calls, capital words replaced by something there is."""
    text = re.sub(r"\\?\|(?=\S)", "|", text.replace("\\|", "|"))
    words = shlex.split(re.sub(r"\s[…]+|\s\.\.\.$|\[(?=[A-Z])|(?<=[A-Z])\]", " ", text), comments=True)
    found: list[list[str]] = [[]]
    for word in words:
        if word in BREAKS:
            found.append([])
        else:
            found[-1].append(_filled(word))
    return [_split(each) for each in found if each]


def _filled(word: str) -> str:
    word = word.partition("|")[0]
    return re.sub(r"\b[A-Z]+\b", lambda name: PLACEHOLDERS.get(name[0], name[0]), word)


def _split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    count = next((at for at, word in enumerate(words) if not re.match(r"^[A-Z_]+=", word)), len(words))
    names = dict(word.split("=", 1) for word in words[:count])
    return names, [words[count].removeprefix(".venv/bin/"), *words[count + 1 :]] if count < len(words) else []


def parse(words: list[str]) -> None:
    """Parse the words after `bench` as the program would, and do nothing; raises ValueError for what it would not take."""
    command, name = typer.main.get_command(app), "bench"
    context = command.context_class(command, info_name=name)
    try:
        while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
            found_name, found, words = command.resolve_command(context, list(words))
            assert found is not None
            name, command = found_name or name, found
            context = command.context_class(command, parent=context, info_name=name)
        if words or not isinstance(command, TyperGroup):
            command.make_context(name, list(words), parent=context.parent)
    except Exception as error:  # whichever click typer brings: its own, or the package
        if not hasattr(error, "format_message"):
            raise
        raise ValueError(error.format_message()) from None

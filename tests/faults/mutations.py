"""Ways to spoil a suite file: its text, as an editor or a bad transfer would, and its structure, as a slip of thought would."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Text = Callable[[list[str], random.Random], None]
Structure = Callable[[dict[str, Any], random.Random], None]
NUMBERS = [
    "1e308",
    "1e400",
    "-1e400",
    "9" * 400,
    "0x" + "f" * 300,
    "-0",
    ".nan",
    ".inf",
    "-.inf",
    "1_000",
    "0o17",
    "1:30",
    "NaN",
    "1e999999999",
    "1/0",
    "1/" + "9" * 400,
]
WORDS = [
    "\0",
    "\t",
    "\ufeff",
    "\u202e",
    "é" * 50,
    "💥",
    "\x1b[31m",
    "\u2028",
    "\x85",
    "\ud800",
    "null",
    "~",
    "no",
    "2026-01-01",
    "!!binary aGk=",
]
WORDS += [
    "!!python/name:os.system ''",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!timestamp 2026-01-01",
    "*nothing",
    "&a *a",
    "? x",
    "<<: *x",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**300,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x" * 5000,
    "nan",
    "../../etc",
    "a:b",
]
VALUES += [
    [],
    {},
    [[]],
    [None],
    [[1, 2], [3]],
    {"name": "fcn"},
    {"": ""},
    {1: 2},
    {None: 1},
    [float("nan")],
    ["fcn", {"a": [1]}],
    "os:system",
    "/etc/passwd",
]
VALUES += ["1e999999999", {"options": {"a": float("nan")}}, {1: 2, "a": 3}]
BIG = [10_000, 100_000, 1_000_000, 999_999_999, 2**40]
KEYS = [
    "model",
    "dataset",
    "matrix",
    "include",
    "exclude",
    "when",
    "set",
    "seed",
    "train.lr",
    "model.stride",
    "fraction",
    "name",
    "profile",
    "eval.tile",
]
KEYS += [
    "init_from",
    "augmentation",
    "train.recipe",
    "dataset.resize",
    "model.",
    ".",
    "train.x.y",
    "<<",
    "",
    "expected",
    "overrides",
    "epochs",
    "size",
]


TIMES = [1, 1, 1, 2, 4]
"""How often a suite is spoilt: most often once, since the first mistake hides the others."""


def mutated(text: str, rng: random.Random) -> str:
    """A suite's text after one to four mutations of one kind."""
    if rng.random() < 0.5:
        lines = text.splitlines()
        for _ in range(rng.choice(TIMES)):
            rng.choice(TEXTS)(lines, rng)
        return "\n".join(lines) + "\n"
    data = yaml.safe_load(text)
    for _ in range(rng.choice(TIMES)):
        rng.choice(STRUCTURES)(data, rng)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=rng.random() < 0.5)


def _delete(lines: list[str], rng: random.Random) -> None:
    at = _line(lines, rng)
    del lines[at : at + rng.randint(1, 3)]


def _duplicate(lines: list[str], rng: random.Random) -> None:
    lines.insert(_line(lines, rng), lines[_line(lines, rng)] if lines else "")


def _swap(lines: list[str], rng: random.Random) -> None:
    if lines:
        one, other = _line(lines, rng), _line(lines, rng)
        lines[one], lines[other] = lines[other], lines[one]


def _indent(lines: list[str], rng: random.Random) -> None:
    if lines:
        at = _line(lines, rng)
        lines[at] = rng.choice(["", " ", "   ", "\t", " " * 40]) + lines[at].lstrip(rng.choice(["", " "]))


def _insert(lines: list[str], rng: random.Random) -> None:
    if lines:
        at = _line(lines, rng)
        place = rng.randint(0, len(lines[at]))
        lines[at] = lines[at][:place] + rng.choice(WORDS) + lines[at][place:]


def _cut(lines: list[str], rng: random.Random) -> None:
    if lines:
        at = _line(lines, rng)
        lines[at] = lines[at][: rng.randint(0, len(lines[at]))]


def _character(lines: list[str], rng: random.Random) -> None:
    if lines and lines[at := _line(lines, rng)]:
        place = rng.randrange(len(lines[at]))
        lines[at] = lines[at][:place] + rng.choice("{}[]:,-#&*!|>'\"%@`?\\ 019ax.") + lines[at][place + 1 :]


def _number(lines: list[str], rng: random.Random) -> None:
    """Another value behind a key."""
    keyed = [place for place, line in enumerate(lines) if ": " in line]
    if keyed:
        at = rng.choice(keyed)
        lines[at] = lines[at].partition(": ")[0] + ": " + rng.choice(NUMBERS + WORDS)


def _anchors(lines: list[str], rng: random.Random) -> None:
    lines.insert(_line(lines, rng), rng.choice(["x: &x {name: fcn}", "y: *x", "z: &z [*z]", "<<: *x", "w: &x [1, *x]"]))


def _bomb(lines: list[str], rng: random.Random) -> None:
    """Aliases of aliases, which are small here and vast when they are written out."""
    depth, wide = rng.randint(3, 30), rng.randint(2, 10)
    if rng.random() < 0.3:  # merged, they all stand on one path
        lines += [
            "b0: &b0 {}",
            *(f"b{each}: &b{each} {{{', '.join([f'<<: *b{each - 1}'] * wide)}}}" for each in range(1, depth)),
        ]
        return
    lines += ["b0: &b0 [x]", *(f"b{each}: &b{each} [{', '.join([f'*b{each - 1}'] * wide)}]" for each in range(1, depth))]


def _nested(lines: list[str], rng: random.Random) -> None:
    deep = rng.choice([50, 500, 5000, 50_000])
    form = rng.choice([("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
    lines.append(f"title: {form[0] * deep}{form[1] * deep}")


def _replace(data: dict[str, Any], rng: random.Random) -> None:
    holder, key = _slot(data, rng)
    holder[key] = rng.choice(VALUES)


def _grow(data: dict[str, Any], rng: random.Random) -> None:
    """A number, where there is one, far larger than anybody means."""
    slots = [(holder, key) for holder, key in _slots(data) if isinstance(holder[key], int)] or list(_slots(data))
    holder, key = rng.choice(slots)
    holder[key] = rng.choice(BIG)


def _remove(data: dict[str, Any], rng: random.Random) -> None:
    holder, key = _slot(data, rng)
    del holder[key]


def _add(data: dict[str, Any], rng: random.Random) -> None:
    places = [data, *(holder[key] for holder, key in _slots(data) if isinstance(holder[key], dict))]
    rng.choice(places)[rng.choice(KEYS)] = rng.choice([*VALUES, *BIG])


def _move(data: dict[str, Any], rng: random.Random) -> None:
    """The value of one place in another."""
    (one, key), (other, there) = _slot(data, rng), _slot(data, rng)
    one[key] = yaml.safe_load(yaml.safe_dump(other[there]))


def _rename(data: dict[str, Any], rng: random.Random) -> None:
    slots = [(holder, key) for holder, key in _slots(data) if isinstance(holder, dict)]
    if slots:
        holder, key = rng.choice(slots)
        holder[rng.choice([f"{key}x", str(key)[:-1], rng.choice(KEYS), "a b", "x" * 2000, 7, 1.5, None, True])] = holder.pop(key)


def _axes(data: dict[str, Any], rng: random.Random) -> None:
    """Axes whose product nobody could run, each of them short enough."""
    matrix = data.get("matrix")
    if isinstance(matrix, dict):
        for axis in rng.sample(
            ["seed", "train.lr", "train.steps", "train.batch", "train.weight_decay", "eval.batch"], rng.randint(1, 4)
        ):
            matrix[axis] = list(range(1, rng.choice([3, 50, 400, 5000])))


def _include(data: dict[str, Any], rng: random.Random) -> None:
    """Entries that say much in one another."""
    entry = rng.choice(
        [
            {"include": [{}]},
            {},
            {"seed": [[0], [1]]},
            {"model": {"include": []}},
            {"seed": list(range(2000))},
            {"train.lr": float("nan")},
        ]
    )
    block = rng.choice(["include", "exclude", "overrides", "expected"])
    kept = data.get(block)
    data[block] = [*(kept if isinstance(kept, list) else []), *[entry] * rng.choice([1, 3, 300])]


def _share(data: dict[str, Any], rng: random.Random) -> None:
    """One object in many places, which is dumped as an anchor and its aliases."""
    shared = rng.choice([[1, 2], {"name": "fcn"}, list(range(100))])
    for _ in range(rng.randint(2, 4)):
        holder, key = _slot(data, rng)
        holder[key] = shared


TEXTS: list[Text] = [_delete, _duplicate, _swap, _indent, _insert, _cut, _character, _number, _anchors, _bomb, _nested]
STRUCTURES: list[Structure] = [_replace, _replace, _grow, _remove, _add, _move, _rename, _axes, _include, _share]


def _line(lines: list[str], rng: random.Random) -> int:
    return rng.randrange(len(lines)) if lines else 0


def _slots(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of the structure: its holder, and the key or index in it."""
    seen, left = {id(data)}, [data]
    while left:
        holder = left.pop()
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            yield holder, key
            if isinstance(value, (dict, list)) and id(value) not in seen:
                seen.add(id(value))
                left.append(value)


def _slot(data: dict[str, Any], rng: random.Random) -> tuple[Any, Any]:
    slots = list(_slots(data))
    if not slots:
        data["name"] = "x"
        slots = list(_slots(data))
    return rng.choice(slots)

"""A training's log lines: JSON, one a line, appended as they come."""

import json
from pathlib import Path
from typing import Any


class Curve:
    """Appends to ``curve.jsonl``; what an interrupted training logged beyond its checkpoint is dropped, to be logged again."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        kept = [line for line in read_curve(path) if line["step"] <= step]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        """Append a line; NaN becomes null."""
        clean = {key: None if value != value else value for key, value in line.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(clean) + "\n")

    def seconds(self) -> float:
        """Training time so far: the lines' own, so that a pause between two runs is not counted."""
        return sum(float(line.get("seconds") or 0.0) for line in read_curve(self.path))


def read_curve(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a curve; a line cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and type(line.get("step")) is int:
            lines.append(line)
    return lines

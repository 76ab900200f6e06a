"""Tables for reading from what `bench ceiling ... --protocol all --json` printed: FILE.json -> FILE.csv and FILE.md beside it."""

import csv
import json
import sys
from pathlib import Path

SCORES = {"miou": "mIoU %", "boundary_iou": "Boundary IoU %", "trimap_iou_3px": "trimap 3 px mIoU %", "paper_miou": "paper mIoU %"}


def main(path: Path) -> None:
    """Write both tables of one file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = data if isinstance(data, list) else data["rows"]  # as printed, or with the command and date around it
    flat = [{key: value for key, value in row.items() if key != "class_iou"} for row in rows]
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    shown = [name for name in SCORES if any(row[name] is not None for row in rows)]
    lines = ["| protocol | stride | " + " | ".join(SCORES[name] for name in shown) + " |", "| --- |" + " ---: |" * (1 + len(shown))]
    for row in rows:
        values = ["–" if row[name] is None else f"{row[name] * 100:.2f}" for name in shown]
        lines.append(f"| {row['protocol']} | {row['stride']} | " + " | ".join(values) + " |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(Path(each))

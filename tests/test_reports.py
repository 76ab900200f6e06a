"""Published tables and figures are what one command makes of the published results, to the byte."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from typer.testing import CliRunner

from bench.cli.app import app

TABLES = {"csv": "csv", "json": "json", "md": "md", "latex": "tex"}


def published(repository: Path) -> list[Path]:
    return sorted(path.parent for path in (repository / "reports").glob("*/store"))


def test_every_published_table_regenerates_to_the_byte(repository: Path, tmp_path: Path) -> None:
    folders = published(repository)
    assert {"quickstart", "camvid_small"} <= {folder.name for folder in folders}
    for folder in folders:
        for form, ending in TABLES.items():
            made = tmp_path / f"{folder.name}.{ending}"
            done = CliRunner().invoke(
                app, ["export", folder.name, "--store", str(folder / "store"), "--format", form, "--out", str(made)]
            )
            assert done.exit_code == 0, done.output
            assert made.read_bytes() == (folder / f"table.{ending}").read_bytes(), f"{folder.name}: table.{ending}"


def test_published_figures_regenerate_to_the_byte(repository: Path, tmp_path: Path) -> None:
    folder = repository / "reports" / "quickstart"
    drawn = re.search(r"Matplotlib v([\d.]+)", (folder / "figures" / "stride.svg").read_text(encoding="utf-8"))
    if not drawn or drawn[1] != matplotlib.__version__:
        pytest.skip(f"the figures were drawn by matplotlib {drawn and drawn[1]}, and {matplotlib.__version__} is installed")
    for form in ("svg", "pdf"):  # in processes of their own: other tests leave settings and fonts in this one
        words = ["export", folder.name, "--store", str(folder / "store"), "--format", form, "--out", str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        done = subprocess.run([sys.executable, "-m", "bench", *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    expected = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected and len(expected) == 6

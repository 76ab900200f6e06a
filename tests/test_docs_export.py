"""Every command of docs/export.md does what the page says, on made results of the suite it names."""

import re
import shlex
from pathlib import Path

import numpy as np

from bench.expand import expand
from bench.plan import survey
from bench.store import Store
from bench.suite import load_suite
from tests.made_paper import SPEED
from tests.made_results import confusions, put
from tests.test_page import CURVES
from tests.test_paper import Call
from tests.test_paper import bench as bench  # a fixture


def test_every_command_runs(bench: Call, repository: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suites" / "quickstart.yaml"
    suite.parent.mkdir()
    suite.write_text((repository / "suites" / "quickstart.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    store, truth = Store(tmp_path / "runs"), np.full((20, 7), 100)
    for cell in survey(expand(load_suite(suite)), tmp_path, store).cells:
        chance, stride = np.random.default_rng(cell.seed), getattr(cell.model, "stride", 1)
        counts = confusions(truth, np.full(20, 0.9 - 0.02 * stride), chance)
        put(store, cell, counts, stride=stride, profile=SPEED, curves=CURVES)
    blocks = re.findall(r"```console\n(.*?)```", (repository / "docs" / "export.md").read_text(encoding="utf-8"), re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 8
    for command in commands:
        program, *arguments = shlex.split(command)
        code, out, err = bench(*arguments)
        assert program == "bench" and code == 0, f"{command}: {err}"
        assert out or "written" in err or "agree" in err
    assert {path.name for path in tmp_path.iterdir()} == {"suites", "runs", "table.tex", "figures", "quickstart.html"}
    made = {"stride.pdf", "tradeoff.pdf", "boundary.pdf", "stride.svg"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == made

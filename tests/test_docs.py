"""The documentation does what it says: every command parses, and those of a page are run in order, in a sandbox of its own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bench.cli.app import app
from bench.data import layouts
from bench.errors import BenchError
from bench.expand import expand
from bench.reference import reference
from bench.suite import SCORING, Suite, load_suite
from tests.documented import PAGES, ROOT, Block, Command, blocks, calls, mentioned, parse, shown

NOT_RUN = {
    r"^make (demo|test|docs|check)": "makes an environment from the network",
    r"python3? -m venv|pip install|^source": "makes an environment from the network",
    r"^bench dashboard|^mlflow ui": "a server that runs until it is stopped; tests/test_dashboard.py opens it",
    r"^bench data fetch": "downloads; tests/test_data_fetch.py has a server of its own",
    r"^bench score": "scores a folder of predictions that only its reader has; tests/test_score.py makes some",
    r"^bench export .*--format (pdf|svg|html)": "draws for seconds; tests of the export run it",
    r"^bench run .*--runner ray|^bench slurm": "needs a cluster; tests/test_ray.py and tests/test_slurm.py make one",
    r"^bench profile": "measures for minutes; tests/test_throughput.py runs it",
    r"^bench verify-table": "needs a paper; its tests write one",
    r"^bench (inspect|heatmap) .*--picture|^bench heatmap": "measures gradients for seconds; tests/test_inspect.py runs it",
}
"""What cannot be run here, and why. All of it is parsed."""
FINDINGS = {r"^bench (data check|score)": 1}
"""Commands whose exit code may also say that there is something to find."""


def every_command() -> list[Command]:
    fenced = [command for page in PAGES for block in blocks(page) for command in shown(block)]
    return fenced + [command for page in PAGES for command in mentioned(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_parses(page: Path) -> None:
    wrong = []
    for command in every_command():
        if command.place.partition(":")[0] != page.name or re.search(r"\bbench \.\.\.|`|bench …|bench COMMAND", command.text):
            continue
        for _, words in calls(command.text):
            if words[:1] == ["bench"]:
                try:
                    parse(words[1:])
                except ValueError as error:
                    if not command.whole and str(error).startswith("Missing"):
                        continue
                    wrong.append(f"{command.place}: {command.text}: {error}")
    assert not wrong, "\n".join(wrong)


def test_an_unknown_option_would_be_found() -> None:
    for words in (["run", "quickstart", "--no-such-option"], ["no-such-command"], ["data", "chekc", "camvid"], ["run"]):
        with pytest.raises(ValueError):
            parse(words)


def test_every_exception_is_needed() -> None:
    texts = [command.text for command in every_command()]
    assert [rule for rule in NOT_RUN if not any(re.search(rule, text) for text in texts)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_suites_load(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("BENCH_ALLOW_PLUGINS", "1")
    for block in blocks(page):
        if block.language == "python" and block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        if block.language == "yaml" and "fails" not in block.info:
            data = yaml.safe_load(block.text)
            if not isinstance(data, dict) or not set(data) <= set(Suite.model_fields):
                pytest.fail(f"{page.name}:{block.line}: no part of a suite: {list(data)}")
            assert expand(load_suite(_whole(data, tmp_path))) or set(data) <= SCORING, f"{page.name}:{block.line}"


def _whole(data: dict[str, Any], folder: Path) -> Path:
    """A part of a suite, completed by a matrix of what it names."""
    if "matrix" not in data and (set(data) - SCORING or "eval" in data or ("datasets" in data and "dataset" not in data)):
        known = {"fcn32s", "fcn16s", "unet", "fcn8s"}
        named = list(data.get("models", {})) or sorted(known)
        data = {"matrix": {"model": named, "dataset": list(data.get("datasets", {})) or ["phantom"]}, **data}
    matrix, models = data.get("matrix", {}), dict(data.get("models", {}))
    for label in matrix.get("model", []):
        if label not in models and label not in ("unet", "fcn"):
            models[label] = {"name": "fcn", "backbone": "small", "stride": int(re.sub(r"\D", "", label) or 8)}
    if models:
        data = {**data, "models": models}
    path = folder / "part.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def test_reference_is_the_schema() -> None:
    text = (ROOT / "docs" / "suite.md").read_text(encoding="utf-8")
    assert text == reference(), "bench schema --markdown > docs/suite.md"
    for name in re.findall(r"\]\(#(\w+)\)", text):
        assert re.search(rf"^## {name}$", text, re.MULTILINE | re.IGNORECASE), name


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    loads = r'<(?:link[^>]+stylesheet[^>]+href|script[^>]+src|img[^>]+src)="?(https?:)?//'
    assert pages and not [page.name for page in pages if re.search(loads, page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with suites whose amounts are small, data in the real sets' formats, and the results of two suites."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "suites").mkdir()
    for path in (ROOT / "suites").glob("*.yaml"):
        (folder / "suites" / path.name).write_text(_little(path.read_text(encoding="utf-8")), encoding="utf-8")
    for draw in (layouts.camvid, layouts.voc):
        draw(folder / "data", 4, (48, 64), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(ROOT))
        for suite in ("quickstart", "camvid_small"):
            _run(Command("prepared", f"bench run {suite}"))
    return folder


def _little(text: str) -> str:
    """The same suite for a few steps on a few small pictures."""
    for field, value in (("steps", 4), ("warmup_steps", 1), ("val_every", 2), ("train_images", 8), ("batch", 4)):
        text = re.sub(rf"\b{field}: \d+", f"{field}: {value}", text)
    text = text.replace("profile:\n  size", "profile:\n  warmup: 1\n  rounds: 2\n  size")
    text = text.replace("profile: {size", "profile: {warmup: 1, rounds: 2, size")
    text = re.sub(r"resize: \[90, 120\]", "resize: [48, 64]", text)
    if re.search(r"^name: quickstart", text, re.MULTILINE):
        text = text.replace("seed: [0, 1]", "seed: [0]")
        text += "\ndatasets:\n  phantom: {name: phantom, size: [48, 48], train_images: 8, val_images: 4, test_images: 6}\n"
    return text


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_run(page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(blocks(page))
    if not any(block.language in ("", "console", "bash", "python") for block in found):
        return
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PLOTLY_RENDERER", "json")
    monkeypatch.setenv("BENCH_ALLOW_PLUGINS", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for block in found:
        if block.title:
            Path(block.title).write_text(_little(block.text) if block.language == "yaml" else block.text, encoding="utf-8")
        elif block.language == "python":
            _python(block, ["-"], block.text)
        for command in shown(block):
            if not any(re.search(rule, command.text) for rule in NOT_RUN) or command.messages:
                _run(command)


def _run(command: Command) -> None:
    """Run a command line as its reader would, but without MLflow, and compare with what the page says of it."""
    for _, words in calls(command.text):
        if words[0] == "python":
            _python(command, words[1:])
            continue
        assert words[0] == "bench", f"{command.place}: {shlex.join(words)} is neither run nor among those that cannot be"
        code, told, output = _bench(words[1:])
        if command.messages:
            assert all(any(line.startswith(each) for line in told) for each in command.messages), f"{command.place}: {told}"
            continue
        allowed = {0, *(code for rule, code in FINDINGS.items() if re.search(rule, command.text))}
        assert code in allowed and not told, f"{command.place}: {command.text}\n{output[-3000:]}{told}"


def _bench(words: list[str]) -> tuple[int, list[str], str]:
    """Exit code, the lines of an error, and all that is printed; what trains has a process, and so a fork server, of its own."""
    if words[0] in ("run", "rescore", "retry"):
        words += [] if "--tracking" in words else ["--tracking", "off"]
        ended = subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, text=True)
        return ended.returncode, [line for line in ended.stderr.splitlines() if line.startswith("bench: ")], ended.stderr
    done = CliRunner().invoke(app, words)
    told = str(done.exception) if isinstance(done.exception, BenchError) else ""
    return done.exit_code, [f"bench: {line}" for line in told.splitlines()], f"{done.output}{done.exc_info}"


def _python(place: Block | Command, words: list[str], text: str | None = None) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([".", str(ROOT)])}
    done = subprocess.run([sys.executable, *words], input=text, capture_output=True, text=True, env=env)
    assert done.returncode == 0, f"{place}: {done.stderr[-3000:]}"


@pytest.mark.slow
def test_score_is_added_as_written(tmp_path: Path) -> None:
    """The changes of docs/add_metric.md, made to a copy of the package: the new score is in the results and in the table."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks(ROOT / "docs" / "add_metric.md"):
        if block.language == "diff":
            _apply(block.text, tmp_path)
    tiny = next(block for block in blocks(ROOT / "docs" / "errors.md") if block.title == "tiny.yaml")
    (tmp_path / "tiny.yaml").write_text(tiny.text, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    script = (
        "import json, pathlib, bench; from bench.cli import main; print(bench.__file__)\n"
        "import sys; sys.argv = ['bench', *sys.argv[1:]]; main()"
    )
    for words in (["run", "tiny.yaml", "--tracking", "off"], ["leaderboard", "tiny.yaml", "--metric", "dice"]):
        done = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0 and str(tmp_path) in done.stdout, done.stderr
    assert "Dice" in done.stdout or "dice" in done.stdout
    result = yaml.safe_load(next((tmp_path / "runs" / "cells").glob("*/result.json")).read_text(encoding="utf-8"))
    ious = [iou for iou in result["per_class"]["iou"].values() if iou is not None]
    assert result["metrics"]["dice"] == pytest.approx(sum(2 * iou / (1 + iou) for iou in ious) / len(ious))


def _apply(diff: str, root: Path) -> None:
    head, *lines = diff.splitlines()
    path = root / head.removeprefix("--- ")
    text = path.read_text(encoding="utf-8")
    before = "\n".join(line[1:] for line in lines if line[:1] != "+")
    after = "\n".join(line[1:] for line in lines if line[:1] != "-")
    assert text.count(before + "\n") == 1, f"{head}: {before}"
    path.write_text(text.replace(before + "\n", after + "\n"), encoding="utf-8")

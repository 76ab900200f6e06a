"""Spoilt suite files: a plan or one clear error, whatever was done to them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.fuzz import outcome
from tests.faults.stores import environment
from tests.test_suite import GOOD, message

SMP = "models: {a: {name: smp, arch: unet, options: {x: VALUE}}}\nmatrix: {dataset: phantom, model: a}\n"
MERGED = "".join(f"b{each}: &b{each} {{<<: *b{each - 1}, <<: *b{each - 1}, <<: *b{each - 1}}}\n" for each in range(1, 40))


def test_spoilt_suites_give_a_plan_or_a_clear_error(tmp_path: Path, repository: Path) -> None:
    """In processes of their own, with little memory: what would end one of them, or hang, is a finding."""
    arguments = [sys.executable, "-m", "tests.faults.fuzz", "--cases", "200", "--seed", "7", "--keep", str(tmp_path / "kept")]
    done = subprocess.run(arguments, cwd=repository, env=environment(), check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    plans, errors = (int(word.split()[0]) for word in done.stdout.partition(": ")[2].split(", ")[:2])
    assert plans + errors == 200 and plans > 10 and errors > 10


def test_a_finding_is_told_from_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(GOOD, tmp_path, 10) == "plan" and outcome("- 1", tmp_path, 10) == "error"
    monkeypatch.setattr("bench.cli.options.expand", lambda suite: 1 / 0)
    assert "ZeroDivisionError" in outcome(GOOD, tmp_path, 10)

    def hang(suite: object) -> None:
        while True:
            pass

    monkeypatch.setattr("bench.cli.options.expand", hang)
    assert "too long" in outcome(GOOD, tmp_path, 0.2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "title: " + "[" * 50_000, "/x.yaml:7: more than 64 lists and mappings inside one another; write it flatter"),
        (GOOD + "title: " + "{a: " * 50_000 + "}" * 50_000, "/x.yaml:7: more than 64 lists and mappings inside one another"),
        ("b0: &b0 {}\n" + MERGED + GOOD, "make the file smaller"),
        (GOOD + "title: 2026-01-01\n", "/x.yaml:7: '2026-01-01' is a timestamp to YAML, which no field is; put it in quotes"),
        (GOOD + "title: !!set {a, b}\n", "/x.yaml:7: this is a set to YAML"),
        (GOOD + "title: !!bool maybe\n", "not valid YAML: 'maybe'"),
        (GOOD + "title: !!timestamp soon\n", "is a timestamp to YAML"),
        (GOOD + "  train.lr: [.nan]\n", "/x.yaml:7: train.lr: given nan, expected text, finite numbers"),
        (GOOD + "  model.width: [{1: 2, a: 3}]\n", "model.width: given {1: 2, 'a': 3}, expected text"),
        (GOOD + "  fraction: [1e999999999]\n", "fraction: given '1e999999999', expected a share"),
        (GOOD + f"  fraction: [{'9' * 400}/1]\n", "expected a share above 0 and up to 1"),
        (GOOD + "datasets: {x: {name: [phantom], colour: 1}}\n", "datasets.x"),
        (SMP.replace("VALUE", ".inf"), "options: given {'x': inf}, expected text, finite numbers"),
        (SMP.replace("VALUE", "{1: 2, a: 3}"), "mappings whose keys are text"),
    ],
)
def test_what_fuzzing_found(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in message(tmp_path, text)


@pytest.mark.parametrize("value", ["[" * 50_000, "!!bool maybe", "2026-13-45", "*x"])
def test_what_fuzzing_found_in_settings(tmp_path: Path, value: str) -> None:
    assert "--set" in message(tmp_path, GOOD, f"train.lr={value}")

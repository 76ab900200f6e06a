"""Code named by a suite runs only when the user says so, and trust ends where the file changes."""

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import BenchError
from bench.expand import expand
from bench.suite import load_suite
from bench.trust import check_plugins, revoke, trust, trust_file

SUITE = """\
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  mine: {name: "no_such_package.models:build", options: {width: 4}}
matrix: {dataset: [small], model: [mine, unet]}
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def check(path, settings=(), allowed=False):
    check_plugins(expand(load_suite(path, list(settings))), path, allowed=allowed)


def test_code_is_refused_until_it_is_allowed(suite):
    with pytest.raises(BenchError, match=r"no_such_package.models:build: this is code.*--allow-plugins.*bench trust"):
        check(suite)
    check(suite, allowed=True)
    trust(suite)
    check(suite)


def test_a_changed_file_is_trusted_no_more(suite):
    trust(suite)
    suite.write_text(SUITE + "# a word more\n", encoding="utf-8")
    with pytest.raises(BenchError, match="not on your trust list as it is now"):
        check(suite)
    suite.write_text(SUITE, encoding="utf-8")
    check(suite)


def test_trust_ends_with_what_the_file_names(suite):
    trust(suite)
    with pytest.raises(BenchError, match="other:build"):
        check(suite, ["matrix.model=[mine]", "model.name=other:build"])


def test_trust_is_of_whole_names(suite):
    trust(suite)
    for part in ("models:build", "no_such_package.models:buil", "no_such_package.models:build_more"):
        with pytest.raises(BenchError, match="this is code"):
            check(suite, ["matrix.model=[mine]", f"model.name={part}"])


def test_trust_can_be_taken_back(suite):
    trust(suite)
    suite.write_text(SUITE + "#\n", encoding="utf-8")
    trust(suite)
    assert revoke(suite) and not revoke(suite)
    suite.write_text(SUITE, encoding="utf-8")
    with pytest.raises(BenchError, match="this is code"):
        check(suite)


def test_suites_without_code_ask_for_nothing(tiny_suite, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    check(tiny_suite)
    assert not trust_file().exists()


@pytest.mark.parametrize("content", ["not json", "[1]", '{"a": 1}'])
def test_a_damaged_list_is_told_of(suite, content):
    trust(suite)
    trust_file().write_text(content, encoding="utf-8")
    with pytest.raises(BenchError, match=str(trust_file())):
        check(suite)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_planning_imports_no_code_and_running_asks(suite, tmp_path):
    places = ("--store", tmp_path / "runs", "--data-root", tmp_path)
    planned = invoke("plan", suite, *places)
    assert planned.exit_code == 0 and "mine" in planned.stdout
    for command in ("run", "rescore"):
        refused = invoke(command, suite, "--tracking", "off", *places)
        assert isinstance(refused.exception, BenchError) and "this is code" in str(refused.exception)
    looked = invoke("inspect", f"{suite}:mine")
    assert isinstance(looked.exception, BenchError) and "this is code" in str(looked.exception)
    trusted = invoke("trust", suite)
    assert trusted.exit_code == 0 and "no_such_package.models:build" in trusted.output
    looked = invoke("inspect", f"{suite}:mine")
    assert "no module 'no_such_package'" in str(looked.exception)


@pytest.mark.parametrize("name", ["mine:", "a b:c", "a:b:c", ":build", "a.:b", "a..b:c", "1a:b"])
def test_names_of_code_are_checked(suite, name):
    suite.write_text(SUITE.replace("no_such_package.models:build", name), encoding="utf-8")
    with pytest.raises(BenchError, match=r"suite.yaml:4: models\.mine\.name: .*package\.module:function"):
        load_suite(suite)


def test_unknown_keys_of_a_plugin_get_the_nearest(suite):
    suite.write_text(SUITE.replace("options", "option"), encoding="utf-8")
    with pytest.raises(BenchError, match="Did you mean 'options'"):
        load_suite(suite)


def test_the_version_is_part_of_the_id(suite):
    one, two = (expand(load_suite(suite, ["matrix.model=[mine]", *more]))[0].seen(PRINTS) for more in ([], ['model.version="2"']))
    assert one.train_id != two.train_id


PRINTS = {"train": "a", "val": "b", "test": "c"}

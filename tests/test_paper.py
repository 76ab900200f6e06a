"""Tables for papers: marks that the tests bear out, footnotes, keys, and numbers that are found again after an author's edits."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench import cli
from bench.errors import BenchError
from bench.layout import Layout, chosen_rows
from bench.leaderboard import Row, collect, rank
from bench.marks import weigh
from bench.paper.latex import latex
from bench.paper.provenance import provenance
from bench.paper.scan import Found, scan
from bench.paper.sheet import sheet
from bench.plan import survey
from bench.store import Store, write_json
from bench.stored import ranked
from tests.made_paper import HOSTILE, PLAIN, made
from tests.made_results import confusions, put, suite

Call = Callable[..., tuple[int, str, str]]
TIED = {"ours": 0.9, "twin": 0.9, "poor": 0.5}
KEY = r"\\benchnum\{\w+/"
"""Of a number, or of the provenance."""
WON = {"ours": 0.9, "twin": 0.7, "poor": 0.5}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, below a folder of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_STORE", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


def test_bold_when_significant_and_underlined_when_not(bench: Call, tmp_path: Path) -> None:
    made(tmp_path / "won", PLAIN, WON)
    made(tmp_path / "tied", PLAIN, TIED)
    won = bench("export", "won/made.yaml", "--store", "won/runs", "--format", "latex")[1]
    assert re.findall(r"\\textbf\{\\benchnum\{\w+/(\w+)-\w+/miou/best\}", won) == ["ours"]
    assert r"\underline" not in won and "Bold: significantly better" in won and "Underlined" not in won
    tied = bench("export", "tied/made.yaml", "--store", "tied/runs", "--format", "latex")[1]
    assert sorted(re.findall(r"\\underline\{\\benchnum\{\w+/(\w+)-\w+/miou/tied\}", tied)) == ["ours", "twin"]
    assert r"\textbf" not in tied and "Underlined: the highest score" in tied and "Bold" not in tied


def _rows(path: Path, store: Store) -> list[Row]:
    from bench.expand import expand
    from bench.suite import load_suite

    return rank(collect(survey(expand(load_suite(path)), path.parent, store).cells, store), store)


def test_a_selection_keeps_the_intervals_of_the_leaderboard_and_is_ranked_anew(tmp_path: Path) -> None:
    rows = _rows(*made(tmp_path, PLAIN, WON))
    assert [row.rank for row in rows] == [1, 2, 3]
    shown = chosen_rows(rows, Layout(rows=("poor", "twin")))
    weighed = weigh(rows, shown, ["miou", "boundary_iou"])
    assert [(row.cells[0].model_label, row.rank) for row in weighed.rows] == [("poor", 2), ("twin", 1)]
    assert [row.intervals["miou"] for row in weighed.rows] == [row.intervals["miou"] for row in shown]
    assert weighed.marks == {(1, "miou"): "best", (1, "boundary_iou"): "best"}
    assert weigh(rows, shown[:1], ["miou"]).marks == {}  # alone, nothing is the best
    assert weigh(rows, rows, ["miou"]).rows == [*rows]


def test_a_best_row_must_beat_every_other(tmp_path: Path) -> None:
    """Significantly better than the third, and not told apart from the second: no row is bold."""
    cells, store = suite(tmp_path, "matrix: {dataset: phantom, model: [fcn], model.stride: [8, 16, 32]}\n")
    truth = np.full((12, 2), 100)
    for cell, shares in zip(cells, (0.80, 0.79, 0.2), strict=True):
        chance = np.random.default_rng(cell.model.stride)
        put(store, cell, confusions(truth, np.clip(chance.normal(shares, 0.1, 12), 0, 1), chance), stride=cell.model.stride)
    rows = rank(collect(cells, store), store)
    assert set(weigh(rows, rows, ["miou"]).marks) == {(0, "miou"), (1, "miou")}
    assert set(weigh(rows, rows, ["miou"]).marks.values()) == {"tied"}


def test_failed_cells_have_footnotes_and_no_number(bench: Call, tmp_path: Path) -> None:
    _, store = made(tmp_path, PLAIN, {"ours": 0.9, "twin": "oom", "poor": 0.5})
    poor = [cell for cell in _rows(tmp_path / "made.yaml", store)[1].cells if cell.seed == 1]
    (store.folder(poor[0].id) / "result.json").unlink()
    out = bench("export", "made.yaml", "--format", "latex")[1]
    assert r"{--}\textsuperscript{b}" in out and r"\textsuperscript{b}\,Of 2 seeds 2 out of memory" in out
    assert r"\textsuperscript{a}\,Of 2 seeds 1 not run; mean over the other 1." in out
    assert not re.search(r"twin-\w+/miou\}\{\d", out) and "status" not in out.lower().replace(r"\label", "")


def test_layout_options_say_what_a_table_shows(bench: Call, tmp_path: Path) -> None:
    made(tmp_path, PLAIN, WON)
    export = ("export", "made.yaml", "--format")
    latex = bench(
        *export, "latex", "--rows", "poor,ours", "--columns", "model,miou,latency_ms", "--interval", "range", "--no-percent"
    )[1]
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0]
    assert body.index("poor") < body.index("ours") and "twin" not in body
    assert re.search(r"/miou/best\}\{0\.\d{3}\}\} \(\\benchnum\{[^}]*/low\}\{0\.\d{3}\}, \\benchnum", body)
    assert "Latency ms" in latex and r"mIoU \\" not in latex and r"mIoU \%" not in latex
    grouped = bench(*export, "md", "--group-by", "model", "--interval", "pm")[1].splitlines()
    assert grouped[0].startswith("| # | Stride | mIoU % |") and grouped[2].startswith("| Model: ours |") and " ± " in grouped[3]
    table = json.loads(bench(*export, "json", "--columns", "model,miou", "--rows", "twin")[1])
    assert [list(each) for each in table] == [["model", "miou", "miou_low", "miou_high"]] and table[0]["miou"] < 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "latx"], "Did you mean 'latex'?"),
        (["--format", "latex", "--rows", "ours,ours"], "--rows ours,ours: ours is given twice"),
        (["--format", "csv", "--columns", ","], "--columns ',': names nothing"),
        (["--format", "latex", "--rows", "our"], "no row 'our'. Did you mean 'ours'?"),
        (["--format", "latex", "--columns", "model,mio"], "--columns mio: unknown. Did you mean 'miou'?"),
        (["--format", "latex", "--group-by", "seed"], "--group-by seed: unknown"),
        (["--format", "latex", "--interval", "sd"], "--interval sd: unknown. It is one of range, pm, none"),
        (["--format", "csv", "--no-percent"], "no effect with --format csv: scores there are in [0, 1]"),
        (["--format", "md", "--by", "class", "--columns", "model"], "no effect with --by"),
        (["--format", "md", "--width-mm", "80"], "It is for pdf, svg"),
        (["--format", "html", "--by", "class"], "--by has no effect with --format html"),
        (["--format", "pdf"], "--out FOLDER"),
        (["--format", "pdf", "--out", "x", "--figure", "strid"], "--figure strid: unknown. Did you mean 'stride'?"),
        (["--format", "pdf", "--out", "x", "--font", "STIXGenera"], "Did you mean 'STIXGeneral'"),
        (["--format", "pdf", "--out", "x", "--width-mm", "1"], "expected 20 to 1000"),
        (["--format", "latex", "--columns", "model", "--group-by", "model"], "leaves no column"),
    ],
)  # fmt: skip
def test_mistakes_are_told(bench: Call, tmp_path: Path, arguments: list[str], expected: str) -> None:
    made(tmp_path, PLAIN, WON)
    code, out, err = bench("export", "made.yaml", *arguments)
    assert code == 2 and expected in err and not out and not (tmp_path / "x").exists()


def test_provenance_is_a_hash_of_results_and_options(tmp_path: Path) -> None:
    path, store = made(tmp_path / "a", PLAIN, WON)
    rows = _rows(path, store)
    first = provenance(rows, store, {"percent": True})
    other = made(tmp_path / "b", PLAIN, WON)
    assert first == provenance(_rows(*other), other[1], {"percent": True}) and re.fullmatch("[0-9a-f]{12}", first)
    assert first != provenance(rows, store, {"percent": False})
    file = store.folder(rows[0].cells[0].id) / "result.json"
    file.write_bytes(file.read_bytes() + b" ")
    assert first != provenance(rows, store, {"percent": True})


@pytest.fixture
def paper(bench: Call, tmp_path: Path) -> Path:
    """A paper with an exported table in it."""
    made(tmp_path, PLAIN, WON)
    assert bench("export", "made.yaml", "--format", "latex", "--interval", "range", "--out", "table.tex")[0] == 0
    path = tmp_path / "paper.tex"
    path.write_text(DOCUMENT % (tmp_path / "table.tex").read_text(encoding="utf-8"), encoding="utf-8")
    return path


DOCUMENT = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\nBefore 1 \\& 2.\n%s\nAfter.\n\\end{document}\n"


def edited(paper: Path, change: Callable[[str], str]) -> int:
    text = paper.read_text(encoding="utf-8")
    assert change(text) != text
    paper.write_text(change(text), encoding="utf-8")
    return text.count("\n")


def test_an_untouched_table_agrees(bench: Call, paper: Path) -> None:
    code, out, err = bench("verify-table", paper, "--suite", "made.yaml")
    keys = len(re.findall(KEY, paper.read_text()))
    assert code == 0 and not out and f"{keys} numbers and names agree, 0 findings" in err


REFORMATTED = {
    "spacing": lambda text: text.replace("\n  & ", "&   \t"),
    "slanted": lambda text: re.sub(r"\}\{(\d+\.\d)\}", r"}{\\textit{\1}}", text),
    "heads and names of one's own": lambda text: re.sub(r"(\{)\w+/head/miou(\}\{)mIoU", r"\1-\2Quality", text).replace(
        re.search(r"\w+/ours-\w+/model\}\{ours", text)[0], r"-}{\textsc{Ours}~\cite{us}"
    ),
    "a name in small capitals": lambda text: text.replace("/model}{ours}", r"/model}{\textsc{ours}}~\cite[p. 3]{us}"),
    "a caption of one's own": lambda text: re.sub(r"\\caption\{.*", r"\\caption{\\benchnum{-}{All is well.} Of 7 models.}", text),
    "more said in the caption": lambda text: text.replace("A made suite.", "Our best models. See the text."),
    "line breaks": lambda text: text.replace(r"\benchnum{", "\\benchnum\n  {"),
    "a decimal comma": lambda text: re.sub(r"\}\{(\d+)\.(\d)\}", r"}{\1{,}\2}", text),
    "fewer digits, in red": lambda text: re.sub(r"\}\{(\d+\.[0-46-9])\}", _rounded, text),
    "a row less": lambda text: _without(text, "twin"),
    "a comment wrapped by the editor": lambda text: text.replace('", "', '",\n%   "'),
    "a number in the text": lambda text: text.replace("Before 1", re.search(r"\\benchnum\{[^}]*/best\}\{[\d.]+\}", text)[0]),
    "a row of one's own": lambda text: text.replace("\\midrule", "\\midrule\\cmidrule(lr){2-3}\\addlinespace[2pt]" + OWN),
    "a row commented out": lambda text: text.replace("\\midrule", "\\midrule\n% Old & 99.9 & \\benchnum{a/b/c}{1} \\\\"),
}
OWN = r"By hand & \benchnum{-}{61.7} \\[2pt]"


def _rounded(match: re.Match[str]) -> str:
    return rf"}}{{\textcolor[rgb]{{1,0,0}}{{{float(match[1]):.0f}}}}}"


@pytest.mark.parametrize("change", REFORMATTED.values(), ids=REFORMATTED)
def test_reformatting_changes_nothing(bench: Call, paper: Path, change: Callable[[str], str]) -> None:
    edited(paper, change)
    code, out, _ = bench("verify-table", paper, "--suite", "made.yaml")
    assert code == 0, out


def _without(text: str, row: str) -> str:
    start = text.index(r"\benchnum{" + re.search(rf"\w+/{row}-\w+/model", text)[0])
    return text[:start] + text[text.index(r"\\", start) + 3 :]


def test_tables_of_parts_are_checked_as_well(bench: Call, tmp_path: Path) -> None:
    made(tmp_path, PLAIN, WON)
    assert bench("export", "made.yaml", "--format", "latex", "--by", "convention", "--out", "by.tex")[0] == 0
    text = (tmp_path / "by.tex").read_text()
    code, out, err = bench("verify-table", "by.tex", "--suite", "made.yaml")
    assert code == 0 and f"{len(re.findall(KEY, text))} numbers and names agree" in err, out
    cell = re.search(r"\\benchnum\{[^}]*\}\{(\d+\.\d)\}", text)
    (tmp_path / "by.tex").write_text(text.replace(cell[0], cell[0].replace(cell[1], "0.1")))
    code, out, _ = bench("verify-table", "by.tex", "--suite", "made.yaml")
    assert code == 1 and f"ours of fcn: 0.1 here, {cell[1]} in the store" in out


def test_moved_columns_are_followed(bench: Call, paper: Path) -> None:
    def move(text: str) -> str:
        before, head, body, tail = re.split(r"\\toprule\n|\\midrule\n|\\bottomrule", text)
        turned = [
            "\\\\\n".join("&".join(reversed(row.split(" &"))) for row in each.split(r"\\")[:-1]) + "\\\\\n" for each in (head, body)
        ]
        return before + "\\toprule\n" + "\\midrule\n".join(turned) + "\\bottomrule" + tail

    edited(paper, move)
    assert bench("verify-table", paper, "--suite", "made.yaml")[0] == 0


def test_what_no_longer_agrees_is_told_with_its_line(bench: Call, paper: Path) -> None:
    text = paper.read_text()
    mine = re.search(r"\\benchnum\{[^}]*/poor-\w+/miou\}\{([\d.]+)\}", text)
    line = text.count("\n", 0, mine.start()) + 1
    edited(paper, lambda text: text.replace(mine[0], mine[0].replace(mine[1], "99.9")))
    code, out, _ = bench("verify-table", paper, "--suite", "made.yaml")
    assert code == 1 and out == f"{paper}:{line}: mIoU of poor: 99.9 here, {mine[1]} in the store\n"
    found = json.loads(bench("verify-table", paper, "--suite", "made.yaml", "--json")[1])
    assert [(each["line"], each["paper"]) for each in found] == [(line, "99.9")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: re.sub(r"\\benchnum\{[^}]*poor-\w+/miou\}\{([\d.]+)\}", r"\1", text), "without a key"),
        (lambda text: re.sub(r"% bench-table.*\n", "", text), "without the comment `bench-table` of its table"),
        (lambda text: text.replace("/poor-", "/pore-"), "a row that the table does not have any more"),
        (lambda text: text.replace("/images_per_s}", "/latency_ms}"), "do not have any more"),
        (lambda text: text.replace("{100.2}", "{n/a}", 1), "n/a here, 100.2 in the store"),
    ],
    ids=["key lost", "header lost", "row gone", "column gone", "no number"],
)  # fmt: skip
def test_what_cannot_be_checked_is_a_finding(bench: Call, paper: Path, change: Callable[[str], str], told: str) -> None:
    edited(paper, change)
    code, out, _ = bench("verify-table", paper, "--suite", "made.yaml")
    assert code == 1 and told in out


def test_a_row_that_left_the_suite_stops_nothing(bench: Call, tmp_path: Path) -> None:
    suite_file, _ = made(tmp_path, PLAIN, WON)
    assert bench("export", "made.yaml", "--format", "latex", "--rows", "ours,poor", "--out", "t.tex")[0] == 0
    suite_file.write_text(suite_file.read_text().replace('"model": ["ours", "twin", "poor"]', '"model": ["ours", "twin"]'))
    code, out, _ = bench("verify-table", "t.tex", "--suite", "made.yaml")
    assert code == 1 and re.search(r"mIoU of poor-\w+: [\d.]+ here, a row that the table does not have any more", out)
    assert "best here, neither now" in out and not re.search(r": mIoU of ours: [\d.]+ here", out)  # alone, it is best of none


def test_new_results_are_found_out(bench: Call, paper: Path, tmp_path: Path) -> None:
    """The second model catches up: its number moved, the first is not the best any more, and the table has other results."""
    shutil.rmtree(tmp_path / "runs")
    made(tmp_path, PLAIN, TIED)
    code, out, _ = bench("verify-table", paper, "--suite", "made.yaml")
    assert code == 1
    assert "provenance" in out and re.search(r"mIoU of twin: [\d.]+ here, [\d.]+ in the store", out)
    assert "mIoU of ours: exported as significantly the best here, not told apart from the best now" in out
    assert "mIoU of poor" not in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing.tex"], "nothing.tex: cannot be read: No such file"),
        (["made.yaml"], "no table that `bench export --format latex` wrote"),
        (["paper.tex", "--set", "title=x"], "was exported with no --set"),
        (["broken.tex"], "broken.tex:1: the comment `bench-table` cannot be read"),
        (["other.tex"], "the tables are of other, not of made"),
        (["wrong.tex"], "the comment `bench-table` of a table cannot be read"),
        (["/dev/zero"], "so no LaTeX file"),
    ],
)  # fmt: skip
def test_what_is_no_exported_table_is_refused(bench: Call, paper: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "broken.tex").write_text('% bench-table {"version"\n')
    (tmp_path / "other.tex").write_text(paper.read_text().replace('"suite": "made"', '"suite": "other"'))
    (tmp_path / "wrong.tex").write_text(paper.read_text().replace('"settings": []', '"settings": 5'))
    code, out, err = bench("verify-table", *arguments, "--suite", "made.yaml")
    assert code == 2 and told in err and not out


@pytest.mark.parametrize(
    ("shown", "readings"),
    [
        ("61.5", ["61.5"]), (r"\textbf{61.5}", ["61.5"]), ("61{,}5", ["615", "61.5"]), ("1,234.5", ["1234.5"]), (".615", [".615"]),
        (r"\textcolor[rgb]{1,0,0}{61}", ["61"]), (r"$61.5$", ["61.5"]), ("--", []), ("120", ["120"]),
        ("-61.5", []), ("−61.5", []), ("99/61.5", []), (r"61.5\,\%", ["61.5"]), (r"\num[round-mode=none]{61.5}", ["61.5"]),
    ],
)  # fmt: skip
def test_readings_by_hand(shown: str, readings: list[str]) -> None:
    assert Found(1, "", shown).readings == readings


def test_a_deep_file_is_read_in_time() -> None:
    found = scan("x", "\\benchnum{" * 2000 + "}" * 2000 + "\\benchnum{a}{1}" * 2000)
    assert len(found.found) >= 2000


def test_a_table_compiles_and_says_what_it_should(bench: Call, tmp_path: Path) -> None:
    """Hostile names and a hostile cause, twice: each letter is shown, none is a command."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    _, store = made(tmp_path, HOSTILE, {"ours": 0.9, "twin": 0.9, "poor": 0.5}, title="".join(map(chr, range(32, 127))))
    failed = next(cell for cell in _rows(tmp_path / "made.yaml", store)[2].cells if cell.seed == 1)
    (store.folder(failed.id) / "result.json").unlink()
    reason = {"cell_id": failed.id, "cause": r"\evil{ & %", "message": "x", "finished": "2026-01-01"}
    write_json(store.folder(failed.id) / "failed.json", reason)
    for name, more in {"one": [], "two": ["--group-by", "model", "--interval", "range"], "three": ["--by", "class"]}.items():
        assert bench("export", "made.yaml", "--format", "latex", "--out", f"{name}.tex", *more)[0] == 0
    (tmp_path / "paper.tex").write_text(DOCUMENT % r"\input{one}\input{two}\input{three}")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Output written on paper.pdf" in done.stdout and "undefined" not in done.stdout.lower()
    assert bench("verify-table", "one.tex", "two.tex", "three.tex", "--suite", "made.yaml")[0] == 0


def test_names_with_a_comma_are_left_whole(tmp_path: Path) -> None:
    from bench.layout import split_names

    rows = _rows(*made(tmp_path, {**PLAIN, "ours": "a, b"}, WON))
    assert split_names(["a, b", "twin,poor"], rows) == ("a, b", "twin", "poor")
    with pytest.raises(BenchError, match="no row 'a'"):
        chosen_rows(rows, Layout(rows=("a",)))


def test_the_default_table_fits_the_text_of_an_article(repository: Path, tmp_path: Path) -> None:
    """The published suites at 10 pt on the class's own paper: no box is wider than the text."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    for suite_name in ("quickstart", "camvid_small"):
        store = Store(repository / "reports" / suite_name / "store")
        options = {"suite": suite_name, "metric": "miou", "convention": "fcn", "settings": []}
        shown = sheet(ranked(store, suite_name)[0], store, suite_name, Layout(interval="pm"), options)
        (tmp_path / f"{suite_name}.tex").write_text(latex(shown, "bench export", "0.1.0"), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(DOCUMENT % r"\input{quickstart}\input{camvid_small}")
    line = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0 and "Output written" in done.stdout
    assert not re.findall(r"Overfull \\hbox \((?:[1-9]|\d\d+)\.\d+pt", done.stdout), done.stdout[-1500:]


def test_a_hash_is_that_of_the_rows_shown_however_they_are_named(tmp_path: Path) -> None:
    path, store = made(tmp_path, PLAIN, WON)
    rows, options = _rows(path, store), {"suite": "made", "metric": "miou", "convention": "fcn", "settings": []}

    def hashed(*names: str) -> tuple[str, str]:
        shown = sheet(rows, store, "Made", Layout(rows=names), options)
        return shown.provenance, shown.tag

    assert hashed() == hashed("ours", "twin", "poor") == hashed("model=ours", "twin", "poor")
    assert hashed("twin", "poor") == hashed("model=twin", "model=poor")
    assert len({hashed(), hashed("twin", "poor"), hashed("poor", "twin"), hashed("twin")}) == 4

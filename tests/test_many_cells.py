"""Large suites: what the commands read, and that the quick ways say to the bit what the plain ones would."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench import kept, npz
from bench.cli import results
from bench.cli.app import app
from bench.errors import BenchError
from bench.expand import expand
from bench.metrics.dialects import DIALECTS
from bench.per_image import read_arrays
from bench.statistics import Samples, class_ratios, holm, leader_p, paired_p, ranks
from bench.suite import load_suite
from tests.faults.many_cells import SUITE, build
from tests.faults.stores import environment

CELLS = 400


def work(repository: Path, suite: Path, command: str) -> dict[str, int]:
    """What a command does to the store beside a suite."""
    arguments = [sys.executable, "-m", "tests.faults.work", command, str(suite), "--store", str(suite.parent / "runs")]
    done = subprocess.run(arguments, cwd=repository, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


@pytest.mark.slow
def test_work_grows_with_the_cells_and_never_faster(tmp_path: Path, repository: Path) -> None:
    suite = build(tmp_path, CELLS)
    for command in ("plan", "status"):
        counted = work(repository, suite, command)
        # Each cell: its result looked at, and one part of its id hashed. Each distinct block: validated once.
        assert counted.pop("validated") == 4 + 1 + 2 + 1 + 1 + 1
        assert CELLS <= counted.pop("hashed") <= CELLS + 20
        assert counted == {"result.json": CELLS, "per_image.npz": CELLS}  # the end of each
    first, again = (work(repository, suite, "leaderboard") for _ in range(2))
    assert (first["result.json"], first["per_image.npz"]) == (CELLS, CELLS)
    assert not {"result.json", "per_image.npz", "cell.json"} & set(again)


def test_the_end_of_a_large_run_leaves_the_leaderboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MANY_CELLS", 1)
    monkeypatch.setattr(kept, "WORTH_S", 0.0)
    suite = build(tmp_path, 400)
    place = ["--store", str(tmp_path / "runs")]
    assert CliRunner().invoke(app, ["run", str(suite), "--tracking", "off", *place]).exit_code == 0
    monkeypatch.setattr(results, "rank", lambda *_, **__: pytest.fail("made anew"))
    done = CliRunner().invoke(app, ["leaderboard", str(suite), "--json", *place])
    assert done.exit_code == 0 and len(json.loads(done.stdout)) == 40


def test_a_product_that_nobody_could_run_is_refused_before_it_is_written_out(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SUITE.format(rates=[0.001 * place for place in range(1, 101)]) + "include: [{seed: [10, 11, 12]}]\n")
    with pytest.raises(BenchError) as caught:
        expand(load_suite(path))
    lengths = "2 augmentation x 5 fraction x 3 seed x 4 model x 100 train.lr"
    assert str(caught.value).startswith(f"{path}:19: 52000 combinations of axes, {lengths} among them; 50000 are the most")


def test_scores_of_many_cells_at_once_are_those_of_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for images, classes in ((1, 2), (12, 6), (60, 11), (133, 21)):
        sets = rng.integers(0, 9000, (5, images, 3, classes)) * rng.integers(0, 2, (5, images, 1, classes))
        sets[..., 1:, :] += sets[..., :1, :]
        for name, dialect in DIALECTS.items():
            each = [dialect.of(one) for one in sets.astype(float)]
            np.testing.assert_array_equal(dialect.of_each(sets.astype(float)), each, err_msg=f"{name} of {sets.shape}")


def test_class_ratios_with_and_without_absent_classes() -> None:
    rng = np.random.default_rng(0)
    for absent in (False, True):
        part, whole = rng.integers(0, 50, (40, 3, 11)), rng.integers(50, 99, (40, 3, 11))
        whole[::2, :, 3:5] *= 1 - absent
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.nanmean(np.where(whole > 0, part / whole, np.nan), -1)
        np.testing.assert_allclose(class_ratios(np.stack([part, whole], -2).astype(float)), expected, rtol=1e-14)


def test_ranks_of_many_rows_follow_their_definition() -> None:
    rng = np.random.default_rng(0)
    for rows in (2, 40, 70):  # of 70 with 2,000 draws the best cannot be told from all that follow, and only the last can
        scores = np.sort(rng.uniform(0.3, 0.8, rows))[::-1]
        values = scores[:, None] + rng.normal(0, 0.01, (rows, 2000))
        values[rows // 2, ::40] = np.nan
        samples = Samples(values, values, scores, (1,) * rows, 9, ("",) * rows, (0.0,) * rows)
        better = np.zeros(rows, int)
        for row in range(rows):
            adjusted = holm([paired_p(values[row], values[other]) for other in range(row + 1, rows)])
            better[row + 1 :] += adjusted <= 0.05
        assert ranks(samples).tolist() == (better + 1).tolist() and better.any()
        assert leader_p(samples)[1:].tolist() == holm([paired_p(values[0], values[other]) for other in range(1, rows)]).tolist()


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    made = {
        "ids": np.array(["a", "bä"]),
        "counts": np.arange(12, dtype=np.int32).reshape(2, 2, 3),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "seconds": np.array(1.5),
        "none": np.zeros((0, 4), np.uint8),
    }
    np.savez_compressed(path, **made)  # type: ignore[arg-type]
    for name, array in read_arrays(path, made).items():
        assert array.dtype == made[name].dtype and array.shape == made[name].shape and (array == made[name]).all()
    whole = path.read_bytes()
    for place in range(40, len(whole) - 30, 7):  # one bit that flipped: told of, or in what was not asked for
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with suppress(BenchError):
            assert (read_arrays(path, ["counts"])["counts"] == made["counts"]).all()
    monkeypatch.setattr(npz, "SMALL_BYTES", 0)  # zipfile's way, which larger files go
    path.write_bytes(whole)
    assert (read_arrays(path, ["counts"])["counts"] == made["counts"]).all()
    monkeypatch.undo()
    np.savez(path, objects=np.array([{}], dtype=object))
    with pytest.raises(BenchError, match="never loaded"):
        read_arrays(path, ["objects"])
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole.replace(b"\x93NUMPY\x01", b"\x93NUMPX\x01")):
        path.write_bytes(content)
        with pytest.raises(BenchError, match="cannot be read"):
            read_arrays(path, ["objects"])

"""`bench score`: label maps that others predicted, from each defect a file can have to the tables they are shown in."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.cell import cell_from_json
from bench.cli.app import app
from bench.contest import contest_from_json, contest_on
from bench.data import DATASETS, phantom
from bench.data.decode import label_of
from bench.data.layouts import voc
from bench.data.samples import list_samples
from bench.errors import BenchError
from bench.expand import expand
from bench.plan import seen
from bench.specs import DatasetSpec, PhantomSpec
from bench.store import Store, read_json
from bench.suite import load_suite

CAMVID = DATASETS["camvid"]
NAMES = ("b", "a", "c")
VOID = 11


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Three CamVid labels of 8x10 in the split `test`, void in a corner, without photographs; the working folder is theirs."""
    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(0)
    made = {name: chance.integers(0, 11, (8, 10), dtype=np.uint8) for name in NAMES}
    for name, label in made.items():
        label[:2, :3] = VOID
        write(tmp_path / "data/CamVid/testannot" / f"{name}.png", label)
    lines = [f"/SegNet/CamVid/test/{name}.png /SegNet/CamVid/testannot/{name}.png\n" for name in NAMES]
    (tmp_path / "data/CamVid/test.txt").write_text("".join(lines))
    return made


def write(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def predict(folder: str, labels: dict[str, np.ndarray], change: Callable[[np.ndarray], np.ndarray] = lambda ids: ids) -> Path:
    """The truth, 0 under void, as somebody's prediction."""
    for name, label in labels.items():
        write(Path(folder) / f"{name}.png", change(np.where(label == VOID, np.uint8(0), label)))
    return Path(folder)


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Standard output and error of a command."""
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(done.exception, BenchError):
        assert code == 2, done.exception
        return "", str(done.exception)
    assert done.exit_code == code, f"{done.exit_code}\n{done.output}\n{done.exception!r}"
    return done.stdout, done.stderr


def scored(*arguments: object, code: int = 0) -> list[dict]:
    return list(json.loads(call("score", *arguments, "--json", code=code)[0]))


def entered() -> list[str]:
    return sorted(read_json(path)["name"] for path in Path("runs").glob("external/*.json"))


def test_counts_and_scores_by_hand(labels: dict[str, np.ndarray]) -> None:
    label = np.zeros((8, 8), np.uint8)
    label[:, 4:], label[0] = 1, VOID
    for name in NAMES:
        write(Path(f"data/CamVid/testannot/{name}.png"), label)
    guess = np.zeros((8, 8), np.uint8)
    guess[:, 3:], guess[1, 7] = 1, 2  # one column too early, and one pixel of a third class
    (row,) = scored("camvid", "--predictions", predict("model x", dict.fromkeys(NAMES, guess)), "--stride", 8)
    with np.load(Store(Path("runs")).folder(row["cells"][0]) / "per_image.npz", allow_pickle=False) as saved:
        counts, ids = saved["counts"], saved["ids"]
    expected = np.zeros((11, 11), int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[1, 2] = 21, 7, 27, 1
    assert ids.tolist() == list(NAMES) and (counts == expected).all()
    assert row["miou"] == pytest.approx((21 / 28 + 27 / 35 + 0) / 3) and row["pixel_accuracy"] == pytest.approx(48 / 56)
    assert (row["model"], row["external"], row["output_stride"], row["rank"]) == ("model x", True, 8, 1)
    unknown = ("augmentation", "fraction", "seeds", "train_images", "parameters", "images_per_s")
    assert all(row[key] is None for key in unknown)


def paletted(palette: list[int]) -> Callable[[Path, np.ndarray], None]:
    def save(path: Path, ids: np.ndarray) -> None:
        picture = Image.fromarray(ids)
        picture.putpalette(palette)
        picture.save(path)

    return save


COLOURS = np.array(CAMVID.palette, np.uint8)
OPAQUE = np.full((8, 10, 1), 255, np.uint8)
ENCODINGS: dict[str, Callable[[Path, np.ndarray], object]] = {
    "grey": lambda path, ids: write(path, ids),
    "16 bits": lambda path, ids: write(path, ids.astype(np.uint16)),
    "grey and alpha": lambda path, ids: write(path, np.concatenate([ids[..., None], OPAQUE], axis=2)),
    "colours": lambda path, ids: write(path, COLOURS[ids]),
    "colours and alpha": lambda path, ids: write(path, np.concatenate([COLOURS[ids], OPAQUE], axis=2)),
    "indices with the set's palette": paletted(COLOURS.ravel().tolist()),
    "indices with some palette": paletted([255 - value // 3 for value in range(768)]),
    "indices with an image library's grey palette": paletted([value // 3 for value in range(768)]),
}


def test_every_encoding_of_the_same_ids_is_the_same_model(labels: dict[str, np.ndarray]) -> None:
    for encoding, save in ENCODINGS.items():
        for name, ids in labels.items():
            path = Path("models", encoding, f"{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, np.where(ids == VOID, np.uint8(0), ids))
    rows = scored("camvid", "--predictions", "models")
    assert {row["model"] for row in rows} == set(ENCODINGS)
    assert len({row["cells"][0] for row in rows}) == 1 and {row["miou"] for row in rows} == {1.0} == {
        row["boundary_iou"] for row in rows
    }


@pytest.mark.parametrize("under_void", [VOID, 255, 10])
def test_what_is_predicted_under_void_changes_no_score(labels: dict[str, np.ndarray], under_void: int) -> None:
    for name, label in labels.items():
        write(Path("model", f"{name}.png"), np.where(label == VOID, np.uint8(under_void), label))
    (row,) = scored("camvid", "--predictions", "model")
    assert all(row[metric] == 1.0 for metric in ("miou", "boundary_iou", "fwiou", "pixel_accuracy", "mean_accuracy"))


A = Path("model/a.png")


def at(value: object) -> Callable[[], object]:
    """One labelled pixel of one file is something else."""

    def damage() -> None:
        ids = np.array(Image.open(A))
        if isinstance(value, tuple):
            ids = COLOURS[ids]
        elif isinstance(value, int) and value > 255:
            ids = ids.astype(np.uint16)
        ids[5, 5] = value
        write(A, ids)

    return damage


def as_jpeg() -> None:
    Image.open(A).save("model/a.jpg")
    A.rename("elsewhere.png")


def permuted() -> None:
    palette = COLOURS[[1, 0, *range(2, 11)]].ravel().tolist()
    paletted(palette)(A, np.array(Image.open(A)))


def reshaped(*shape: int) -> Callable[[], object]:
    return lambda: write(A, np.zeros(shape, np.uint8))


def half_transparent() -> None:
    colours = np.concatenate([COLOURS[np.array(Image.open(A))], OPAQUE], axis=2)
    colours[0, 0, 3] = 7
    write(A, colours)


DEFECTS: dict[str, tuple[Callable[[], object], str]] = {
    "absent": (A.unlink, "missing"),
    "another name": (lambda: A.rename("model/a_pred.png"), "missing; a_pred.png is there: if all names end so, say --suffix _pred"),
    "another format": (as_jpeg, "missing; a.jpg is there, and predictions are PNGs"),
    "another format under a PNG's name": (lambda: Image.open(A).save(A, format="JPEG"), "is a JPEG under a PNG's name"),
    "cut off": (lambda: A.write_bytes(A.read_bytes()[:60]), "cannot be read as an image"),
    "empty": (lambda: A.write_bytes(b""), "cannot be read as an image"),
    "too small": (reshaped(4, 5), "is 4x5 (height x width), its label 8x10."),
    "turned": (reshaped(10, 8), "Height and width are swapped."),
    "255": (at(255), "id 255 on 1 of 74 labelled pixels: no class, they are 0 to 10. A prediction names a class wherever"),
    "the set's void": (at(VOID), "whose truth is void. Or do the ids begin at 1?"),
    "original ids": (
        at(26),
        "id 26 on 1 of 74 labelled pixels: no class, they are 0 to 10. Are these the data set's original ids?",
    ),
    "16 bits": (at(3000), "id 3000 on 1 of 74 labelled pixels"),
    "a blended colour": (at((64, 0, 127)), "colour (64, 0, 127) on 1 of 74 labelled pixels: no class. Colours must be exactly"),
    "ids in three channels": (
        at((3, 3, 3)),
        "colour (3, 3, 3) on 1 of 74 labelled pixels: no class. Are these ids in three channels?",
    ),
    "one bit a pixel": (lambda: Image.open(A).convert("1").save(A), "has 1 bit a pixel, which tells 2 of 11 classes apart"),
    "transparency": (half_transparent, "is partly transparent"),
    "a sorted palette": (permuted, "its palette gives index 0 the colour of class 1 (Building)"),
}


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_is_told_and_nothing_is_written(labels: dict[str, np.ndarray], kind: str) -> None:
    predict("model", labels)
    damage, reason = DEFECTS[kind]
    damage()
    (row,) = scored("camvid", "--predictions", "model", code=1)
    told = {defect["file"]: defect["reason"] for defect in row["defects"]}
    assert reason in told["a.png"] and row["status"] == "defects" and "miou" not in row
    assert told.keys() == {"a.png", "a_pred.png"} if kind == "another name" else told.keys() == {"a.png"}
    assert f"model: a.png: {told['a.png']}" in call("score", "camvid", "--predictions", "model", code=1)[1]
    assert not entered() and not list(Path("runs").glob("cells/*"))


def test_all_defects_are_counted_and_twenty_are_printed(labels: dict[str, np.ndarray]) -> None:
    predict("model", labels, lambda ids: ids[:4])
    for number in range(30):
        write(Path(f"model/of/{number}.png"), np.zeros((1, 1), np.uint8))
    words = call("score", "camvid", "--predictions", "model", code=1)[1].splitlines()
    assert len(words) == 21 and words[-1] == "model: not entered, 33 defects, the first 20 of them above, all with --json"
    assert len(scored("camvid", "--predictions", "model", code=1)[0]["defects"]) == 33


def test_masks_of_two_values_and_ids_from_one_are_recognised(labels: dict[str, np.ndarray]) -> None:
    from dataclasses import replace

    from bench.data.submitted import Defective, checked

    label, two = np.array([[0, 1]], np.uint8), replace(CAMVID, class_names=("a", "b"), palette=((1, 1, 1), (2, 2, 2)))
    with pytest.raises(Defective, match="Is this a mask of 0 and 255"):
        checked(write(Path("m.png"), label * 255), label, two)
    with pytest.raises(Defective, match="Do the ids begin at 1"):
        checked(write(Path("m.png"), label + 1), label, two)
    assert (checked(write(Path("m.png"), label.astype(bool)), label, two) == label).all(), "one bit a pixel"


def test_names_may_end_alike(labels: dict[str, np.ndarray]) -> None:
    for path in predict("model", labels).iterdir():
        path.rename(path.with_stem(f"{path.stem}_leftImg8bit"))
    (row,) = scored("camvid", "--predictions", "model", "--suffix", "_leftImg8bit", "--name", "Model X")
    assert (row["model"], row["miou"]) == ("Model X", 1.0)


def test_several_models_at_once(labels: dict[str, np.ndarray]) -> None:
    predict("models/right", labels)
    predict("models/wrong", labels, lambda ids: (ids + 1) % 11)
    predict("models/broken", labels, lambda ids: ids[:1])
    Path("models/notes").mkdir()
    (Path("models/notes") / "README").touch()
    rows = scored("camvid", "--predictions", "models", code=1)
    assert [(row["model"], row.get("miou")) for row in rows] == [("right", 1.0), ("wrong", 0.0), ("broken", None)]
    assert entered() == ["right", "wrong"]
    assert "leave --name out" in call("score", "camvid", "--predictions", "models", "--name", "x", code=2)[1]


def test_scoring_twice_changes_nothing_and_a_name_moves_on(labels: dict[str, np.ndarray]) -> None:
    folder = predict("model", labels)
    assert "M: scored" in call("score", "camvid", "--predictions", folder, "--name", "M")[1]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("runs").glob("cells/*/*")}
    assert "M: already scored" in call("score", "camvid", "--predictions", folder, "--name", "M")[1]
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("runs").glob("cells/*/*")}
    (first,) = {path.parent.name for path in before}
    predict("model", labels, lambda ids: (ids + 1) % 11)
    assert f"in place of {first}, which keeps its folder" in call("score", "camvid", "--predictions", folder, "--name", "M")[1]
    assert entered() == ["M"] and len(list(Path("runs").glob("cells/*/result.json"))) == 2
    (row,) = scored("camvid", "--predictions", folder, "--name", "M", "--stride", 4)
    assert row["output_stride"] == 4 and row["miou"] == 0.0
    Path("alone.yaml").write_text("dataset: {name: camvid}\n")
    (shown,) = json.loads(call("leaderboard", "alone.yaml", "--json")[0])
    assert shown["cells"] == row["cells"]
    cell = cell_from_json(read_json(Path("runs/cells") / row["cells"][0] / "cell.json"))
    assert cell.external and cell.train is None and cell.id == row["cells"][0] and cell_from_json(cell.to_json()) == cell


def test_photographs_change_nothing(tmp_path: Path) -> None:
    voc(tmp_path, 3, (32, 40), 0)
    contest, samples = seen(contest_on("voc2012"), tmp_path, Store(tmp_path / "runs"))
    assert contest.split == "val" and len(samples) == 3
    shutil.rmtree(tmp_path / "VOCdevkit/VOC2012/JPEGImages")
    again, _ = seen(contest_on("voc2012"), tmp_path, Store(tmp_path / "other"))
    assert again.terms == contest.terms and contest_from_json(contest.to_json()) == contest
    with pytest.raises(BenchError, match="JPEGImages"):
        list_samples(DATASETS["voc2012"], tmp_path, DatasetSpec(name="voc2012"), "val")
    path = samples[1].files[1]
    label = np.array(Image.open(path))
    label[0, 0] = 20 - label[0, 0] if label[0, 0] < 21 else 0
    write(path, label)
    assert seen(contest_on("voc2012"), tmp_path, Store(tmp_path / "runs"))[0].terms != contest.terms, "other labels"


def test_a_resized_set_is_scored_at_its_size(labels: dict[str, np.ndarray]) -> None:
    Path("half.yaml").write_text("name: half\ndataset: {name: camvid, resize: [4, 5]}\n")
    predict("model", labels)
    assert "its label 4x5" in scored("half.yaml", "--predictions", "model", code=1)[0]["defects"][0]["reason"]
    predict("model", labels, lambda ids: ids[1::2, 1::2])
    (row,) = scored("half.yaml", "--predictions", "model")
    assert (row["miou"], row["dataset"]) == (1.0, "half")
    Path("whole.yaml").write_text("dataset: {name: camvid}\n")
    assert "has no results" in call("leaderboard", "whole.yaml", code=2)[1], "another size is another contest"
    Path("wide.yaml").write_text("dataset: {name: camvid, resize: [4, 5]}\neval: {boundary_ratio: 0.1}\n")
    assert "has no results" in call("leaderboard", "wide.yaml", code=2)[1], "another width of the band is another contest"


def test_names_may_end_in_capitals(labels: dict[str, np.ndarray]) -> None:
    for path in predict("model", labels).iterdir():
        path.rename(path.with_suffix(".PNG"))
    assert scored("camvid", "--predictions", "model")[0]["miou"] == 1.0


def test_rules_can_be_set_and_models_under_other_rules_are_told_of(labels: dict[str, np.ndarray]) -> None:
    predict("model", labels, lambda ids: np.roll(ids, 1))
    Path("narrow.yaml").write_text("dataset: camvid\neval: {boundary_ratio: 0.3}\n")
    scored("narrow.yaml", "--predictions", "model", "--name", "by file")
    scored("camvid", "--predictions", "model", "--name", "by option", "--set", "eval.boundary_ratio=0.3")
    scored("camvid", "--predictions", "model", "--name", "usual")
    out, err = call("leaderboard", "narrow.yaml", "--json")
    assert [row["model"] for row in json.loads(out)] == ["by file", "by option"]
    assert "usual: scored on these labels by other rules" in err and "by option" not in err
    rows = json.loads(call("leaderboard", "narrow.yaml", "--set", "eval.boundary_ratio=0.02", "--json")[0])
    assert [row["model"] for row in rows] == ["usual"]
    wrong = call("score", "camvid", "--predictions", "model", "--set", "eval.batch=2", code=2)[1]
    assert "it sets eval.boundary_ratio alone" in wrong
    far = call("score", "camvid", "--predictions", "model", "--set", "eval.boundary_ratio=7", code=2)[1]
    assert "expected less than 0.5" in far


def test_damaged_files_of_external_models_are_named_and_mended(labels: dict[str, np.ndarray]) -> None:
    (row,) = scored("camvid", "--predictions", predict("model", labels), "--stride", 4)
    Path("x.yaml").write_text("dataset: camvid\n")
    sums = Path("runs/cells") / row["cells"][0] / "per_image.npz"
    for damage in (sums.unlink, lambda: sums.write_bytes(b"PK")):
        damage()
        assert "Score its predictions again: bench score" in call("leaderboard", "x.yaml", code=2)[1]
        assert scored("camvid", "--predictions", "model", "--stride", 4)[0]["miou"] == 1.0
    (note,) = Path("runs/ceilings/labels").glob("*.json")
    kept = note.read_bytes()
    for text in ("{}", "[]", "{"):
        note.write_text(text)
        scored("camvid", "--predictions", "model", "--stride", 2, "--name", f"other {text}")
        predict("model", labels, lambda ids: ids)
    note.write_text("{}")
    scored("camvid", "--predictions", predict("other", labels, lambda ids: (ids + 1) % 11), "--stride", 4)
    assert note.read_bytes() == kept
    (entry, *_) = Path("runs/external").glob("model-*.json")
    for text in ("", "{}"):
        entry.write_text(text)
        told = call("leaderboard", "x.yaml", code=2)[1]
        assert str(entry) in told and "Remove this file" in told
    scored("camvid", "--predictions", "model")
    assert call("leaderboard", "x.yaml")


def test_labels_of_a_folder_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    label = np.array([[0, 1, 7], [1, 1, 0]], np.uint8)
    for name in ("a", "b"):
        write(Path(f"data/masks/{name}.png"), label)
        write(Path(f"model/{name}.png"), np.where(label == 7, np.uint8(0), label))
    block = "classes: [ground, leaf], ignore: 7, labels: masks, splits: {test: 1.0}"
    Path("x.yaml").write_text(f"dataset: {{name: folder, {block}}}\n")
    Path("photos.yaml").write_text(f"dataset: {{name: folder, images: photos, {block}}}\n")
    for name in ("x.yaml", "photos.yaml"):
        assert [(row["miou"], row["external"]) for row in scored(name, "--predictions", "model")] == [(1.0, True)]
    for images in ("", "images: photos, "):
        train = "train: test, " if not images else ""
        fields = f"{{name: folder, {images}{train}{block}}}"
        Path("y.yaml").write_text(f"datasets: {{mine: {fields}}}\nmatrix: {{dataset: mine, model: unet}}\n")
        told = call("plan", "y.yaml", code=2)[1]
        assert ("images: missing." if not images else "splits: none is named 'train'") in told


def test_another_split_is_named_when_the_files_are_of_it(labels: dict[str, np.ndarray]) -> None:
    for name in NAMES:
        write(Path(f"data/CamVid/valannot/v{name}.png"), labels[name])
    Path("data/CamVid/val.txt").write_text("".join(f"x/v{name}.png y/v{name}.png\n" for name in NAMES))
    folder = predict("model", labels)
    words = call("score", "camvid", "--predictions", folder, "--split", "val", code=1)[1]
    assert "None of the files belongs to the split 'val', 3 to 'test': say --split test." in words
    for path in folder.iterdir():
        path.rename(path.with_name(f"v{path.name}"))
    words = call("score", "camvid", "--predictions", folder, "--split", "val")[1]
    assert "Scored on 'val': shown by suites that report it, with dataset.test: val." in words
    Path("val.yaml").write_text("dataset: {name: camvid, test: val}\n")
    assert "model †" in call("leaderboard", "val.yaml")[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["camvd", "--predictions", "m"], "neither a data set nor a suite: 'camvd'. Did you mean 'camvid'?"),
        (["camvid", "--predictions", "m"], "--predictions m: no such folder"),
        (["camvid", "--predictions", "data/CamVid/test.txt"], "is a file. Name a folder of PNGs"),
        (["camvid", "--predictions", "data/CamVid", "--name", "a\nb"], "a name that can be printed on one line"),
        (["camvid", "--predictions", ".", "--split", "tset"], "no split 'tset'. Did you mean 'test'?"),
        (["voc2012", "--predictions", "m"], "SegmentationClass"),
        (["camvid", "--predictions", "m", "--dataset", "x"], "camvid is a data set itself"),
        (["both.yaml", "--predictions", "m"], "Choose with --dataset: one, two."),
        (["both.yaml", "--predictions", "m", "--dataset", "tow"], "--dataset tow: not in both.yaml. Did you mean 'two'?"),
    ],
)
def test_bad_input_is_one_clear_error(labels: dict[str, np.ndarray], arguments: list[str], expected: str) -> None:
    Path("both.yaml").write_text("datasets: {one: {name: camvid}, two: {name: camvid, resize: [4, 5]}}\n")
    Path("data/VOCdevkit/VOC2012/ImageSets/Segmentation").mkdir(parents=True)
    (Path("data/VOCdevkit/VOC2012/ImageSets/Segmentation") / "val.txt").write_text("x\n")
    assert expected in call("score", *arguments, code=2)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataset: {name: camvid}\nmatrix: {dataset: camvid, model: fcn}\n", "`dataset:` is for a file without a matrix"),
        ("dataset: {name: camvid}\nmodels: {a: {name: fcn}}\n", "matrix: missing. Add `matrix:` here."),
        ("dataset: {name: camvd}\n", "x.yaml:1: unknown dataset 'camvd'. Did you mean 'camvid'?"),
        ("dataset: {name: camvid, resise: [4, 4]}\n", "x.yaml:1: dataset.resise: unknown key 'resise'. Did you mean 'resize'?"),
        (
            "name: x\ndataset: {name: camvid, test: tets}\n",
            "x.yaml:2: test: dataset camvid has no split 'tets'. Did you mean 'test'?",
        ),
        ("models: {a: {name: external}}\nmatrix: {dataset: camvid, model: a}\n", "`bench score` scores its predictions"),
    ],
)
def test_a_mistake_in_a_file_for_scoring_is_named(labels: dict[str, np.ndarray], text: str, expected: str) -> None:
    Path("x.yaml").write_text(text)
    assert expected in call("score", "x.yaml", "--predictions", "m", code=2)[1]


def test_a_file_without_a_matrix_trains_nothing(labels: dict[str, np.ndarray]) -> None:
    Path("x.yaml").write_text("dataset: {name: camvid}\n")
    assert expand(load_suite(Path("x.yaml"))) == []
    assert "there is nothing to train. Score predictions with it" in call("run", "x.yaml", "--tracking", "off", code=2)[1]


@pytest.mark.slow
def test_an_external_model_stands_beside_trained_cells(tiny_suite: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    import os
    import subprocess
    import sys

    from bench import figures
    from bench.frame import rows_frame
    from bench.stored import ranked, stamp

    monkeypatch.chdir(tiny_suite.parent)
    tiny_suite.write_text(tiny_suite.read_text().replace("[fcn, unet]", "[fcn]\n  train.lr: [0.003]"))
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "BENCH_STORE": "runs"}
    command = [sys.executable, "-m", "bench", "run", "tiny.yaml", "--tracking", "off"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    store = Store(Path("runs"))
    before = stamp(store, "tiny")
    spec = PhantomSpec(name="phantom", size=(32, 32), train_images=8, val_images=4, test_images=6)
    for index in range(6):
        write(Path(f"models/fcn/test_{index:06d}.png"), phantom.generate(index, "test", spec)[1])
    # A name and predictions of its own: the trained row of the same name stays apart.
    scored("tiny.yaml", "--predictions", "models", "--stride", 4)
    assert stamp(store, "tiny") != before

    rows = json.loads(call("leaderboard", "tiny.yaml", "--json")[0])
    assert [(row["model"], row["external"], row["rank"], row["dataset"]) for row in rows] == [
        ("fcn", True, 1, "small"),
        ("fcn", False, 2, "small"),
    ]
    assert rows[0]["miou"] == 1.0 and rows[0]["train.lr"] is None and rows[1]["train.lr"] == 0.003
    table = call("leaderboard", "tiny.yaml")[0]
    assert "fcn †" in table and "† trained elsewhere" in table and "6 images, 1 seed" in table and "Augmentation" not in table
    assert call("export", "tiny.yaml", "--format", "csv")[0].count("\n") == 3
    latex = call("export", "tiny.yaml", "--format", "latex")[0]
    assert re.search(r"fcn \\textdagger\{\}\}\s*& \\benchnum\{[^}]*/output_stride\}\{4\}", latex)
    states = json.loads(call("status", "tiny.yaml", "--json")[0])
    assert [(row["external"], row["state"], row["steps"]) for row in states] == [(False, "finished", 12), (True, "finished", None)]
    assert "Nothing to do: 1 of 1" in call("run", "tiny.yaml", "--tracking", "off")[1]

    command = [sys.executable, "-W", "ignore", "-m", "bench", "sync", "tiny.yaml"]
    sent = subprocess.run(command, check=True, capture_output=True, env=environment, text=True)
    assert "2 of 2 cells sent" in sent.stderr

    shown, problems = ranked(store, "tiny")
    assert [row.to_json() for row in shown] == rows and not problems
    frame = rows_frame(shown)
    drawn = {trace.name for trace in figures.stride(frame, "miou").data}
    assert drawn == {"fcn (external)", "fcn small some", "ceiling of the labels"}
    assert frame["external"].tolist() == [True, False]


@pytest.mark.data
def test_planted_errors_on_real_labels_are_counted(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chance, planted = np.random.default_rng(0), 0
    spec = DatasetSpec(name="camvid")
    for sample in list_samples(CAMVID, real_data, spec, "val"):
        label = label_of(sample, CAMVID, spec)
        write(tmp_path / "models/perfect" / f"{sample.id}.png", label)
        wrong = (chance.random(label.shape) < 0.01) & (label != 255)
        planted += int(wrong.sum())
        write(tmp_path / "models/planted" / f"{sample.id}.png", COLOURS[np.where(wrong, (label + 1) % 11, label % 11)])
    perfect, other = scored("camvid", "--split", "val", "--predictions", "models", "--data-root", real_data)
    assert (perfect["model"], perfect["miou"], perfect["boundary_iou"]) == ("perfect", 1.0, 1.0) and other["rank"] == 2
    with np.load(tmp_path / "runs/cells" / other["cells"][0] / "per_image.npz", allow_pickle=False) as saved:
        counts = saved["counts"].sum(axis=0)
    np.fill_diagonal(counts, 0)
    assert counts.sum() == np.roll(counts, -1, axis=1).trace() == planted > 0, "each is seen as the next class"

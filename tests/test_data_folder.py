"""Data of one's own: `folder` without code, and a module of one's own with an entry."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.cell import cell_from_json
from bench.data import entry_named, entry_of, layouts
from bench.data.check import check
from bench.data.folder import decode
from bench.data.samples import list_samples
from bench.errors import BenchError
from bench.expand import expand
from bench.specs import FolderSpec
from bench.suite import load_suite

FIELDS: dict[str, Any] = {
    "name": "folder",
    "images": "leaves/photos",
    "labels": "leaves/masks",
    "classes": {"ground": 0, "leaf": 255},
    "splits": {"train": 0.5, "test": 0.5},
}
GREEN, BLUE, WHITE = [0, 200, 0], [0, 0, 255], [255, 255, 255]


def spec(**fields: Any) -> FolderSpec:
    return FolderSpec.model_validate({**FIELDS, **fields})


def put(path: Path, array: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(array, np.uint8)).save(path)
    return path


def pair(root: Path, name: str, label: Any = ((0, 255),), image_ending: str = ".jpg", label_ending: str = ".png") -> None:
    put(root / f"leaves/photos/{name}{image_ending}", np.zeros((*np.shape(label)[:2], 3)))
    put(root / f"leaves/masks/{name}{label_ending}", label)


def names(root: Path, asked: FolderSpec, split: str) -> list[str]:
    return [sample.id for sample in list_samples(entry_of(asked), root, asked, split)]


def labels(root: Path, asked: FolderSpec, split: str = "train") -> list[list[list[int]]]:
    entry = entry_of(asked)
    return [decode(sample, entry, asked)[1].tolist() for sample in list_samples(entry, root, asked, split)]


WHOLE = {"splits": {"train": 1.0}, "test": "train"}


def test_ids_of_the_suite_are_the_classes(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[0, 255, 9]])
    assert labels(tmp_path, spec(**WHOLE, ignore=9)) == [[[0, 1, 255]]]
    with pytest.raises(BenchError, match="1 pixels have the label 9, which is no class: they are 0, 255, no value means void"):
        labels(tmp_path, spec(**WHOLE))


def test_names_alone_are_ids_from_0(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[0, 2, 1]])
    asked = spec(**WHOLE, classes=["ground", "leaf", "stem"])
    assert labels(tmp_path, asked) == [[[0, 2, 1]]]
    assert entry_of(asked).class_names == ("ground", "leaf", "stem") and len(set(entry_of(asked).palette)) == 3


def test_colours_of_the_suite_are_the_classes(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[GREEN, BLUE, WHITE]])
    asked = spec(**WHOLE, classes={"leaf": GREEN, "sky": BLUE}, ignore=WHITE)
    assert labels(tmp_path, asked) == [[[0, 1, 255]]]
    assert entry_of(asked).palette == ((0, 200, 0), (0, 0, 255))


def test_colours_of_a_palette_file_count_and_not_its_indices(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[0, 1]])
    picture = Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([*BLUE, *GREEN])
    picture.save(tmp_path / "leaves/masks/a.png")
    assert labels(tmp_path, spec(**WHOLE, classes={"leaf": GREEN, "sky": BLUE})) == [[[1, 0]]]


def test_a_colour_that_is_no_class_is_named(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[GREEN, [1, 2, 3], [1, 2, 3]]])
    with pytest.raises(BenchError, match=r"masks/a\.png: 2 pixels are \[1, 2, 3\], which is the colour of no class"):
        labels(tmp_path, spec(**WHOLE, classes={"leaf": GREEN}))


def test_colours_are_refused_where_ids_are_promised_and_the_other_way(tmp_path: Path) -> None:
    pair(tmp_path, "a", [[GREEN, BLUE]])
    with pytest.raises(BenchError, match="one class id a pixel"):
        labels(tmp_path, spec(**WHOLE))
    pair(tmp_path, "a", [[0, 1]])
    with pytest.raises(BenchError, match="colours stand in RGB or palette files"):
        labels(tmp_path, spec(**WHOLE, classes={"leaf": GREEN}))


def test_patterns_pair_by_what_the_star_stands_for(tmp_path: Path) -> None:
    for name in ("x/one", "two"):
        put(tmp_path / f"all/{name}_rgb.png", np.zeros((1, 2, 3)))
        put(tmp_path / f"all/{name}_mask.png", [[0, 255]])
    asked = spec(images="all/*_rgb.png", labels="all/*_mask.png", **WHOLE)
    assert names(tmp_path, asked, "train") == ["two", "x/one"]
    assert labels(tmp_path, asked) == [[[0, 1]], [[0, 1]]]


def test_splits_by_share_are_disjoint_seeded_and_stable(tmp_path: Path) -> None:
    for number in range(20):
        pair(tmp_path, f"{number:02d}")
    asked = spec(splits={"train": 0.7, "val": 0.1, "test": 0.2})
    parts = {split: names(tmp_path, asked, split) for split in asked.splits}
    assert [len(part) for part in parts.values()] == [14, 2, 4]
    assert sorted(each for part in parts.values() for each in part) == [f"{number:02d}" for number in range(20)]
    other = names(tmp_path, spec(splits=asked.splits, split_seed=1), "test")
    assert other != parts["test"] == names(tmp_path, spec(splits=dict(reversed(asked.splits.items()))), "test")
    pair(tmp_path, "20")
    assert len(set(names(tmp_path, asked, "test")) & set(parts["test"])) >= 3


def test_splits_by_list_and_by_sub_folder(tmp_path: Path) -> None:
    for name in ("a/one", "a/two", "b/three"):
        pair(tmp_path, name)
    (tmp_path / "few.txt").write_text("b/three\n\na/one.jpg\n")
    asked = spec(splits={"train": "a", "test": "b", "few": "few.txt"})
    assert [names(tmp_path, asked, split) for split in asked.splits] == [["a/one", "a/two"], ["b/three"], ["b/three", "a/one"]]
    (tmp_path / "few.txt").write_text("a/on\n")
    with pytest.raises(BenchError, match=r"the image 'a/on' of the split 'few' is not there\. Did you mean 'a/one'"):
        names(tmp_path, asked, "few")
    (tmp_path / "few.txt").write_text("a/one\na/one\n")
    with pytest.raises(BenchError, match="more than once"):
        names(tmp_path, asked, "few")
    with pytest.raises(BenchError, match="has no images"):
        names(tmp_path, spec(splits={"train": "a", "test": "c"}), "test")


def test_an_image_without_a_label_and_a_name_with_two_files(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    pair(tmp_path, "b")
    (tmp_path / "leaves/masks/b.png").unlink()
    with pytest.raises(BenchError, match=r"masks: the label 'b' of the split 'train' is not there"):
        names(tmp_path, spec(**WHOLE), "train")
    put(tmp_path / "leaves/photos/a.png", np.zeros((1, 2, 3)))
    with pytest.raises(BenchError, match=r"has the same name as"):
        names(tmp_path, spec(**WHOLE), "train")


def test_a_label_without_its_image_is_no_smaller_data_set(tmp_path: Path) -> None:
    for number in range(4):
        pair(tmp_path, f"{number}")
    (tmp_path / "leaves/photos/2.jpg").unlink()
    with pytest.raises(BenchError, match=r"photos: the image '2' of the split 'train' is not there"):
        names(tmp_path, spec(**WHOLE), "train")


def test_a_list_that_names_an_image_with_and_without_its_ending(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    asked = spec(splits={"train": "train.txt", "test": "train.txt"})
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbfa\r\n")  # as some editors write it
    assert names(tmp_path, asked, "train") == ["a"]
    (tmp_path / "train.txt").write_text("a\na.jpg\n")
    with pytest.raises(BenchError, match=r"train\.txt: names 'a' more than once"):
        names(tmp_path, asked, "train")


def test_an_empty_split_says_why(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    (tmp_path / "none.txt").write_text("\n")
    for rule, why in ((0.01, "its share 0.01 of 1 images rounds to none"), ("none.txt", r"none\.txt names none\. Fill the list")):
        other = 0.99 if isinstance(rule, float) else "none.txt"
        with pytest.raises(BenchError, match=f"the split 'test' has no images: .*{why}"):
            names(tmp_path, spec(splits={"train": other, "test": rule}), "test")
    with pytest.raises(BenchError, match=r"leaves/masks/\*\.gif: matches none of the 1 files there.*\.png, \.jpg"):
        names(tmp_path, spec(**WHOLE, labels="leaves/masks/*.gif"), "train")


def test_endings_in_capitals_hidden_files_and_links_to_folders(tmp_path: Path) -> None:
    pair(tmp_path, "a", image_ending=".JPG")
    pair(tmp_path, "far/b", image_ending=".JPG")
    for kind in ("photos", "masks"):
        (tmp_path / "leaves" / kind / "far").rename(tmp_path / kind)
        (tmp_path / "leaves" / kind / "near").symlink_to(tmp_path / kind)
        (tmp_path / "leaves" / kind / "round").symlink_to(tmp_path / "leaves" / kind)
        (tmp_path / "leaves" / kind / "._a.png").write_text("no picture")
    assert names(tmp_path, spec(**WHOLE), "train") == ["a", "near/b"]
    assert names(tmp_path, spec(**WHOLE, images="leaves/photos/*.jpg", labels="leaves/masks/*.png"), "train") == ["a", "near/b"]


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    pair(tmp_path, "b")
    photo = next((tmp_path / "leaves/photos").glob("b.*"))
    photo.unlink()
    os.mkfifo(photo)
    with pytest.raises(BenchError, match="the image 'b' of the split 'train' is not there"):
        names(tmp_path, spec(**WHOLE), "train")


def test_absent_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"missing .*leaves/photos\n"):
        names(tmp_path, spec(**WHOLE), "train")


REFUSED = [
    ({"images": "/etc"}, "given '/etc', expected a path below the data root"),
    ({"labels": "../x"}, "given '../x', expected a path below the data root"),
    ({"splits": {"train": "a/../../x.txt", "test": "b"}}, "expected a path below the data root"),
    ({"images": "a/*/*.png"}, "expected one `*`"),
    ({"images": "a/*"}, "expected one `*` and an ending"),
    ({"images": ""}, "expected a path below the data root"),
    ({"classes": {"a": 0, "b": 0}}, "two of them share a name, an id or a colour"),
    ({"classes": ["a", "a"]}, "two of them share a name"),
    ({"classes": []}, "0 are given"),
    ({"classes": {"a": 0, "b": GREEN}}, "ids for all of them, or colours for all of them"),
    ({"ignore": WHITE}, "ids for all of them, or colours for all of them"),
    ({"ignore": 255}, "255 is also the value of a class"),
    ({"splits": {"train": 0.8, "test": 0.3}}, "sum up to 1 at most"),
    ({"splits": {"train": 0.8, "test": "t.txt"}}, "either all are shares"),
    ({"splits": {"train": 0.8, "holdout": 0.2}}, "none is named 'test'; say which it is with `test:`"),
    ({"splits": {"test": 1.0}}, "none is named 'train'"),
    ({"splits": {"train": 0.0, "test": 1}}, "greater than 0"),
    ({"splits": {"a b": 1}}, "letters, digits"),
    ({"classes": {"a": [0, 0, 256]}}, "classes.a[2]: given 256, expected less than or equal to 255."),
    ({"ignore": [1, 2]}, "ignore: the list is too short; its value number 3 is missing"),
    ({"classes": 3}, "classes: given 3, expected a list."),
    ({"label": "x"}, "unknown key 'label'. Did you mean 'labels'?"),
]


def suite(root: Path, **fields: Any) -> Path:
    import yaml

    path = root / "mine.yaml"
    block = {"datasets": {"mine": {**FIELDS, **fields}}, "matrix": {"dataset": ["mine"], "model": ["m"]}}
    models = {"m": {"name": "fcn", "backbone": "small", "width": 4, "head_width": 8}}
    path.write_text(yaml.safe_dump({**block, "models": models, "eval": {"choose": "last"}}, sort_keys=False))
    return path


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_makes_no_sense_is_refused_with_file_and_line(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=r"mine\.yaml:\d+: datasets\.mine") as caught:
        expand(load_suite(suite(tmp_path, **fields)))
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_roles_follow_the_names_of_the_splits(tmp_path: Path) -> None:
    def roles(**fields: Any) -> list[str | None]:
        (cell,) = expand(load_suite(suite(tmp_path, **fields)))
        return [cell.dataset.train, cell.dataset.val, cell.dataset.test]

    assert roles(splits={"train": 0.5, "val": 0.2, "test": 0.3}) == ["train", "val", "test"]
    assert roles(splits={"train": 0.5, "val": 0.5}) == ["train", None, "val"]
    assert roles(splits={"train": 0.5, "holdout": 0.5}, test="holdout") == ["train", None, "holdout"]
    with pytest.raises(BenchError, match=r"has no split .tset.\. Did you mean .test."):
        roles(splits={"train": 0.5, "test": 0.5}, test="tset")


def test_the_order_of_the_classes_is_part_of_the_id(tmp_path: Path) -> None:
    ids = []
    for classes in ({"ground": 0, "leaf": 255}, {"leaf": 255, "ground": 0}, {"ground": 0, "leaf": 255}):
        (cell,) = expand(load_suite(suite(tmp_path, classes=classes)))
        seen = cell.seen({"train": "x", "test": "y"})
        assert cell_from_json(seen.to_json()) == seen and cell_from_json(seen.to_json()).id == seen.id
        assert list(seen.dataset.classes) == list(classes)
        ids.append(seen.id)
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"classes": ["a", "b", "c"], "ignore": 7, "splits": {"train": "one", "val": "two"}},
        {"classes": {"a": GREEN, "b": BLUE}, "ignore": WHITE, "splits": {"train": "lists/a.txt", "test": "lists/b.txt"}},
        {"images": "x/*_rgb.jpg", "labels": "x/*_mask.png", "splits": {"train": 0.9, "test": 0.05, "val": 0.05}},
        {"classes": {"a": 300, "b": 4000}},
    ],
)
def test_the_generated_folders_are_what_the_suite_says(tmp_path: Path, fields: dict[str, Any]) -> None:
    asked = spec(**fields)
    layouts.folder(tmp_path, 3, (40, 60), 0, asked)
    entry = entry_of(asked)
    for split in asked.splits:
        samples = list_samples(entry, tmp_path, asked, split)
        assert samples
        for sample in samples:
            image, label = decode(sample, entry, asked)
            assert image.shape == (40, 60, 3) and set(np.unique(label)) <= {*range(len(asked.classes)), 255}
            assert (255 in label) == (asked.ignore is not None)


# A module of one's own

MODULE = """
from bench.data.samples import Sample, paired
from bench.registry import DatasetEntry

ENTRY = DatasetEntry(
    samples="my_set:samples",
    class_names=("ground", "leaf"),
    palette=((0, 0, 0), (0, 200, 0)),
    ignore_index=255,
    splits={"train": None, "test": None},
    roles={"train": "train", "val": None, "test": "test"},
    version="1",
    license="mine",
    paper="none",
    obtain="ask me",
    layout="my_set:layout",
)


def samples(root, split, spec):
    base = root / "my_set" / split
    ids = sorted(path.stem for path in base.glob("*.jpg"))
    return paired(ids, lambda each: (base / f"{each}.jpg", base / f"{each}.png"), base)


def layout(root, count, size, seed):
    from PIL import Image

    from bench.data.layouts.drawn import folder_at, pictures_of

    for split in ("train", "test"):
        base = folder_at(root / "my_set" / split)
        for number, (image, label) in enumerate(pictures_of(ENTRY, split, count, size, seed)):
            Image.fromarray(image).save(base / f"{split}{number}.jpg")
            Image.fromarray(label).save(base / f"{split}{number}.png")
"""
SUITE = """\
models: {m: {name: fcn, backbone: small, width: 4, head_width: 8}}
matrix: {dataset: ["my_set:ENTRY"], model: [m]}
eval: {choose: last}
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, repository: Path) -> Run:
    def call(text: str, *arguments: str, allowed: bool = True) -> subprocess.CompletedProcess[str]:
        (tmp_path / "x.yaml").write_text(text)
        line = "import sys; sys.path.remove(''); from bench.cli import main; main()"  # as the installed command: no current folder
        command = [sys.executable, "-c", line, *arguments, "x.yaml"]
        env = {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        env |= {"BENCH_ALLOW_PLUGINS": "1"} if allowed else {}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120)

    return call


@pytest.mark.slow
def test_a_module_of_ones_own_passes_smoke(run: Run, tmp_path: Path) -> None:
    assert len(MODULE.strip().splitlines()) <= 40
    (tmp_path / "my_set.py").write_text(MODULE)
    done = run(SUITE, "run", "--smoke", "--tracking", "off")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout + done.stderr


def test_code_of_ones_own_runs_only_when_allowed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my_set.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n" + MODULE)
    for command in ("plan", "run", "leaderboard"):
        done = run(SUITE, command, allowed=False)
        assert done.returncode == 2 and "is code, which would run with your rights" in done.stderr, done.stderr
    assert not (tmp_path / "ran").exists()
    assert run(SUITE, "trust", allowed=False).returncode == 0
    assert "has no images" in run(SUITE, "plan", allowed=False).stderr and (tmp_path / "ran").exists()
    assert "is code" in run(f"{SUITE}\n# changed\n", "plan", allowed=False).stderr


def test_smoke_without_a_layout_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my_set.py").write_text(MODULE.replace('layout="my_set:layout"', "layout=None"))
    done = run(SUITE, "run", "--smoke", "--tracking", "off")
    assert done.returncode == 2 and "its entry names no layout" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_set:ENTRY", "x.yaml:2: dataset 'my_set:ENTRY': the module 'my_set' cannot be imported: No module named 'my_set'"),
        ("json:dumps", "x.yaml:2: dataset 'json:dumps': json has no DatasetEntry named 'dumps'"),
        ("json:nothing", "json has no DatasetEntry named 'nothing'"),
    ],
)
def test_a_module_that_is_none(run: Run, name: str, message: str) -> None:
    done = run(SUITE.replace("my_set:ENTRY", name), "plan")
    assert done.returncode == 2 and message in re.sub(r"\s+", " ", done.stderr), done.stderr


def test_entries_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_ALLOW_PLUGINS", "bench.data:CAMVID,:x,x:")
    assert entry_named("camvid").num_classes == 11
    assert entry_named("bench.data:CAMVID") is entry_named("camvid")
    for odd in ("nothing", ":x", "x:"):
        with pytest.raises(BenchError):
            entry_named(odd)


def test_half_a_pair_is_told_of_once(tmp_path: Path) -> None:
    for name in "abcdef":
        pair(tmp_path, name)
    (tmp_path / "leaves/masks/b.png").unlink()
    (tmp_path / "leaves/photos/e.jpg").unlink()
    asked = spec()
    found = [each for each in check(entry_of(asked), asked, tmp_path).defects if each.kind == "missing"]
    assert sorted(each.file for each in found) == ["leaves/masks/b", "leaves/photos/e"]  # folders know no ending

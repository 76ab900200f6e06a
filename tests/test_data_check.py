"""`bench data check` against planted defects of every kind, and against the published figures of real data sets."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import DATASETS
from bench.data.check import KINDS, check
from bench.data.duplicates import NEAR_BITS, content_hash, count_near, look_hash, nearest
from bench.data.layouts import camvid
from bench.data.report import Finding, Report
from bench.errors import BenchError
from bench.specs import DatasetSpec, PhantomSpec

COUNT = 6
ENTRY = DATASETS["camvid"]
SPEC = DatasetSpec(name="camvid")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CamVid of six images a split that shows every class in every split."""
    root = tmp_path_factory.mktemp("sound")
    camvid(root, COUNT, (48, 64), 0)
    for split in ("train", "val", "test"):
        label = np.array(Image.open(root / f"CamVid/{split}annot/{split}_000000.png"))
        label[:12, 0] = range(12)
        Image.fromarray(label).save(root / f"CamVid/{split}annot/{split}_000000.png")
    return root


@pytest.fixture
def tree(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound / "CamVid", tmp_path / "CamVid")
    return tmp_path


def looked_at(root: Path, **options: object) -> Report:
    """A check that leaves the published sizes out, which six images cannot have."""
    report = check(ENTRY, SPEC, root, **options)  # type: ignore[arg-type]
    report.defects = [each for each in report.defects if each.kind != "count"]
    return report


def test_a_sound_data_set_has_no_defect_and_its_counts_are_right(sound: Path) -> None:
    report = looked_at(sound)
    assert report.defects == []
    for split in report.splits:
        assert (split.listed, split.readable, split.published) == (COUNT, COUNT, ENTRY.splits[split.split])
        assert split.sizes == {(48, 64): COUNT}
        labels = [np.array(Image.open(path)) for path in sorted((sound / "CamVid" / f"{split.split}annot").iterdir())]
        assert split.pixels.tolist() == [sum(int((label == value).sum()) for label in labels) for value in range(12)]
        assert split.images.tolist() == [sum(bool((label == value).any()) for label in labels) for value in range(12)]


def change(path: Path, edit: Callable[[np.ndarray], np.ndarray | None]) -> None:
    array = np.array(Image.open(path))
    changed = edit(array)
    Image.fromarray(array if changed is None else changed).save(path)


def cut(path: Path, kept: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])


def put(array: np.ndarray, **values: int) -> None:
    for position, value in enumerate(values.values()):
        array[position, : position + 1] = value


def only(array: np.ndarray, gone: int) -> None:
    array[array == gone] = (gone + 1) % 11


def list_line(root: Path, split: str, line: str) -> None:
    path = root / "CamVid" / f"{split}.txt"
    path.write_text(path.read_text() + line + "\n")


def copy_into(root: Path, old: str, new: str, name: str) -> None:
    """Put the first image of one split into another under a name of its choice."""
    for kind in ("", "annot"):
        shutil.copy(root / f"CamVid/{old}{kind}/{old}_000000.png", root / f"CamVid/{new}{kind}/{name}.png")
    list_line(root, new, f"/SegNet/CamVid/{new}/{name}.png /SegNet/CamVid/{new}annot/{name}.png")


def no_class_4(root: Path) -> None:
    for path in (root / "CamVid/valannot").iterdir():
        change(path, lambda array: only(array, 4))


PLANTED: dict[str, tuple[Callable[[Path], object], list[tuple[str, str, str, str]]]] = {
    "image missing": (
        lambda root: (root / "CamVid/train/train_000003.png").unlink(),
        [("missing", "train", "CamVid/train/train_000003.png", "this image is named in")],
    ),
    "label missing": (
        lambda root: (root / "CamVid/testannot/test_000001.png").unlink(),
        [("missing", "test", "CamVid/testannot/test_000001.png", "this label is named in")],
    ),
    "folder missing": (
        lambda root: shutil.rmtree(root / "CamVid/valannot"),
        [("missing", "val", "CamVid/valannot", "is not there")],
    ),
    "list missing": (
        lambda root: (root / "CamVid/val.txt").unlink(),
        [("missing", "val", "CamVid/val.txt", "is not there")],
    ),
    "list repeats": (
        lambda root: [list_line(root, "val", f"/a/val_00000{n}.png /b/val_00000{n}.png") for n in (0, 3)],
        [
            ("list", "val", "CamVid/val.txt", "'val_000000' more than once"),
            ("list", "val", "CamVid/val.txt", "'val_000003' more than once"),
        ],
    ),
    "list makes no sense": (
        lambda root: (root / "CamVid/val.txt").write_text("one\n"),
        [("list", "val", "CamVid/val.txt", "'one' is not the path of an image")],
    ),
    "list is no text": (
        lambda root: (root / "CamVid/val.txt").write_bytes(b"\xff\xfe\x00"),
        [("list", "val", "CamVid/val.txt", "cannot be read")],
    ),
    "image cut short": (
        lambda root: cut(root / "CamVid/test/test_000002.png", 0.6),
        [("unreadable", "test", "CamVid/test/test_000002.png", "cannot be read as an image")],
    ),
    "label empty": (
        lambda root: cut(root / "CamVid/testannot/test_000002.png", 0),
        [("unreadable", "test", "CamVid/testannot/test_000002.png", "cannot be read as an image")],
    ),
    "label in colours": (
        lambda root: change(root / "CamVid/testannot/test_000002.png", lambda array: np.stack([array] * 3, -1)),
        [("unreadable", "test", "CamVid/testannot/test_000002.png", "one class id a pixel")],
    ),
    "label of another size": (
        lambda root: change(root / "CamVid/trainannot/train_000004.png", lambda array: array[:-1]),
        [("size", "train", "CamVid/train/train_000004.png", "is 48x64 (height x width), but its label train_000004.png is 47x64")],
    ),
    "label turned": (
        lambda root: change(root / "CamVid/trainannot/train_000004.png", lambda array: array.T.copy()),
        [("size", "train", "CamVid/train/train_000004.png", "is 64x48")],
    ),
    "values that are no class": (
        lambda root: change(root / "CamVid/trainannot/train_000004.png", lambda array: put(array, a=200, b=37)),
        [("values", "train", "CamVid/trainannot/train_000004.png", "2 pixels have the label 37, 1 pixels have the label 200")],
    ),
    "everything at once": (
        lambda root: (
            cut(root / "CamVid/train/train_000004.png", 0.6),
            change(root / "CamVid/trainannot/train_000004.png", lambda array: (put(array, a=99), array[:-2])[1]),
        ),
        [
            ("unreadable", "train", "CamVid/train/train_000004.png", "cannot be read as an image"),
            ("values", "train", "CamVid/trainannot/train_000004.png", "1 pixels have the label 99"),
            (
                "size",
                "train",
                "CamVid/train/train_000004.png",
                "is 48x64 (height x width), but its label train_000004.png is 46x64",
            ),
        ],
    ),
    "class without a pixel": (no_class_4, [("empty class", "val", "CamVid/val.txt", "no pixel of class 4, 'Pavement'")]),
    "an id in two splits": (
        lambda root: copy_into(root, "train", "test", "train_000000"),
        [("leak", "train / test", "CamVid/test/train_000000.png", "'train_000000' stands in both splits")],
    ),
    "the same pixels under another name": (
        lambda root: copy_into(root, "train", "val", "innocent"),
        [("duplicate", "train / val", "CamVid/val/innocent.png", "the same pixels as CamVid/train/train_000000.png")],
    ),
    "the same pixels in what chooses and what reports": (
        lambda root: copy_into(root, "val", "test", "innocent"),
        [("duplicate", "val / test", "CamVid/test/innocent.png", "the same pixels as CamVid/val/val_000000.png")],
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_defect_is_found_with_its_file_and_nothing_else(tree: Path, name: str) -> None:
    plant, expected = PLANTED[name]
    plant(tree)
    found = looked_at(tree).defects
    assert [(each.kind, each.split, each.file) for each in found] == [each[:3] for each in expected], found
    assert all(words in each.message for each, (*_, words) in zip(found, expected, strict=True)), found


def test_all_defects_together_are_all_found(tree: Path) -> None:
    together = ("image missing", "label empty", "label turned", "class without a pixel", "an id in two splits")
    for name in together:
        PLANTED[name][0](tree)
    report = check(ENTRY, SPEC, tree)
    found = {(each.kind, each.split, each.file) for each in report.defects}
    assert found >= {each[:3] for name in together for each in PLANTED[name][1]}
    counts = [each for each in report.defects if each.kind == "count"]
    assert [each.message for each in counts] == [
        "lists 6 images, published are 367", "lists 6 images, published are 101", "lists 7 images, published are 233",
    ]  # fmt: skip


def test_every_kind_of_defect_has_been_planted() -> None:
    assert {each[0] for _, expected in PLANTED.values() for each in expected} | {"count"} == set(KINDS)


def notes(report: Report, kind: str) -> list[Finding]:
    return [each for each in report.notes if each.kind == kind]


def test_what_is_worth_knowing_is_noted(tree: Path) -> None:
    (tree / "CamVid/train/extra.png").write_bytes((tree / "CamVid/val/val_000000.png").read_bytes())
    change(tree / "CamVid/trainannot/train_000001.png", lambda array: np.full_like(array, 11))
    copy_into(tree, "train", "train", "again")
    with Image.open(tree / "CamVid/train/train_000002.png") as picture:
        picture.save(tree / "CamVid/test/test_000002.png", "JPEG", quality=60)
    report = looked_at(tree)
    assert report.defects == []
    assert [(each.file, each.message) for each in notes(report, "stray")] == [
        ("CamVid/train", "1 files that no list names, extra.png the first")
    ]
    assert [each.file for each in notes(report, "unlabelled")] == ["CamVid/trainannot/train_000001.png"]
    assert [each.file for each in notes(report, "duplicate")] == ["CamVid/train/again.png"]
    across = [each for each in notes(report, "near-duplicate") if "/ test" in each.split]
    assert [(each.split, each.file) for each in across] == [("train / test", "CamVid/test/test_000002.png")]
    assert "train_000002.png" in across[0].message


def test_labels_alone(tree: Path) -> None:
    for split in ("train", "val", "test"):
        shutil.rmtree(tree / "CamVid" / split)
    report = looked_at(tree, labels_only=True)
    assert report.defects == [] and [split.readable for split in report.splits] == [COUNT] * 3
    change(tree / "CamVid/valannot/val_000003.png", lambda array: put(array, a=40))
    (tree / "CamVid/testannot/test_000000.png").unlink()
    found = looked_at(tree, labels_only=True).defects
    assert {(each.kind, each.file) for each in found} >= {
        ("values", "CamVid/valannot/val_000003.png"),
        ("missing", "CamVid/testannot/test_000000.png"),
    }
    assert all("CamVid/test/" not in each.file for each in found)


def test_one_split_alone_and_splits_that_are_none(tree: Path) -> None:
    PLANTED["image missing"][0](tree)
    assert looked_at(tree, splits=["val"]).defects == []
    with pytest.raises(BenchError, match=r"no split 'tset'\. Did you mean 'test'"):
        check(ENTRY, SPEC, tree, splits=["tset"])


def test_nothing_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"(?s)is not complete below.*get it"):
        check(ENTRY, SPEC, tmp_path)


def test_a_set_of_which_nothing_can_be_listed_is_a_report_too(tree: Path) -> None:
    for split in ("train", "val", "test"):
        (tree / "CamVid" / f"{split}.txt").write_text("one\n")
    assert [(each.kind, each.file) for each in looked_at(tree).defects] == [
        ("list", f"CamVid/{split}.txt") for split in ("train", "val", "test")
    ]


def test_a_generated_set_is_checked_too() -> None:
    spec = PhantomSpec(name="phantom", size=(64, 64), train_images=40, val_images=40, test_images=40)
    report = check(DATASETS["phantom"], spec, Path())
    assert report.defects == [] and [split.listed for split in report.splits] == [40, 40, 40]


def test_nearest_and_count_agree_with_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.data.duplicates._BLOCK", 7)
    chance = np.random.default_rng(0)
    one, other = (chance.integers(0, 2**64, size, np.uint64) for size in (30, 23))
    other[3] = one[8] ^ np.uint64(0b101)
    index, bits = nearest(one, other)
    table = [[(int(a) ^ int(b)).bit_count() for a in one] for b in other]
    assert bits.tolist() == [min(row) for row in table] and index.tolist() == [row.index(min(row)) for row in table]
    assert (index[3], bits[3]) == (8, 2)
    several = np.concatenate([one, one[:4], one[:2] ^ np.uint64(1)])
    pairs = [(int(a) ^ int(b)).bit_count() <= NEAR_BITS for i, a in enumerate(several) for b in several[:i]]
    assert count_near(several) == sum(pairs) == 4 + 2 + 2


def test_hashes_tell_content_from_looks() -> None:
    chance = np.random.default_rng(0)
    image = np.kron(chance.integers(0, 256, (8, 9, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
    grey = image.astype(float) @ [0.299, 0.587, 0.114]
    expected = [int(grey[5 + 10 * y, 15 + 10 * x] > grey[5 + 10 * y, 5 + 10 * x]) for y in range(8) for x in range(8)]
    assert look_hash(image) == int("".join(map(str, expected)), 2)
    changed = image.copy()
    changed[0, 0, 0] ^= 1
    assert look_hash(changed) == look_hash(image) and content_hash(changed) != content_hash(image)
    assert content_hash(image) != content_hash(image.reshape(90, 80, 3)), "the size is content"


@pytest.mark.data
def test_real_camvid_is_as_published(real_data: Path) -> None:
    report = check(ENTRY, SPEC, real_data)
    assert report.defects == []
    assert {split.split: split.listed for split in report.splits} == ENTRY.splits
    assert all(split.sizes == {(360, 480): split.listed} for split in report.splits)
    across = [each for each in notes(report, "near-duplicate") if each.split == "train / test"]
    assert [each.file for each in across] == ["CamVid/test/0001TP_008550.png"] and "0001TP_008520.png" in across[0].message


@pytest.mark.data
def test_real_voc_labels_are_as_published(real_data: Path) -> None:
    report = check(DATASETS["voc2012"], DatasetSpec(name="voc2012"), real_data, splits=["val"], labels_only=True)
    assert report.defects == [] and report.splits[0].readable == 1449
    assert (report.splits[0].images > 0).all(), "all 21 classes"
    assert report.splits[0].images[-1] == 1449, "the devkit draws void around every object"

"""Every data set's files in its real format, against hand-made values and other people's readers."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from bench.data import DATASETS
from bench.data.layouts.synthia import png16
from bench.data.samples import list_samples
from bench.data.synthia import first_channel
from bench.errors import BenchError
from bench.registry import load
from bench.specs import AnyDatasetSpec, DatasetSpec, IsbiSpec

SIZE, COUNT = (40, 60), 4
SPEC: TypeAdapter[Any] = TypeAdapter(AnyDatasetSpec)
# 4x5, 16-bit RGB, written by OpenCV 5: red 0 1 2 ... 19, green 300 times that, blue 7.
FROM_OPENCV = (
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEEAIAAACZwb5UAAAAQklEQVQIHRXBwQkCUQAFscyCfNCD2Mcr12IsxmLEJH9HDTXUUCO329fRNdRQQ43cHx9HDV1D"
    "DTXyfL0dNdTQNdT4AURBBWs29tgzAAAAAElFTkSuQmCC"
)


def spec(name: str, **fields: object) -> DatasetSpec:
    made: DatasetSpec = SPEC.validate_python({"name": name, **fields})
    return made


def tree(name: str, root: Path, count: int = COUNT) -> Path:
    layout = DATASETS[name].layout
    assert layout
    load(layout)(root, count, SIZE, 0)
    return root


def read(name: str, root: Path, split: str, **fields: object) -> list[tuple[str, np.ndarray, np.ndarray]]:
    entry, asked = DATASETS[name], spec(name, **fields)
    decode = load(entry.decode)
    return [(sample.id, *decode(sample, entry, asked)) for sample in list_samples(entry, root, asked, split)]


def put(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


# What the files hold, read by torchvision


def test_voc_as_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import VOCSegmentation

    theirs = VOCSegmentation(str(tree("voc2012", tmp_path)), year="2012", image_set="val")
    mine = read("voc2012", tmp_path, "val")
    assert len(theirs) == len(mine) == COUNT
    for (image, label), (_, my_image, my_label) in zip(theirs, mine, strict=True):
        assert (np.array(image) == my_image).all() and (np.array(label) == my_label).all()


def test_sbd_as_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import SBDataset

    base = tree("sbd", tmp_path) / "benchmark_RELEASE/dataset"
    theirs = SBDataset(str(base), image_set="train", mode="segmentation")
    mine = read("sbd", tmp_path, "train")
    assert len(theirs) == len(mine) == COUNT + 1
    for (image, label), (_, my_image, my_label) in zip(theirs, mine, strict=True):
        assert (np.array(image) == my_image).all() and (np.array(label) == my_label).all()


def test_cityscapes_as_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import Cityscapes

    theirs = Cityscapes(str(tree("cityscapes", tmp_path) / "cityscapes"), split="val", mode="fine", target_type="semantic")
    train_id = {each.id: each.train_id for each in Cityscapes.classes}
    released = {Path(path).name.removesuffix("_leftImg8bit.png"): number for number, path in enumerate(theirs.images)}
    mine = read("cityscapes", tmp_path, "val")
    assert len(released) == len(mine) == COUNT
    for name, my_image, my_label in mine:
        image, label = theirs[released[name]]
        mapped = np.vectorize(lambda value: train_id[value] if 0 <= train_id[value] < 19 else 255)(np.array(label))
        assert (np.array(image) == my_image).all() and (mapped == my_label).all()
    assert DATASETS["cityscapes"].class_names == tuple(each.name for each in Cityscapes.classes if 0 <= each.train_id < 19)
    assert DATASETS["cityscapes"].palette == tuple(each.color for each in Cityscapes.classes if 0 <= each.train_id < 19)


def test_pet_as_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import OxfordIIITPet

    theirs = OxfordIIITPet(str(tree("pet", tmp_path)), split="test", target_types="segmentation")
    for (image, trimap), (_, my_image, my_label) in zip(theirs, read("pet", tmp_path, "test"), strict=True):
        assert (np.array(image) == my_image).all()
        # 1 pet, 2 background, 3 not classified
        assert (np.array([9, 1, 0, 255])[np.array(trimap)] == my_label).all()


# VOC and SBD together


@pytest.fixture
def both(tmp_path: Path) -> Path:
    return tree("voc2012_sbd", tmp_path)


def ids(root: Path, split: str) -> list[str]:
    return [sample.id for sample in list_samples(DATASETS["voc2012_sbd"], root, spec("voc2012_sbd"), split)]


def test_trainaug_is_disjoint_from_val_by_construction(both: Path) -> None:
    lists = {name: (both / "benchmark_RELEASE/dataset" / f"{name}.txt").read_text().split() for name in ("train", "val")}
    val, train = ids(both, "val"), ids(both, "train")
    assert set(lists["train"]) & set(val), "the generated lists overlap as the real ones do"
    assert sorted(ids(both, "trainaug")) == sorted((set(lists["train"]) | set(lists["val"]) | set(train)) - set(val))
    # Also when a list of SBD names all of val
    path = both / "benchmark_RELEASE/dataset/val.txt"
    path.write_text(path.read_text() + "".join(f"{each}\n" for each in val))
    assert not set(ids(both, "trainaug")) & set(val)


def test_trainaug_takes_vocs_label_where_both_have_one(both: Path) -> None:
    shared = ids(both, "train")[0]
    base = both / "benchmark_RELEASE/dataset"
    (base / "train.txt").write_text(f"{shared}\n" + (base / "train.txt").read_text())
    chosen = {
        sample.id: sample.files[1].suffix for sample in list_samples(DATASETS["voc2012_sbd"], both, spec("voc2012_sbd"), "trainaug")
    }
    assert chosen[shared] == ".png"
    assert {chosen[each] for each in ids(both, "train")} == {".png"}
    assert {suffix for each, suffix in chosen.items() if each not in ids(both, "train")} == {".mat"}


def test_seg11valid_is_its_rule_or_its_list(both: Path) -> None:
    """VOC 2011's val is 2008_000000 to 2008_000002 here, and SBD's train names the first of them."""
    assert ids(both, "seg11valid") == ["2008_000001", "2008_000002"]
    assert not set(ids(both, "seg11valid")) & set(ids(both, "sbd_train"))
    (both / "VOCdevkit/VOC2012/ImageSets/Segmentation/seg11valid.txt").write_text("2008_000003\n")
    assert ids(both, "seg11valid") == ["2008_000003"]


def test_seg11valid_without_any_list_says_which(both: Path) -> None:
    (both / "VOCdevkit/VOC2011/ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(BenchError, match=r"missing .*seg11valid\.txt\n.*VOC2011/ImageSets/Segmentation/val\.txt"):
        ids(both, "seg11valid")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\x89PNG\r\n\x1a\n" * 30])
def test_a_damaged_mat_file_is_named(tmp_path: Path, content: bytes) -> None:
    tree("sbd", tmp_path)
    (tmp_path / "benchmark_RELEASE/dataset/cls/2009_000000.mat").write_bytes(content)
    with pytest.raises(BenchError, match=r"2009_000000\.mat: has no label map GTcls\.Segmentation"):
        read("sbd", tmp_path, "train")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_mat_file_is_named(tmp_path: Path, kept: float) -> None:
    tree("sbd", tmp_path)
    path = tmp_path / "benchmark_RELEASE/dataset/cls/2009_000000.mat"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(BenchError, match=r"2009_000000\.mat"):
        read("sbd", tmp_path, "train")


def test_a_mat_file_of_something_else(tmp_path: Path) -> None:
    from scipy.io import savemat

    tree("sbd", tmp_path)
    path = tmp_path / "benchmark_RELEASE/dataset/cls/2009_000000.mat"
    for content in ({"GTinst": 1}, {"GTcls": {"Boundaries": 1}}, {"GTcls": {"Segmentation": np.zeros((3, 4))}}, {"GTcls": 3}):
        savemat(path, content)
        with pytest.raises(BenchError, match=r"2009_000000\.mat.*GTcls\.Segmentation"):
            read("sbd", tmp_path, "train")


# Cityscapes


def test_cityscapes_ids_by_hand(tmp_path: Path) -> None:
    released = np.array([[7, 8, 11, 33], [0, 9, 32, 29]], np.uint8)
    put(tmp_path / "cityscapes/leftImg8bit/val/ulm/ulm_000001_000019_leftImg8bit.png", np.zeros((2, 4, 3), np.uint8))
    label = put(tmp_path / "cityscapes/gtFine/val/ulm/ulm_000001_000019_gtFine_labelIds.png", released)
    (tmp_path / "cityscapes/leftImg8bit/val/.DS_Store").write_bytes(b"")
    assert read("cityscapes", tmp_path, "val")[0][2].tolist() == [[0, 1, 2, 18], [255, 255, 17, 255]]
    put(label, np.full((2, 4), 40, np.uint8))
    with pytest.raises(BenchError, match="8 pixels have the label 40, which is no class: they are 7, 8, 11,"):
        read("cityscapes", tmp_path, "val")


def test_cityscapes_converted_labels(tmp_path: Path) -> None:
    put(tmp_path / "cityscapes/leftImg8bit/val/ulm/ulm_000001_000019_leftImg8bit.png", np.zeros((1, 3, 3), np.uint8))
    place = tmp_path / "cityscapes/gtFine/val/ulm"
    with_converted = put(place / "ulm_000001_000019_gtFine_labelTrainIds.png", np.array([[0, 18, 255]], np.uint8))
    assert read("cityscapes", tmp_path, "val")[0][2].tolist() == [[0, 18, 255]]
    put(with_converted, np.array([[0, 19, 255]], np.uint8))
    with pytest.raises(BenchError, match="have the label 19"):
        read("cityscapes", tmp_path, "val")
    put(place / "ulm_000001_000019_gtFine_labelIds.png", np.array([[33, 7, 1]], np.uint8))  # the released ones win
    assert read("cityscapes", tmp_path, "val")[0][2].tolist() == [[18, 0, 255]]


# SYNTHIA


def test_sixteen_bit_colours_written_by_another_program(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(base64.b64decode(FROM_OPENCV))
    assert first_channel(tmp_path / "x.png").tolist() == np.arange(20).reshape(4, 5).tolist()
    written = np.arange(20, dtype=np.uint16).reshape(4, 5)
    (tmp_path / "y.png").write_bytes(png16(np.stack([written, written * 300, written * 0 + 7], axis=-1)))
    assert first_channel(tmp_path / "y.png").tolist() == written.tolist()


def test_sixteen_bit_values_are_exact(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (33, 17, 3), dtype=np.uint16)
    (tmp_path / "x.png").write_bytes(png16(values))
    assert (first_channel(tmp_path / "x.png") == values[..., 0]).all()


@pytest.mark.parametrize("kept", [0, 7, 40, 0.5, 0.95])
def test_a_truncated_label_of_synthia_is_named(tmp_path: Path, kept: float) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (64, 64, 3), dtype=np.uint16)
    content = png16(values)
    (tmp_path / "x.png").write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(BenchError, match=r"x\.png: cannot be read as an image"):
        first_channel(tmp_path / "x.png")


def test_a_damaged_label_of_synthia_is_named(tmp_path: Path) -> None:
    """Unpacking the archive is known to leave some of them so."""
    content = bytearray(png16(np.random.default_rng(0).integers(0, 65536, (64, 64, 3), dtype=np.uint16)))
    content[len(content) // 2] ^= 255
    (tmp_path / "x.png").write_bytes(bytes(content))
    with pytest.raises(BenchError, match=r"x\.png: cannot be read as an image"):
        first_channel(tmp_path / "x.png")


@pytest.mark.parametrize("array", [np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint16)])
def test_pictures_for_people_are_no_labels(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(BenchError, match="3 channels of 16 bits"):
        first_channel(put(tmp_path / "x.png", array))


# Value on disk -> Cityscapes' train id, as released code for domain adaptation has it
TO_19 = {
    3: 0,
    4: 1,
    2: 2,
    21: 3,
    5: 4,
    7: 5,
    15: 6,
    9: 7,
    6: 8,
    16: 9,
    1: 10,
    10: 11,
    17: 12,
    8: 13,
    18: 14,
    19: 15,
    20: 16,
    12: 17,
    11: 18,
}


def test_synthia_under_each_set_of_classes(tmp_path: Path) -> None:
    label = np.arange(23, dtype=np.uint16).reshape(1, 23)
    put(tmp_path / "RAND_CITYSCAPES/RGB/0000000.png", np.zeros((1, 23, 3), np.uint8))
    path = tmp_path / "RAND_CITYSCAPES/GT/LABELS/0000000.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(png16(np.stack([label, label * 1000, label * 0], axis=-1)))
    seen = {name: read(name, tmp_path, "train")[0][2][0].tolist() for name in DATASETS if name.startswith("synthia")}
    assert seen["synthia"] == [255, *range(22)]
    assert seen["synthia_19"] == [TO_19.get(value, 255) for value in range(23)]
    sixteen = [label for label in range(19) if label not in (9, 14, 16)]  # without terrain, truck, train
    assert seen["synthia_16"] == [sixteen.index(TO_19[v]) if TO_19.get(v) in sixteen else 255 for v in range(23)]
    names = DATASETS["synthia_13"].class_names
    assert [names[value] for value in seen["synthia_13"][1:]] == [
        *("sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "sign", "pedestrian", "cyclist", "cyclist"),
        *("misc", "misc", "misc", "misc", "cyclist", "misc", "misc", "misc", "misc", "lane-marking"),
    ]
    assert seen["synthia_13"][0] == 255


def test_synthia_splits_follow_the_number_alone(tmp_path: Path) -> None:
    for number in range(25):
        put(tmp_path / f"RAND_CITYSCAPES/RGB/{number:07d}.png", np.zeros((1, 1, 3), np.uint8))
        put(tmp_path / f"RAND_CITYSCAPES/GT/LABELS/{number:07d}.png", np.zeros((1, 1), np.uint8))
    found = {
        split: [s.id for s in list_samples(DATASETS["synthia"], tmp_path, spec("synthia"), split)]
        for split in DATASETS["synthia"].splits
    }
    assert found["val"] == ["0000008", "0000018"] and found["test"] == ["0000009", "0000019"]
    assert sorted(found["train"] + found["val"] + found["test"]) == found["all"] and len(found["all"]) == 25
    sizes = DATASETS["synthia"].splits
    assert [sizes[split] for split in ("train", "val", "test")] == [
        sum(str(number)[-1] in digits for number in range(9400)) for digits in ("01234567", "8", "9")
    ]


# ScanNet and SUN RGB-D


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_scannet_ids_by_hand_in_both_depths(tmp_path: Path, kind: type) -> None:
    base = tmp_path / "scannet_frames_25k"
    put(base / "scene0000_01/color/000100.jpg", np.zeros((2, 5, 3), np.uint8))
    odd = 255 if kind is np.uint8 else 50_000  # ids outside NYU40 occur
    put(base / "scene0000_01/label/000100.png", np.array([[0, 1, 12, 14, 16], [13, 39, 40, odd, 24]], kind))
    (base / "scannetv2_val.txt").write_text("scene0000_01\n")
    name, _, label = read("scannet", tmp_path, "val")[0]
    assert name == "scene0000_01/000100"
    assert label.tolist() == [[255, 0, 11, 12, 13], [255, 19, 255, 255, 14]]


def test_scannet_frames_are_brought_to_the_grid_of_their_labels(tmp_path: Path) -> None:
    base = tmp_path / "scannet_frames_25k/scene0000_01"
    grey = np.zeros((96, 128, 3), np.uint8)
    grey[:48] = 200
    label = np.where(np.arange(24)[:, None] < 12, 1, 2).repeat(32, axis=1).astype(np.uint8)
    Image.fromarray(grey).save(put(base / "color/000000.jpg", grey), quality=100)
    put(base / "label/000000.png", label)
    (base.parent / "scannetv2_val.txt").write_text("scene0000_01\n")
    _, image, read_label = read("scannet", tmp_path, "val")[0]
    assert image.shape == (24, 32, 3) and ((image[..., 0] > 100) == (read_label == 0)).all()
    put(base / "label/000000.png", label.T.copy())
    with pytest.raises(BenchError, match=r"is 96x128 .* is 32x24"):
        read("scannet", tmp_path, "val")


def test_a_scene_that_is_not_there(tmp_path: Path) -> None:
    tree("scannet", tmp_path)
    (tmp_path / "scannet_frames_25k/scannetv2_val.txt").write_text("scene0999_00\n")
    with pytest.raises(BenchError, match=r"missing .*scene0999_00/color\n.*sign the terms"):
        read("scannet", tmp_path, "val")


def test_sunrgbd_numbers_train_after_test(tmp_path: Path) -> None:
    for split, number, label in (("test", 1, 1), ("train", 1, 5051)):
        put(tmp_path / f"SUNRGBD/{split}/img-{number:06d}.jpg", np.zeros((1, 3, 3), np.uint8))
        put(tmp_path / f"SUNRGBD/labels/img-{label:06d}.png", np.array([[0, 37, 1 if split == "test" else 2]], np.uint8))
    assert [row[2].tolist() for row in read("sunrgbd", tmp_path, "test")] == [[[255, 36, 0]]]
    assert [(row[0], row[2].tolist()) for row in read("sunrgbd", tmp_path, "train")] == [("train_000001", [[255, 36, 1]])]


# ISBI 2012


def test_folds_are_contiguous_and_cover_the_stack_once(tmp_path: Path) -> None:
    tree("isbi2012", tmp_path)
    for folds in (2, 4, 5, 7, 30):
        tests: list[int] = []
        for fold in range(folds):
            asked = spec("isbi2012", folds=folds, fold=fold)
            test = [sample.index for sample in list_samples(DATASETS["isbi2012"], tmp_path, asked, "test")]
            train = [sample.index for sample in list_samples(DATASETS["isbi2012"], tmp_path, asked, "train")]
            assert test == list(range(test[0], test[-1] + 1)) and abs(len(test) - 30 / folds) < 1
            assert sorted(test + train) == list(range(30))
            tests += test
        assert tests == list(range(30))


def test_a_fold_beyond_the_last(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="fold is 5, and with folds 5 they are 0 to 4"):
        IsbiSpec(name="isbi2012", folds=5, fold=5)


def test_a_stack_that_lacks_slices_is_named(tmp_path: Path) -> None:
    tree("isbi2012", tmp_path)
    put(tmp_path / "ISBI2012/train-labels.tif", np.zeros(SIZE, np.uint8))
    with pytest.raises(BenchError, match=r"train-labels\.tif: has 1 slices, and the stack of the challenge has 30"):
        read("isbi2012", tmp_path, "train")


@pytest.mark.filterwarnings("ignore:.*EXIF")
def test_a_stack_cut_short_is_named(tmp_path: Path) -> None:
    tree("isbi2012", tmp_path)
    path = tmp_path / "ISBI2012/train-volume.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BenchError, match=r"train-volume\.tif"):
        read("isbi2012", tmp_path, "all")


# All of them


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.layout and name != "folder"])
def test_a_label_that_is_gone_is_named(name: str, tmp_path: Path) -> None:
    tree(name, tmp_path)
    entry = DATASETS[name]
    split = entry.roles["train"]
    assert split
    label = list_samples(entry, tmp_path, spec(name), split)[-1].files[1]
    label.unlink()
    with pytest.raises(BenchError, match=rf"{label.name}") as caught:
        read(name, tmp_path, split)
    assert "is not there" in str(caught.value) or "missing" in str(caught.value)


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.layout and name != "folder"])
def test_an_absent_set_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    for split in DATASETS[name].splits:
        with pytest.raises(BenchError, match="is not complete below the data root") as caught:
            list_samples(DATASETS[name], tmp_path, spec(name), split)
        assert DATASETS[name].obtain in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_maps_its_labels_onto_all_classes(name: str) -> None:
    entry = DATASETS[name]
    if entry.ids is not None:
        assert set(entry.ids.values()) == set(range(entry.num_classes))
        assert entry.ignore_index not in entry.ids
    assert entry.license and entry.paper and entry.obtain and entry.version


def test_void_ids_are_void_and_others_are_errors(tmp_path: Path) -> None:
    from bench.data.decode import to_ids

    entry = replace(DATASETS["pet"], ids={10: 0, 300: 1}, ignore_index=3, void_ids=range(5, 8))
    assert to_ids(np.array([[10, 300, 3, 6]], np.uint16), entry, tmp_path).tolist() == [[0, 1, 255, 255]]
    with pytest.raises(BenchError, match="have the label 8, which is no class: they are 10, 300, void is 3"):
        to_ids(np.array([[8, 10]], np.uint8), entry, tmp_path)


# The real ones, whole


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_real_camvid_is_read_whole(real_data: Path, split: str) -> None:
    names = set()
    for name, image, label in read("camvid", real_data, split):
        with Image.open(real_data / f"CamVid/{split}annot/{name}.png") as picture:
            stored = np.asarray(picture)
        assert image.shape == (360, 480, 3) and (label == np.where(stored == 11, 255, stored)).all()
        names.add(name)
    assert len(names) == DATASETS["camvid"].splits[split]


@pytest.mark.data
def test_real_isbi_is_read_whole(real_data: Path) -> None:
    with Image.open(real_data / "ISBI2012/train-labels.tif") as stack:
        stored = []
        for frame in range(stack.n_frames):
            stack.seek(frame)
            stored.append(np.array(stack))
    rows = read("isbi2012", real_data, "all")
    labels = np.stack([label for _, _, label in rows])
    assert len(rows) == 30 and labels.shape == (30, 512, 512)
    assert (labels == (np.stack(stored) == 255)).all() and set(np.unique(stored)) == {0, 255}
    # Membranes are dark: the two classes are not swapped
    images = np.stack([image[..., 0] for _, image, _ in rows])
    assert images[labels == 0].mean() < images[labels == 1].mean() - 30
    test = [name for name, _, _ in read("isbi2012", real_data, "test", folds=5, fold=4)]
    assert test == [f"slice_{number}" for number in range(24, 30)]


@pytest.mark.data
@pytest.mark.slow
def test_real_voc_labels_are_read_whole(real_data: Path) -> None:
    from bench.data.decode import read_label

    base = real_data / "VOCdevkit/VOC2012"
    counts = np.zeros(256, np.int64)
    names = (base / "ImageSets/Segmentation/val.txt").read_text().split()
    for name in names:
        counts += np.bincount(read_label(base / f"SegmentationClass/{name}.png", DATASETS["voc2012"]).ravel(), minlength=256)
    assert len(names) == DATASETS["voc2012"].splits["val"]
    assert set(np.flatnonzero(counts)) == {*range(21), 255}
    assert 0.6 < counts[0] / counts.sum() < 0.8


@pytest.mark.data
def test_real_voc_ids_make_a_trainaug_without_val(real_data: Path, tmp_path: Path) -> None:
    """With the real list of val, a list of SBD that names all of it adds none of it."""
    tree("voc2012_sbd", tmp_path)
    val = (real_data / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").read_text()
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_text(val)
    path = tmp_path / "benchmark_RELEASE/dataset/val.txt"
    path.write_text(path.read_text() + val)
    assert not set(ids(tmp_path, "trainaug")) & set(val.split())

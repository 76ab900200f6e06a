"""The readers of files: against hand-made pictures, broken ones, and the real sets where they are at hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import DATASETS
from bench.data.decode import files, read_image, read_label, resize, to_ids
from bench.data.entries.colours import colour
from bench.data.samples import Sample, list_samples
from bench.errors import BenchError
from bench.specs import DatasetSpec

CAMVID, VOC = DATASETS["camvid"], DATASETS["voc2012"]
SPEC = DatasetSpec(name="camvid")
VOC_SPEC = DatasetSpec(name="voc2012")

# The SegNet tutorial's class weights, in the order of the classes
CAMVID_WEIGHTS = (0.2595, 0.1826, 4.5640, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614)


def write(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two CamVid images of 4x6 in every split."""
    for split in ("train", "val", "test"):
        lines = []
        for name in ("b.png", "a.png"):
            write(tmp_path / "CamVid" / split / name, noise(4, 6, 3))
            write(tmp_path / "CamVid" / f"{split}annot" / name, np.arange(24, dtype=np.uint8).reshape(4, 6) % 12)
            lines.append(f"/SegNet/CamVid/elsewhere/{name} /SegNet/CamVid/other/{name}\n")
        (tmp_path / "CamVid" / f"{split}.txt").write_text("".join(lines) + "\n")
    return tmp_path


def test_the_table_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, bench.data; sys.exit(' '.join({'torch', 'numpy', 'PIL'} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_is_whole(name: str) -> None:
    entry = DATASETS[name]
    assert len(entry.palette) == entry.num_classes == len(set(entry.class_names)) == len(set(entry.palette))
    assert name == "folder" or all(split is None or split in entry.splits for split in entry.roles.values())


def test_voc_never_chooses_on_the_reported_split() -> None:
    assert VOC.roles == {"train": "train", "val": None, "test": "val"}
    assert VOC.palette == tuple(colour(label) for label in range(21))
    assert colour(255) == (224, 224, 192)  # the cream of the devkit's outlines


def test_list_keeps_the_order_and_reads_names_not_folders(tree: Path) -> None:
    samples = list_samples(CAMVID, tree, SPEC, "val")
    assert [sample.id for sample in samples] == ["b", "a"]
    assert samples[0].files == (tree / "CamVid/val/b.png", tree / "CamVid/valannot/b.png")
    image, label = files(samples[0], CAMVID, SPEC)
    assert (image == noise(4, 6, 3)).all()
    assert label.tolist()[1] == [6, 7, 8, 9, 10, 255]  # 11 on disk


def test_unknown_split_names_the_nearest(tree: Path) -> None:
    with pytest.raises(BenchError, match=r"no split 'trian'\. Did you mean 'train'.*It has train, val, test"):
        list_samples(CAMVID, tree, SPEC, "trian")


def test_empty_split(tree: Path) -> None:
    (tree / "CamVid/val.txt").write_text("\n")
    with pytest.raises(BenchError, match=r"'val' of data set 'camvid' .* has no images"):
        list_samples(CAMVID, tree, SPEC, "val")


@pytest.mark.parametrize(("spec", "place"), [(SPEC, "CamVid"), (VOC_SPEC, "VOCdevkit/VOC2012")])
def test_absent_set_says_what_how_and_where(tmp_path: Path, spec: DatasetSpec, place: str) -> None:
    with pytest.raises(BenchError) as caught:
        list_samples(DATASETS[spec.name], tmp_path, spec, "train")
    message = str(caught.value)
    assert str(tmp_path / place) in message
    assert DATASETS[spec.name].obtain in message
    assert "--data-root" in message
    assert len(message.splitlines()) <= 6


@pytest.mark.parametrize(("gone", "kind"), [("train/a.png", "image"), ("trainannot/a.png", "label")])
def test_a_listed_file_that_is_gone_is_named(tree: Path, gone: str, kind: str) -> None:
    (tree / "CamVid" / gone).unlink()
    with pytest.raises(BenchError, match=rf"{gone}: this {kind} is named in .*train\.txt and is not there"):
        list_samples(CAMVID, tree, SPEC, "train")


def test_a_file_where_a_folder_belongs(tree: Path) -> None:
    (tree / "CamVid/train").rename(tree / "CamVid/elsewhere")
    (tree / "CamVid/train").write_text("")
    with pytest.raises(BenchError, match="train: cannot be listed"):
        list_samples(CAMVID, tree, SPEC, "train")


@pytest.mark.parametrize(
    ("text", "message"), [("one\n", "is not the path of an image and that"), ("/a/a.png /a/a.png\n" * 2, "'a' more than once")]
)
def test_a_list_that_makes_no_sense(tree: Path, text: str, message: str) -> None:
    (tree / "CamVid/train.txt").write_text(text)
    with pytest.raises(BenchError, match=message):
        list_samples(CAMVID, tree, SPEC, "train")


def test_a_list_that_is_no_text(tree: Path) -> None:
    (tree / "CamVid/train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchError, match=r"train\.txt: the list of the split cannot be read"):
        list_samples(CAMVID, tree, SPEC, "train")


def test_palette_files_are_read_as_ids(tmp_path: Path) -> None:
    label = np.array([[0, 20, 255], [7, 7, 1]], np.uint8)
    picture = Image.fromarray(label)
    picture.putpalette([255 - value // 3 for value in range(768)])  # colours that have nothing to do with the ids
    picture.save(tmp_path / "label.png")
    with Image.open(tmp_path / "label.png") as written:
        assert written.mode == "P"
    assert (read_label(tmp_path / "label.png", VOC) == label).all()


def test_four_bit_palette_files_are_read_as_ids(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 5, 3]], np.uint8))
    picture.putpalette(list(range(48)))
    picture.save(tmp_path / "label.png", bits=4)
    assert read_label(tmp_path / "label.png", VOC).tolist() == [[0, 5, 3]]


def test_label_out_of_range_names_file_value_and_range(tmp_path: Path) -> None:
    path = write(tmp_path / "label.png", np.array([[0, 12, 12, 10]], np.uint8))
    with pytest.raises(BenchError, match=r"label\.png: 2 pixels have the label 12, .* 0 to 10, void is 11"):
        read_label(path, CAMVID)
    with pytest.raises(BenchError, match="label 255"):
        to_ids(np.full((2, 2), 255, np.uint8), CAMVID, path)
    with pytest.raises(BenchError, match="no value means void"):
        to_ids(np.full((2, 2), 7, np.uint8), DATASETS["phantom"], path)


@pytest.mark.parametrize("array", [noise(3, 3, 3), noise(3, 3) > 9])
def test_labels_that_are_no_ids(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(BenchError, match="one class id a pixel"):
        read_label(write(tmp_path / "label.png", array), CAMVID)


def test_ids_in_sixteen_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "label.png", np.array([[0, 10, 11]], np.uint16))
    assert read_label(path, CAMVID).tolist() == [[0, 10, 255]]
    with pytest.raises(BenchError, match="1 pixels have the label 65535"):
        read_label(write(path, np.array([[0, 65535]], np.uint16)), CAMVID)


@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_files(tmp_path: Path, kept: float, suffix: str) -> None:
    path = write(tmp_path / f"x.{suffix}", noise(40, 40, 3))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(BenchError, match=rf"x\.{suffix}: cannot be read as an image"):
        read_image(path)


def test_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is not there"):
        read_image(tmp_path / "x.png")


def test_sizes_that_differ(tmp_path: Path) -> None:
    pair = write(tmp_path / "a.png", noise(4, 6, 3)), write(tmp_path / "b.png", np.zeros((6, 4), np.uint8))
    with pytest.raises(BenchError, match=r"a\.png: is 4x6 .* label .*b\.png is 6x4"):
        files(Sample("a", pair), CAMVID, SPEC)


def test_sample_without_label(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="'a' of 'camvid' has 1 files"):
        files(Sample("a", (tmp_path / "a.png",)), CAMVID, SPEC)


def test_grey_and_transparency_become_three_channels(tmp_path: Path) -> None:
    grey, clear = noise(3, 4), noise(3, 4, 4)
    assert (read_image(write(tmp_path / "grey.png", grey)) == grey[..., None]).all()
    assert (read_image(write(tmp_path / "clear.png", clear)) == clear[..., :3]).all()


def test_deep_grey_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="deeper than 8 bits"):
        read_image(write(tmp_path / "deep.png", noise(3, 4).astype(np.uint16)))


def test_orientation_tags_are_left_alone(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # "turn by 90 degrees to view"
    Image.fromarray(noise(8, 16, 3)).save(tmp_path / "x.jpg", exif=tags)
    assert read_image(tmp_path / "x.jpg").shape == (8, 16, 3)


def test_shrinking_by_hand() -> None:
    image = np.array([[[0], [10], [20], [30]], [[2], [12], [22], [33]]], np.uint8).repeat(3, axis=2)
    label = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint8)
    small, ids = resize(image, label, (1, 2))
    assert small[..., 0].tolist() == [[6, 26]]  # (0+10+2+12)/4, (20+30+22+33)/4
    assert ids.tolist() == [[5, 7]]


def test_shrinking_by_a_fraction_weighs_shared_pixels() -> None:
    image = np.array([[[0], [90], [240]]], np.uint8).repeat(3, axis=2)
    small, ids = resize(image, np.array([[1, 2, 3]], np.uint8), (1, 2))
    assert small[0, :, 0].tolist() == [30, 190]  # (0 + 90/2) / 1.5, (90/2 + 240) / 1.5
    assert ids.tolist() == [[1, 3]]


@pytest.mark.parametrize("size", [(7, 11), (30, 50), (13, 90), (61, 20), (31, 47)])
def test_image_and_label_keep_one_geometry(size: tuple[int, int]) -> None:
    """Where the label is the thresholded image, both must still agree after resizing, but for pixels an edge runs through."""
    label = np.zeros((31, 47), np.uint8)
    label[9:22, 14:33] = 1
    image = (label * 200)[..., None].repeat(3, axis=2)
    new_image, new_label = resize(image, label, size)
    assert new_image.shape == (*size, 3) and new_label.shape == size
    clear = (new_image[..., 0] == 0) | (new_image[..., 0] == 200)
    assert ((new_image[..., 0] > 100) == new_label)[clear].all()
    assert clear.mean() > 0.5
    assert new_image.mean() == pytest.approx(image.mean(), rel=0.1)


def test_resize_is_what_the_spec_asks_for(tree: Path) -> None:
    sample = list_samples(CAMVID, tree, SPEC, "test")[0]
    image, label = files(sample, CAMVID, DatasetSpec(name="camvid", resize=(2, 3)))
    assert image.shape == (2, 3, 3) and label.shape == (2, 3)
    assert label[0].tolist() == [7, 9, 255]


@pytest.mark.data
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_real_camvid_has_its_published_sizes(real_data: Path, split: str) -> None:
    samples = list_samples(CAMVID, real_data, SPEC, split)
    assert len(samples) == CAMVID.splits[split]
    image, label = files(samples[0], CAMVID, SPEC)
    assert image.shape == (360, 480, 3) and label.shape == (360, 480)


@pytest.mark.data
def test_real_camvid_classes_are_in_the_published_order(real_data: Path) -> None:
    """The published weights, median frequency with void as a twelfth class, tell the classes apart by their frequency.

    They were made from another version of the labels: ten agree within 12 %, and these files hold far more signs.
    """
    pixels, shown = np.zeros(256), np.zeros(256)
    for sample in list_samples(CAMVID, real_data, SPEC, "train"):
        counts = np.bincount(read_label(sample.files[1], CAMVID).ravel(), minlength=256)
        pixels += counts
        shown += (counts > 0) * 360 * 480
    kinds = [*range(11), 255]
    frequency = pixels[kinds] / shown[kinds]
    ratios = np.median(frequency) / frequency[:11] / CAMVID_WEIGHTS
    assert np.delete(ratios, CAMVID.class_names.index("SignSymbol")) == pytest.approx(np.ones(10), rel=0.12)


@pytest.mark.data
def test_real_voc_labels(real_data: Path) -> None:
    base = real_data / "VOCdevkit/VOC2012"
    names = (base / "ImageSets/Segmentation/val.txt").read_text().split()
    assert len(names) == VOC.splits["val"]
    seen: set[int] = set()
    for name in names[::10]:
        seen |= set(np.unique(read_label(base / f"SegmentationClass/{name}.png", VOC)).tolist())
    assert seen == {*range(21), 255}
    with Image.open(base / f"SegmentationClass/{names[0]}.png") as picture:
        palette = picture.getpalette()
    assert palette is not None and palette[:63] == [shade for colour in VOC.palette for shade in colour]


def test_a_picture_too_large_for_the_reader_is_told_apart_from_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "wide.png", noise(30, 40, 3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(BenchError, match=r"wide\.png: has more than 1,000 pixels, the most that are read\. Cut it into tiles\."):
        read_image(path)

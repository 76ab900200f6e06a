"""Nothing that comes from elsewhere runs code or leaves its folder: files of stores, suites, lists of data sets, archives."""

import ast
import io
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bench import checkpoint
from bench.cell import cell_from_json
from bench.checkpoint import TrainState
from bench.contest import contests
from bench.data import DATASETS, entry_of
from bench.data.cache import open_cache
from bench.data.prepare import cache_folder, is_complete, prepare
from bench.data.samples import list_samples, tolerating
from bench.data.sources import Download
from bench.data.unpack import unpack
from bench.entrants import enter
from bench.errors import BenchError
from bench.expand import expand
from bench.per_image import PerImage, read_arrays
from bench.prepared import prepared
from bench.registry import load
from bench.scored import read
from bench.specs import DatasetSpec, FolderSpec
from bench.store import write_json
from bench.stored import inside, note_of, read_suite
from bench.suite import load_suite
from tests.made import ENTRY, SAMPLES, SPEC
from tests.made_results import put
from tests.made_results import suite as made_suite

SUITE = """\
name: made
models:
  fcn: {name: fcn, backbone: small, width: 4, stride: 8}
matrix: {dataset: [phantom], model: [fcn]}
"""
LOADERS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
"""Calls that would run code of a file unless a keyword says that they must not."""
BANNED = {
    *("eval", "exec", "compile", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("shelve.open", "joblib.load", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads", "os.system", "os.popen"),
    *("pandas.read_pickle", "pd.read_pickle", "torch.jit.load", "torch.hub.load", "yaml.load", "yaml.load_all", "yaml.full_load"),
    *("yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load_all", "shutil.unpack_archive"),
}
SAFE_YAML = {"safe_load", "safe_dump", "SafeLoader", "CSafeLoader", "YAMLError", "MarkedYAMLError"}


def faults(source: str) -> list[str]:
    """What in a module could run code that a file holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            said = {each.arg: ast.unparse(each.value) for each in node.keywords}
            keyword, value = LOADERS.get(name, ("", None))
            if name in BANNED or (keyword and said.get(keyword) != str(value)) or said.get("shell") == "True":
                found.append(f"{name}, line {node.lineno}")
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml":
            loads = node.attr.endswith(("load", "Loader", "load_all"))
            found += [f"yaml.{node.attr}, line {node.lineno}"] if loads and node.attr not in SAFE_YAML else []
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "numpy", "yaml", "pickle", "marshal", "os"):
            loads = [each.name for each in node.names if each.name.endswith(("load", "loads", "Loader", "Unpickler", "system"))]
            found += [f"from {node.module} import {name}" for name in loads]  # under another name it would not be found here
    return found


def test_nothing_is_loaded_that_could_run_code(repository: Path) -> None:
    modules = [*(repository / "bench").rglob("*.py"), *(repository / "dashboard").rglob("*.py")]
    texts = {path.relative_to(repository).as_posix(): path.read_text(encoding="utf-8") for path in modules}
    assert {name: found for name, text in texts.items() if (found := faults(text))} == {}
    assert sum(text.count("torch.load(") + text.count("np.load(") for text in texts.values()) >= 9, "the walk sees them"


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)", "torch.load(path, weights_only=False)", "np.load(path)", "np.load(path, allow_pickle=True)",
        "np.load(path, **options)", "yaml.load(text, yaml.SafeLoader)", "yaml.UnsafeLoader", "yaml.FullLoader", "pickle.loads(b)",
        "from torch import load", "from yaml import unsafe_load as safe", "eval(text)", "subprocess.run(text, shell=True)",
    ],
)  # fmt: skip
def test_the_walk_finds(line: str) -> None:
    assert faults(line)
    assert not faults("torch.load(p, weights_only=True); np.load(p, allow_pickle=False); yaml.safe_load(t); model.load(x)")


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    """A trap that can be sprung, and has not been when the test is over."""
    trap = Trap(tmp_path / "sprung")
    pickle.loads(pickle.dumps(trap))
    trap.path.unlink()
    yield trap
    assert not trap.path.exists(), "code in a file was run"


def test_code_in_checkpoints_and_weights_is_not_run(trap: Trap, tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    state = TrainState(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for name in ("last.pt", "previous.pt", "final.pt"):
        torch.save({"step": trap, "weight": trap}, tmp_path / name)
    assert len(checkpoint.resume(tmp_path, state)) == 2 and state.step == 0
    with pytest.raises(BenchError, match=r"final\.pt: the trained weights cannot be read"):
        checkpoint.load_weights(tmp_path / "final.pt", model)
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.inherit(tmp_path / "final.pt", model)


def test_code_in_a_prepared_cache_is_not_run(trap: Trap, tmp_path: Path) -> None:
    folder = prepare(SAMPLES, ENTRY, SPEC, tmp_path / "cache")
    np.savez(folder / "index.npz", sizes=np.array([trap], object), class_counts=np.array([trap], object))
    assert not is_complete(folder)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        open_cache(folder)


@pytest.mark.parametrize("name", ["counts", "ids", "bands"])
def test_code_in_sums_is_not_run(trap: Trap, tmp_path: Path, name: str) -> None:
    (cell,), store = made_suite(tmp_path, SUITE)
    put(store, cell, np.ones((2, 3, 3), np.int64))
    path = store.folder(cell.id) / "per_image.npz"
    np.savez(path, **{**read_arrays(path, PerImage.__dataclass_fields__), name: np.array([trap], object)})
    for action in (lambda: PerImage.read(path), lambda: read(store, cell.id)):
        with pytest.raises(BenchError, match=r"per_image\.npz cannot be read"):
            action()


@pytest.mark.parametrize("text", ["!!python/object/apply:pathlib.Path.touch [{path}]", "matrix: !!python/name:os.system x"])
def test_code_in_a_suite_is_not_run(trap: Trap, tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(text.replace("{path}", str(trap.path)))
    with pytest.raises(BenchError, match=r"s\.yaml"):
        load_suite(tmp_path / "s.yaml")


OUT = ["../out", "a/../../../out", "/out", ".."]
"""Names that lead out of a folder."""


@pytest.mark.parametrize("name", OUT)
def test_the_paths_of_a_suite_stay_below_the_data_root(name: str) -> None:
    sound = {"name": "folder", "images": "i", "labels": "l", "classes": ["a", "b"], "splits": {"train": "a", "test": "t.txt"}}
    FolderSpec.model_validate(sound)
    for field, value in (("images", name), ("labels", name), ("splits", {"train": name, "test": "t.txt"})):
        with pytest.raises(ValueError, match="below the data root"):
            FolderSpec.model_validate({**sound, field: value})
    with pytest.raises(ValueError, match="splits"):
        FolderSpec.model_validate({**sound, "splits": {"test": "t.txt", name: "a"}})


@pytest.mark.parametrize("name", OUT)
def test_the_names_of_a_suite_name_no_other_folder(tmp_path: Path, name: str) -> None:
    block = f"datasets:\n  set: {{name: {name}}}\n"
    for text in (SUITE.replace("made", name), SUITE.replace("phantom", name), block + SUITE.replace("phantom", "set")):
        (tmp_path / "s.yaml").write_text(text)
        with pytest.raises(BenchError, match=r"s\.yaml"):
            expand(load_suite(tmp_path / "s.yaml"))
    with pytest.raises(BenchError, match="has no split"):
        list_samples(DATASETS["phantom"], tmp_path, DatasetSpec(name="phantom"), name)


LISTS = {
    "camvid": ("CamVid/train.txt", "/SegNet/CamVid/train/.. /SegNet/CamVid/trainannot/.."),
    "voc2012": ("VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt", "../../../out"),
    "sbd": ("benchmark_RELEASE/dataset/train.txt", "/out"),
    "pet": ("oxford-iiit-pet/annotations/trainval.txt", "../../out 1 1 1"),
    "scannet": ("scannet_frames_25k/scannetv2_train.txt", "../elsewhere"),
}
"""Data set -> its list of a split, and a line of it that leads out of the data set's folders."""


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_a_data_set_names_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    entry, spec, (place, line) = DATASETS[name], DatasetSpec(name=name), LISTS[name]
    split = str(entry.roles["train"])
    root = tmp_path / "root"
    load(str(entry.layout))(root, 2, (32, 32), 0)
    sound = list_samples(entry, root, spec, split)
    for picture in ("out.jpg", "out.png", "out.mat"):
        (root / picture).write_text("another's")
    if name == "scannet":
        shutil.copytree(root / "scannet_frames_25k", root / "elsewhere")
    with (root / place).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(BenchError, match=rf"{Path(place).name}: names '.*', which leads out"):
        list_samples(entry, root, spec, split)
    with tolerating() as findings:
        assert list_samples(entry, root, spec, split) == sound, "a check goes on without it"
    assert [each.kind for each in findings.obstacles] == ["list"]


def test_a_list_of_a_folder_finds_only_what_lies_below(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in (root / "i", root / "l", tmp_path / "i", tmp_path / "l"):
        folder.mkdir(parents=True)
        Image.new("L", (4, 4)).save(folder / "out.png")
    (root / "t.txt").write_text("../../i/out\n")
    spec = FolderSpec(name="folder", images="i", labels="l", classes=("a",), splits={"test": "t.txt"})
    with pytest.raises(BenchError, match=r"'\.\./\.\./i/out' of the split 'test' is not there"):
        list_samples(entry_of(spec), root, spec, "test")


@pytest.mark.parametrize("name", [*OUT, "a/b", ".hidden", "", "a\0b", "x" * 300])
def test_the_ids_of_a_store_stay_in_it(tmp_path: Path, name: str) -> None:
    _, store = made_suite(tmp_path, SUITE)
    (store.root / "suites").mkdir(parents=True)
    write_json(store.root / "suites" / "s.json", {"cells": [name]})
    with pytest.raises(BenchError, match="is no id of a cell"):
        store.folder(name)
    assert read_suite(store, "s").problems == [f"{name[:80]!r} is no id of a cell"]
    with pytest.raises(BenchError, match="knows no suite"):
        note_of(store, f"{name}/s")


def test_the_splits_and_links_of_a_store_stay_in_it(tmp_path: Path) -> None:
    (cell,), store = made_suite(tmp_path, SUITE)
    evil = replace(cell, dataset=cell.dataset.model_copy(update={"test": "../../../out"}), fingerprints={"../../../out": "f"})
    outside = cache_folder(evil.dataset, "../../../out", "f", store.cache)
    prepare(SAMPLES, ENTRY, SPEC, outside, fingerprint="f")
    with pytest.raises(BenchError, match="has no prepared images"):
        prepared(store, evil)
    store.folder("linked").parent.mkdir(parents=True)
    store.folder("linked").symlink_to(tmp_path)
    with pytest.raises(BenchError, match="leads out of the store"):
        inside(store, "linked")


def test_labels_are_text_wherever_they_are_shown_or_filed(tmp_path: Path) -> None:
    (cell,), store = made_suite(tmp_path, SUITE)
    contest = replace(contests(load_suite(tmp_path / "made.yaml"), [cell])[0], truth="t")
    enter(store, "../../<b>out", contest, contest.cell("../../<b>out", "0" * 64, None))
    assert [path.parent for path in tmp_path.rglob("*out*.json")] == [store.root / "external"]
    with pytest.raises(ValueError, match="characters"):
        cell_from_json({**cell.to_json(), "labels": {"model": "x" * 5000, "dataset": "d", "augmentation": "a"}})


def _tar(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        file.addfile(info)
        if kind == tarfile.SYMTYPE:  # and a file by way of the link
            file.addfile(tarfile.TarInfo(f"{name}/out.txt"))
    return buffer.getvalue()


def _zip(name: str, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, "/")
    return buffer.getvalue()


ARCHIVES = {
    "above.tar": _tar("../out.txt"),
    "link.tar": _tar("top", tarfile.SYMTYPE, "../../../.."),
    "absolute-link.tar": _tar("top", tarfile.SYMTYPE, "/tmp"),
    "hard-link.tar": _tar("top/out.txt", tarfile.LNKTYPE, "../../../secret"),
    "device.tar": _tar("top/out.txt", tarfile.CHRTYPE),
    "above.zip": _zip("top/../../out.txt"),
    "absolute.zip": _zip("/out.txt"),
    "link.zip": _zip("top", 0o120777),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("another's")
    root = tmp_path / "a" / "b"
    root.mkdir(parents=True)
    (root / name).write_bytes(ARCHIVES[name])
    with pytest.raises(BenchError, match="Delete the file and fetch it again"):
        unpack(root / name, Download(name=name, mirrors=("http://127.0.0.1:9/",), provides=("set",), to="set"), root)
    assert {path.name for path in tmp_path.rglob("*")} == {"secret", "a", "b", name}

"""Rooms: ScanNet and SUN RGB-D."""

from bench.data.entries.colours import colours
from bench.registry import DatasetEntry

SCANNET = DatasetEntry(
    samples="bench.data.scannet:samples",
    decode="bench.data.scannet:decode",
    class_names=(
        *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter"),
        *("desk", "curtain", "refrigerator", "shower curtain", "toilet", "sink", "bathtub", "other furniture"),
    ),
    palette=colours(20),
    ids={value: label for label, value in enumerate((*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39))},
    ignore_index=0,
    # The other classes of NYU40 are not scored, and values that are no class of NYU40 occur.
    void_ids=range(65536),
    splits={"train": None, "val": 5436},
    # The labels of test are withheld; choosing a checkpoint on val and reporting on it would be selection bias.
    roles={"train": "train", "val": None, "test": "val"},
    version="v2, scannet_frames_25k, 20 classes",
    license="ScanNet Terms of Use, to be signed",
    paper="Dai et al.: ScanNet: Richly-annotated 3D Reconstructions of Indoor Scenes, CVPR 2017",
    obtain=(
        "sign the terms at http://www.scan-net.org; scannet_frames_25k.zip, and scannetv2_train.txt and scannetv2_val.txt of "
        "https://github.com/ScanNet/ScanNet (Tasks/Benchmark), to <data root>/scannet_frames_25k"
    ),
    layout="bench.data.layouts:scannet",
)
SUNRGBD = DatasetEntry(
    samples="bench.data.sunrgbd:samples",
    class_names=(
        *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter"),
        *("blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat", "clothes", "ceiling", "books"),
        *("fridge", "tv", "paper", "towel", "shower_curtain", "box", "whiteboard", "person", "night_stand", "toilet", "sink"),
        *("lamp", "bathtub", "bag"),
    ),
    palette=colours(37),
    ids={value: value - 1 for value in range(1, 38)},
    ignore_index=0,
    splits={"train": 5285, "test": 5050},
    roles={"train": "train", "val": None, "test": "test"},
    version="V1, 37 classes",
    license="none stated by its authors; published for research",
    paper="Song et al.: SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite, CVPR 2015",
    obtain=(
        "SUNRGBD-train_images.tgz, SUNRGBD-test_images.tgz and sunrgbd_train_test_labels.tar.gz as linked at "
        "https://github.com/ankurhanda/sunrgbd-meta-data, to the folders train, test and labels of <data root>/SUNRGBD"
    ),
    layout="bench.data.layouts:sunrgbd",
)

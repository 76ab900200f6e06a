"""PASCAL VOC 2012, the Semantic Boundaries Dataset (SBD), and the two together."""

from dataclasses import replace

from bench.registry import DatasetEntry

VOC2012 = DatasetEntry(
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
)
SBD = replace(
    VOC2012,
    samples="bench.data.sbd:samples",
    decode="bench.data.sbd:decode",
    splits={"train": 8498, "val": 2857},
    version="benchmark_RELEASE",
    license="none stated by its authors; photographs of PASCAL VOC under Flickr's terms of use",
    paper="Hariharan et al.: Semantic Contours from Inverse Detectors, ICCV 2011",
    obtain=(
        "benchmark.tgz of http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/, "
        "to <data root>/benchmark_RELEASE"
    ),
    layout="bench.data.layouts:sbd",
)
VOC2012_SBD = replace(
    VOC2012,
    samples="bench.data.trainaug:samples",
    decode="bench.data.sbd:decode",
    splits={"trainaug": 10582, "sbd_train": 8498, "train": 1464, "val": 1449, "seg11valid": 736},
    roles={"train": "trainaug", "val": None, "test": "val"},
    version=f"{VOC2012.version} with SBD {SBD.version}",
    license=SBD.license,
    paper=f"{VOC2012.paper}; {SBD.paper}; seg11valid: Long et al., CVPR 2015",
    obtain=(
        f"VOC 2012: {VOC2012.obtain}; SBD: {SBD.obtain}; for seg11valid also the list VOC2011/ImageSets/Segmentation/val.txt, to "
        "<data root>/VOCdevkit, or seg11valid.txt of the FCN repository, to VOCdevkit/VOC2012/ImageSets/Segmentation"
    ),
    layout="bench.data.layouts:voc_sbd",
)

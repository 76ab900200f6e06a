"""SYNTHIA-RAND-CITYSCAPES under four sets of classes, all read from GT/LABELS.

`synthia`: its own 22 classes, ids 1 to 22. `synthia_13`: the classes of the CVPR 2016 paper; those which later releases added
and that list lacks become "misc", and whoever rides or is ridden is a "cyclist". `synthia_19`: Cityscapes' classes; terrain, truck
and train are kept, so that a network fits both sets, though no pixel of this one shows them. `synthia_16`: the 19 without those
three, which are void, the usual target of domain adaptation. In the last two, parking slots, road works and lane markings are void.
"""

from dataclasses import replace

from bench.data.entries.colours import colours
from bench.data.entries.street import CITYSCAPES
from bench.registry import DatasetEntry

SYNTHIA = DatasetEntry(
    samples="bench.data.synthia:samples",
    decode="bench.data.synthia:decode",
    class_names=(
        *("sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign", "pedestrian", "bicycle"),
        *("motorcycle", "parking slot", "road work", "traffic light", "terrain", "rider", "truck", "bus", "train", "wall"),
        "lane marking",
    ),
    palette=colours(22),
    ids={value: value - 1 for value in range(1, 23)},
    ignore_index=0,
    # There is no published split; see bench/data/synthia.py.
    splits={"train": 7520, "val": 940, "test": 940, "all": 9400},
    version="SYNTHIA-RAND-CITYSCAPES, own 22 classes",
    license="its authors' own terms; for research",
    paper="Ros et al.: The SYNTHIA Dataset, CVPR 2016",
    obtain="SYNTHIA_RAND_CITYSCAPES.rar of https://synthia-dataset.net/downloads/, to <data root>/RAND_CITYSCAPES",
    layout="bench.data.layouts:synthia",
)
_OF_2016 = {
    **{"sky": "sky", "building": "building", "road": "road", "sidewalk": "sidewalk", "fence": "fence", "vegetation": "vegetation"},
    **{"pole": "pole", "car": "car", "traffic sign": "sign", "pedestrian": "pedestrian", "lane marking": "lane-marking"},
    **dict.fromkeys(("bicycle", "motorcycle", "rider"), "cyclist"),
}
_CLASSES_OF_2016 = (
    *("misc", "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "sign", "pedestrian", "cyclist"),
    "lane-marking",
)
SYNTHIA_13 = replace(
    SYNTHIA,
    class_names=_CLASSES_OF_2016,
    palette=(
        *((0, 0, 0), (128, 128, 128), (128, 0, 0), (128, 64, 128), (0, 0, 192), (64, 64, 128), (128, 128, 0), (192, 192, 128)),
        *((64, 0, 128), (192, 128, 128), (64, 64, 0), (0, 128, 192), (0, 175, 0)),
    ),
    ids={value: _CLASSES_OF_2016.index(_OF_2016.get(name, "misc")) for value, name in enumerate(SYNTHIA.class_names, start=1)},
    version="SYNTHIA-RAND-CITYSCAPES, 13 classes of 2016",
)


def _as_in_cityscapes(names: tuple[str, ...]) -> dict[int, int]:
    """Value on disk -> place among ``names``, for the classes that both sets have."""
    theirs = {"pedestrian": "person"}
    renamed = [theirs.get(name, name) for name in SYNTHIA.class_names]
    return {value: names.index(name) for value, name in enumerate(renamed, start=1) if name in names}


_UNSEEN = ("terrain", "truck", "train")
_KEPT = [label for label, name in enumerate(CITYSCAPES.class_names) if name not in _UNSEEN]
_SIXTEEN = tuple(CITYSCAPES.class_names[label] for label in _KEPT)
SYNTHIA_19 = replace(
    SYNTHIA,
    class_names=CITYSCAPES.class_names,
    palette=CITYSCAPES.palette,
    ids=_as_in_cityscapes(CITYSCAPES.class_names),
    void_ids=range(23),
    version="SYNTHIA-RAND-CITYSCAPES, Cityscapes' 19 classes",
)
SYNTHIA_16 = replace(
    SYNTHIA_19,
    class_names=_SIXTEEN,
    palette=tuple(CITYSCAPES.palette[label] for label in _KEPT),
    ids=_as_in_cityscapes(_SIXTEEN),
    version="SYNTHIA-RAND-CITYSCAPES, 16 of Cityscapes' classes",
)

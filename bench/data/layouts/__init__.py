"""Generated trees in the on-disk layouts of real data sets, so that a suite is tried through the reader it will use.

A layout is one function ``(root, count, size, seed) -> None``: it draws ``count`` pictures of (height, width) ``size`` a split
with `pictures`, and writes them as the set's own tools do. Only `folder` takes the suite's description besides.
"""

from bench.data.layouts.drawn import pictures
from bench.data.layouts.few_classes import isbi2012, pet
from bench.data.layouts.folder import folder
from bench.data.layouts.indoor import scannet, sunrgbd
from bench.data.layouts.street import camvid, cityscapes
from bench.data.layouts.synthia import synthia
from bench.data.layouts.voc import sbd, voc, voc_sbd

__all__ = [
    "camvid",
    "cityscapes",
    "folder",
    "isbi2012",
    "pet",
    "pictures",
    "sbd",
    "scannet",
    "sunrgbd",
    "synthia",
    "voc",
    "voc_sbd",
]

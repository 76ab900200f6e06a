"""U-Net's weight for the pixels between objects that nearly touch (Ronneberger et al. 2015, arXiv 1505.04597, equation 2).

    w(x) = w_class(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2))

d1 and d2 are the Euclidean distances, between pixel centres, to the nearest and the second nearest object. An object is a
connected component of one class, with pixels joined by their edges; inside an object d1 is 0, and with fewer than two objects
the term is 0. What is kept is the exponential, without w0: a float16 a pixel, so right to 5e-4 of its value and to 3e-8 near 0.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from bench.cell import digest
from bench.errors import BenchError, nearest
from bench.specs import BorderSpec

_FAR = 6.0
"""Deviations beyond which the term, below 1.6e-8, is less than half of the smallest float16."""


def border_term(label: NDArray[np.uint8], objects: tuple[int, ...], sigma_px: float) -> NDArray[np.float32]:
    """exp(-(d1 + d2)^2 / (2 sigma^2)) of a (H, W) label, for objects of the given classes: (H, W) in [0, 1]."""
    from scipy import ndimage  # it takes a while to load, and names are checked where nothing is measured

    first, second = np.full((2, *label.shape), np.inf, np.float32)
    reach = ceil(_FAR * sigma_px)
    for value in objects:
        components, _ = ndimage.label(label == value)
        for number, (rows, columns) in enumerate(ndimage.find_objects(components), start=1):
            # Farther than `reach` the term is 0 in float16, so a component is measured in its own neighbourhood alone.
            window = _widened(rows, reach), _widened(columns, reach)
            distance = ndimage.distance_transform_edt(components[window] != number).astype(np.float32)
            np.minimum(second[window], np.maximum(first[window], distance), out=second[window])
            np.minimum(first[window], distance, out=first[window])
    return np.exp(-np.square(first + second) / np.float32(2 * sigma_px**2))


def _widened(side: slice, reach: int) -> slice:
    return slice(max(0, side.start - reach), side.stop + reach)


def border_file(spec: BorderSpec, class_names: tuple[str, ...]) -> str:
    """Name, in a cache's folder, of the packed terms for a spec's objects and sigma."""
    key = digest({"version": 1, "objects": sorted(object_ids(spec, class_names)), "sigma_px": spec.sigma_px})
    return f"border-{key[:12]}.f16"


def object_ids(spec: BorderSpec, class_names: tuple[str, ...]) -> tuple[int, ...]:
    """The ids of the classes whose components are objects; raises BenchError for a name that is no class."""
    for name in spec.objects:
        if name not in class_names:
            known = f"{nearest(name, class_names)} The classes are {', '.join(class_names)}."
            raise BenchError(f"train.border_weights.objects: unknown class {name!r}.{known}")
    return tuple(class_names.index(name) for name in spec.objects)

"""The size of a training crop. No torch here: it is checked before anything is trained."""

import numpy as np

from bench.errors import BenchError
from bench.specs import TrainSpec


def crop_size(sizes: np.ndarray, train: TrainSpec) -> tuple[int, int]:
    """(height, width) of the training crop; raises BenchError when whole images are asked for and their sizes differ."""
    if train.crop == "full":
        if not (sizes == sizes[0]).all():
            other = sizes[(sizes != sizes[0]).any(axis=1)][0]
            raise BenchError(
                f"train.crop is 'full', but the images differ in size ({sizes[0][0]}x{sizes[0][1]} and {other[0]}x{other[1]}). "
                "Set train.crop to a side in pixels, or dataset.resize."
            )
        return int(sizes[0][0]), int(sizes[0][1])
    return train.crop if isinstance(train.crop, tuple) else (train.crop, train.crop)

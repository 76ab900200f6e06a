"""The size of a training crop. No torch here: it is checked before anything is trained."""

import numpy as np

from bench.errors import BenchError
from bench.specs import TrainSpec


def crop_size(sizes: np.ndarray, train: TrainSpec) -> tuple[int, int] | None:
    """(height, width) of the training crop, or None where every image is a batch of its own, at its own size.

    Raises BenchError when whole images are to share a batch and their sizes differ.
    """
    if train.crop == "full":
        if train.batch == 1:
            return None
        if not (sizes == sizes[0]).all():
            other = sizes[(sizes != sizes[0]).any(axis=1)][0]
            raise BenchError(
                f"train.crop is 'full', but the images differ in size ({sizes[0][0]}x{sizes[0][1]} and {other[0]}x{other[1]}). "
                "Set train.crop to a side in pixels, train.batch to 1, or dataset.resize."
            )
        return int(sizes[0][0]), int(sizes[0][1])
    return train.crop if isinstance(train.crop, tuple) else (train.crop, train.crop)


def check_margin(sizes: np.ndarray, train: TrainSpec, margin_px: int) -> None:
    """Raise BenchError for training images that a model without padding, which loses a margin a side, has no logits for."""
    least = min(crop_size(sizes, train) or sizes.min(axis=0).tolist())
    if least <= 2 * margin_px:
        raise BenchError(
            f"a training image of {least} px is all margin: with valid convolutions the model loses {margin_px} px a side. "
            f"Set train.crop to more than {2 * margin_px}, or the model's depth lower, or its padding to same."
        )

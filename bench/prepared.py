"""One image out of a store's prepared data, without torch: what a page of pictures shows beside predictions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.cell import Cell
from bench.data.prepare import cache_folder, is_complete
from bench.errors import BenchError
from bench.predictions import NAME, read_predictions
from bench.store import Store, read_json
from bench.stored import inside

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared:
    """The packed images of a cell's reported split, left on disk until one is asked for."""

    ids: tuple[str, ...]
    sizes: NDArray[np.int64]
    """(N, 2) heights and widths in px."""
    pixels: Bytes
    """(P, 3), all images one behind the other."""
    labels: Bytes
    """(P,)"""

    def image(self, name: str) -> tuple[Bytes, Bytes]:
        """The photograph (H, W, 3) and labels (H, W) of an image; raises BenchError for one that is not in the split."""
        if name not in self.ids:
            raise BenchError(f"image {name[:80]!r} is not in the prepared data")
        place, areas = self.ids.index(name), self.sizes.prod(1)
        begin, (height, width) = int(areas[:place].sum()), (int(side) for side in self.sizes[place])
        rows = slice(begin, begin + height * width)
        return np.array(self.pixels[rows]).reshape(height, width, 3), np.array(self.labels[rows]).reshape(height, width)


def prepared(store: Store, cell: Cell) -> Prepared:
    """The prepared data of a cell's reported split; raises BenchError, which says what to do, where there is none."""
    split = str(cell.dataset.test)
    fingerprint = (cell.fingerprints or {}).get(split)
    folder = cache_folder(cell.dataset, split, fingerprint, store.cache) if fingerprint else store.cache / "none"
    if not folder.resolve().is_relative_to(store.cache.resolve()) or not is_complete(folder):
        raise BenchError(
            f"{store.root} has no prepared images of {cell.dataset_label} {split}. "
            "Run the suite again on this machine, with its data: nothing is trained twice."
        )
    with np.load(folder / "index.npz", allow_pickle=False) as index:
        sizes = index["sizes"]
    pixels = np.memmap(folder / "pixels.u8", np.uint8, "r").reshape(-1, 3)
    return Prepared(
        tuple(read_json(folder / "manifest.json")["ids"]), sizes, pixels, np.memmap(folder / "labels.u8", np.uint8, "r")
    )


def has_predictions(store: Store, cell: Cell) -> bool:
    """Whether a cell's label maps were kept."""
    return inside(store, cell.id, NAME).is_file()


def predictions(store: Store, cell: Cell, names: list[str]) -> list[Bytes]:
    """The (H, W) label maps of some images; raises BenchError for a file or an image that cannot be read."""
    return read_predictions(inside(store, cell.id, NAME), names)

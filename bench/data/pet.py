"""Oxford-IIIT Pet: images/*.jpg, annotations/trimaps/*.png and the lists annotations/{trainval,test}.txt below oxford-iiit-pet.

A trimap holds 1 for the pet, 2 for the background and 3 for what was not classified, a band along the outline, which is void here.
"""

from pathlib import Path

from bench.data.samples import Sample, listed, paired, require
from bench.specs import DatasetSpec


def samples(root: Path, split: str, spec: DatasetSpec) -> list[Sample]:
    """The samples of `trainval` or `test`; a line of a list is a name, and the breed in numbers, which is not used here."""
    base = root / "oxford-iiit-pet"
    source, images, labels = base / "annotations" / f"{split}.txt", base / "images", base / "annotations" / "trimaps"
    require([base, source, labels], spec.name, root)
    ids = [line.split()[0] for line in listed(source, spec.name, root) if not line.startswith("#")]
    return paired(ids, lambda each: (images / f"{each}.jpg", labels / f"{each}.png"), source)

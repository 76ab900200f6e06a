"""The generated data of every shipped suite: found, fingerprinted and decoded by the real readers, with no split that leaks."""

from pathlib import Path

import pytest

from bench.data import DATASETS, entry_of
from bench.data.prepare import prepare
from bench.expand import expand
from bench.plan import check, roles, survey
from bench.smoke import smoke, smoke_store
from bench.store import Store, split_key
from bench.suite import load_suite

SUITES = sorted((Path(__file__).resolve().parents[1] / "suites").glob("*.yaml"))


@pytest.mark.parametrize("path", SUITES, ids=[path.stem for path in SUITES])
def test_generated_data_serves_the_suite(path: Path, tmp_path: Path) -> None:
    store = smoke_store(Store(tmp_path))
    cells, root = smoke(expand(load_suite(path)), store)
    check(cells)
    plan = survey(cells, root, store)
    assert len(plan.cells) == len(cells) and not plan.blocked
    for number, cell in enumerate({cell.dataset_label: cell for cell in plan.cells}.values()):
        for split in roles(cell).values():
            samples = plan.samples[split_key(cell, split)]
            prepare(samples, entry_of(cell.dataset), cell.dataset, tmp_path / f"cache{number}" / split)


def test_every_family_of_data_sets_has_a_suite() -> None:
    used = {cell.dataset.name for path in SUITES for cell in expand(load_suite(path))}
    assert {"voc2012_sbd", "cityscapes", "synthia", "scannet", "sunrgbd", "pet"} <= used <= set(DATASETS)

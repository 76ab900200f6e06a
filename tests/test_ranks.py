"""Several ranks train to what a single process trains to, and count what it counts: two processes on a CPU."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.losses import mean_divisor, segmentation_loss
from bench.ranks import ALONE, Ranks, refuse_norm_on_cpu
from tests import ranked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What one process found, and what each of two did."""
    return ranked.work(ALONE), ranked.by_ranks(tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("scene", ranked.SCENES)
def test_two_ranks_train_to_the_weights_of_one_process(found: tuple[dict[str, Any], list[dict[str, Any]]], scene: str) -> None:
    alone, ranks = found[0][scene], [each[scene] for each in found[1]]
    assert len(alone["losses"]) == 5
    for each in ranks:
        assert each["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        for name, value in alone["weights"].items():
            torch.testing.assert_close(
                each["weights"][name], value, rtol=1e-4, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
            )
    for name, value in ranks[0]["weights"].items():
        assert torch.equal(value, ranks[1]["weights"][name]), "the ranks hold the same weights to the bit"


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_two_ranks_count_exactly_what_one_process_counts(found: tuple[dict[str, Any], list[dict[str, Any]]], batch: int) -> None:
    alone, ranks = found[0][f"scored by {batch}"], [each[f"scored by {batch}"] for each in found[1]]
    assert alone["counts"].sum() > 0 and len(alone["counts"]) == 7
    for each in ranks:
        for name in set(alone) - {"kept"}:
            assert np.array_equal(each[name], alone[name]), name
        assert np.array_equal(each["validation"], each["counts"])
    mine = [each["kept"].tolist() for each in ranks]
    assert sorted(mine[0] + mine[1]) == list(range(7)), "every image is predicted once"
    assert min(map(len, mine)) == {1: 3, 2: 3, 16: 0}[batch]


def test_a_wish_of_one_is_the_wish_of_all(found: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    assert [(each["agreed"], each["nobody"]) for each in found[1]] == [(True, False)] * 2


def test_slices_cover_a_batch_and_a_single_process_takes_all() -> None:
    rows = list(range(12))
    assert [row for rank in range(3) for row in rows[Ranks(rank, 3).part(12)]] == rows
    assert rows[ALONE.part(12)] == rows and ALONE.purpose("dropout") == "dropout"
    assert len({Ranks(rank, 3).purpose("dropout") for rank in range(3)}) == 3


@pytest.mark.parametrize("weighted", [False, True])
def test_slices_of_a_batch_add_up_to_its_loss_where_one_is_void(weighted: bool) -> None:
    chance = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 3, 5, 5, generator=chance), torch.randint(0, 3, (4, 5, 5), generator=chance)
    labels[:2] = 255
    labels[3, 2:] = 255
    weights: dict[str, Any] = {"class_weights": torch.tensor([1.0, 3.0, 0.5])} if weighted else {}
    halves = slice(0, 2), slice(2, 4)
    told: list[torch.Tensor] = []

    def note(sums: torch.Tensor) -> torch.Tensor:
        told.append(sums)
        return sums

    for half in halves:
        mean_divisor(labels[half], total=note, **weights)
    divisor = mean_divisor(labels[halves[0]], total=lambda sums: torch.stack(told).sum(0), **weights)
    parts = [segmentation_loss(logits[half], labels[half], divisor=divisor, **weights) for half in halves]
    whole = nn.functional.cross_entropy(logits, labels, weight=weights.get("class_weights"), ignore_index=255)
    assert parts[0] == 0 and sum(parts).item() == pytest.approx(whole.item(), rel=1e-6)
    assert mean_divisor(torch.full((1, 2, 2), 255)) == 1


def test_batch_normalisation_over_processes_is_refused_on_a_cpu() -> None:
    refuse_norm_on_cpu(nn.Sequential(nn.GroupNorm(1, 4)), 2)
    with pytest.raises(BenchError, match=r"train\.devices is 2, and batch normalisation .* 1 layers, 0 first"):
        Ranks(0, 2).synchronised(nn.Sequential(nn.BatchNorm2d(4)))
    model = nn.BatchNorm2d(4)
    assert ALONE.synchronised(model) is model and ALONE.network(model) is model


@pytest.mark.gpu
def test_batch_statistics_on_gpus_are_those_of_the_whole_batch() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).cuda()
    names = list(model.state_dict())
    made = Ranks(0, 2).synchronised(model)
    assert isinstance(made[1], nn.SyncBatchNorm) and list(made.state_dict()) == names

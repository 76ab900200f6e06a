"""A cache on the host gives the batches of one on the device, whatever step is asked for; errors and placement are told."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bench.data.ahead import Streamed, place
from bench.data.batches import Batches
from bench.data.cache import Cache
from bench.specs import AugmentationSpec, TrainSpec
from tests.test_data_augment import EVERYTHING, cache  # noqa: F401  a fixture

CPU = torch.device("cpu")


@pytest.fixture(params=[AugmentationSpec(flip=0.5), EVERYTHING.model_copy(update={"noise": 4.0})], ids=["flip", "everything"])
def batches(request: pytest.FixtureRequest, cache: Cache) -> Batches:  # noqa: F811
    return Batches(cache, np.arange(6), TrainSpec(batch=4, crop=24), request.param, seed=2)


@pytest.fixture
def streamed(batches: Batches) -> Iterator[Streamed]:
    made = Streamed(batches, CPU, ahead=2)
    yield made
    made.close()


def test_streamed_batches_are_the_resident_ones_to_the_bit(batches: Batches, streamed: Streamed) -> None:
    for step in (0, 1, 2, 3, 40, 41, 3, 4):  # on, ahead, and back: a resumed training begins anywhere
        for one, other in zip(streamed(step), batches(step), strict=True):
            assert torch.equal(one, other)


def test_it_stays_ahead_and_holds_no_more_than_that(streamed: Streamed) -> None:
    streamed(5)
    assert sorted(streamed._coming) == [6, 7]
    assert [streamed._coming[step].result()[0].places.size for step in (6, 7)] == [(24, 24)] * 2, "made before anybody asked"


def test_an_error_of_the_thread_is_raised_where_its_batch_is_asked_for(streamed: Streamed) -> None:
    def broken(step: int) -> None:
        raise OSError(f"no disk at step {step}")

    streamed.batches.cut = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(OSError, match="no disk at step 9"):
        streamed(9)


def test_a_cache_that_takes_more_than_its_share_is_streamed(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    assert cache.size_bytes == 6 * 40 * 48 * 4
    assert place(cache, CPU, 0.5)[1] == "device" and place(cache, CPU, 0)[1] == "streamed"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * cache.size_bytes, 10**12))
    monkeypatch.setattr(Cache, "to", lambda self, device: self)
    gpu = torch.device("cuda:0")
    assert place(cache, gpu, 0.5)[1] == "device" and place(cache, gpu, 0.49)[1] == "streamed"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gets_the_same_batches_streamed_as_resident(batches: Batches) -> None:
    gpu = torch.device("cuda")
    resident = Batches(batches.cache.to(gpu), batches.chosen, batches.train, batches.augmentation, batches.seed)
    streamed = Streamed(batches, gpu)
    for step in range(20):
        for one, other in zip(streamed(step), resident(step), strict=True):
            assert one.device.type == "cuda" and torch.equal(one, other)
    streamed.close()

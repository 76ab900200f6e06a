"""The throughput protocol against clocks that are moved by hand, sensors that are made up, and batches that do not fit."""

import os
import sys
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.errors import BenchError
from bench.models import build_model
from bench.specs import FcnSpec, SmpSpec, TorchvisionSpec, UnetSpec
from bench.throughput import anchor, protocol, subject
from bench.throughput.configuration import Configuration, told_apart
from bench.throughput.document import Settings, Visit
from bench.throughput.estimate import best, estimate, latency, quick, speed, unit_of
from bench.throughput.host import clocks, pinned
from bench.throughput.parts import PARTS, boundary, split_pass
from bench.throughput.prepare import prepare, window_passes
from bench.throughput.search import best_batch
from bench.throughput.sensors import Nvml, open_sensors
from bench.throughput.steady import burn_in
from bench.throughput.subject import Inputs, Subject
from bench.throughput.timer import Timer, label_maps
from tests.made_throughput import Clock, FakeNvml, TimedNet

CPU = torch.device("cpu")
LITTLE = Settings(rounds=3, window_s=0.05, burn_in_s=0.2, most_batch=64)


@pytest.fixture
def timed(monkeypatch):
    """The protocol with a clock of its own, an anchor of 10 ms an image, and whatever network a test puts in."""
    clock = Clock()

    def forward(self, images):
        clock.advance(0.010 * len(images))
        return torch.zeros(len(images), 2, 2, 2, device=images.device)

    monkeypatch.setattr(anchor.AnchorNet, "forward", forward)
    monkeypatch.setattr(protocol, "Timer", lambda device: Timer(device, clock))

    def measure(net=None, settings=LITTLE, **more):
        net = net or TimedNet(clock)
        monkeypatch.setattr(subject, "build_model", lambda spec, num_classes: net)
        asked = [Configuration("net", UnetSpec(name="unet", width=2, depth=1), 3, (8, 8))]
        return protocol.measure(asked, settings, CPU, threads=1, **more)

    return SimpleNamespace(clock=clock, measure=measure)


def test_burn_in_ends_when_three_windows_agree():
    clock, seconds = Clock(), iter([9, 5, 3, 2.05, 2.0, 2.01, 2.02, 2.0])

    def pass_s():
        clock.advance(each := next(seconds))
        return each

    made = burn_in(pass_s, tolerance=0.02, window_s=1, bound_s=100, clock=clock)
    # 2.05, 2.00, 2.01 are 2.5 % apart, the next three 1 %.
    assert made.steady and made.windows_s == (9, 5, 3, 2.05, 2.0, 2.01, 2.02) and made.seconds == pytest.approx(25.08)


def test_burn_in_ends_at_its_bound_and_says_so():
    clock, count = Clock(), iter(range(1000))

    def pass_s():
        clock.advance(1 + next(count) % 2)
        return 1.0 + next(count) % 3

    made = burn_in(pass_s, tolerance=0.02, window_s=0.5, bound_s=9, clock=clock)
    assert not made.steady and 9 <= made.seconds <= 11


def test_a_window_is_the_median_of_its_passes():
    clock, seconds = Clock(), iter([1, 1, 7, 1, 1] * 3)

    def pass_s():
        clock.advance(each := next(seconds))
        return each

    assert burn_in(pass_s, tolerance=0.02, window_s=11, bound_s=1000, clock=clock).windows_s == (1, 1, 1)
    assert [window_passes(each, 0.1) for each in (1.0, 0.1, 0.03, 1e-6)] == [1, 1, 4, 50]


def test_the_batch_is_doubled_until_little_is_gained():
    # 10 ms a pass and 10 an image: 50, 66.7, 80, 88.9, 94.1, 97.0 and 98.5 images a second; the last two gain less than 5 %.
    made = best_batch(lambda batch: 0.01 + 0.01 * batch, most=256, gain=0.05)
    assert (made.stopped, [each.batch for each in made.tried]) == ("gain", [1, 2, 4, 8, 16, 32, 64])
    assert made.candidates == (8, 16, 32, 64)
    made = best_batch(lambda batch: 1.0, most=10, gain=0.05)
    assert (made.candidates, made.stopped) == ((8,), "bound")
    made = best_batch(lambda batch: 1.0 if batch <= 4 else None, most=256, gain=0.05)
    assert (made.candidates, made.stopped, made.tried[-1].images_per_s) == ((4,), "memory", None)
    # One slow look at 2 does not end it.
    made = best_batch(lambda batch: 9.0 if batch == 2 else 1.0, most=16, gain=0.05)
    assert made.candidates == (16,)
    with pytest.raises(torch.OutOfMemoryError):
        best_batch(lambda batch: None, most=256, gain=0.05)


def test_every_figure_of_a_network_whose_times_are_known(timed):
    made = timed.measure()
    (found,) = made.models
    assert found.latency.p50_ms == found.latency.p90_ms == pytest.approx(12)
    assert found.latency.of_anchor.value == pytest.approx(10 / 12)
    assert found.latency.passes == 3 * 5 and found.latency.p99_ms is None  # of 15 passes there is no 99th percentile
    # 83.3, 90.9, 95.2, 97.6, 98.8 and 99.4 images a second: 8 is 7.3 % above 2, 16 and 32 gain less than 5 % on it.
    assert (found.search.candidates, found.search.stopped, found.best.batch) == ((4, 8, 16, 32), "gain", 32)
    assert found.best.images_per_s.value == pytest.approx(32 / 0.322)
    assert found.fixed.batch == 8 and found.fixed.images_per_s.value == pytest.approx(8 / 0.082)
    assert found.fixed.of_anchor.value == pytest.approx(8 / 0.082 / 100) and made.anchor.images_per_s.value == pytest.approx(100)
    split = found.split
    assert (split.trunk_ms, split.head_ms, split.upsampling_ms, split.argmax_ms) == pytest.approx((34, 24, 16, 8))
    assert split.whole_ms == pytest.approx(82) and split.rest_ms == pytest.approx(0, abs=1e-9) and split.adds_up
    assert len(found.visits) == 3 and made.orders == ((0,),) * 3 and made.conditions["threads"] == 1


def test_a_batch_that_does_not_fit_ends_the_search_and_is_no_zero(timed):
    (found,) = timed.measure(TimedNet(timed.clock, most=2), Settings(**{**LITTLE.model_dump(), "gain": 0.01})).models
    assert (found.search.stopped, found.search.candidates, found.fixed, found.split) == ("memory", (1, 2), None, None)
    assert found.split_note == "the fixed batch does not fit into the memory" and found.best.batch == 2
    with pytest.raises(
        BenchError, match=r"net 8x8: one image does not fit into the memory of cpu; choose a smaller --size, or fewer"
    ):
        timed.measure(TimedNet(timed.clock, most=0))


def test_energy_is_counted_an_image_and_readings_are_kept(timed):
    nvml = FakeNvml()

    def spends(images):
        nvml.energy_mj += 500 * images

    made = timed.measure(TimedNet(timed.clock, spends=spends), sensors=Nvml(nvml, object(), "NVML"))
    assert made.models[0].energy_j_per_image == pytest.approx(0.5) and made.sensors == "NVML"
    assert [each.when for each in made.readings] == ["before", *(f"round {n}, net 8x8" for n in (1, 2, 3)), "after"]


def test_models_are_visited_once_a_round_in_changing_order(timed, monkeypatch):
    nets = iter([TimedNet(timed.clock) for _ in range(20)])
    asked = [Configuration(f"net{n}", UnetSpec(name="unet", width=2, depth=1), 3, (8, 8)) for n in range(3)]
    monkeypatch.setattr(subject, "build_model", lambda spec, num_classes: next(nets))
    made = protocol.measure(asked, LITTLE.model_copy(update={"rounds": 6}), CPU, threads=1)
    assert all(sorted(order) == [0, 1, 2] for order in made.orders) and len(set(made.orders)) > 1
    assert {each.label: len(each.visits) for each in made.models} == {f"net{n}": 6 for n in range(3)}


def test_sleep_in_a_part_is_found_in_it():
    class Sleeps(nn.Sequential):
        def forward(self, images):
            time.sleep(0.02)
            return images

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.score = Sleeps(), nn.Conv2d(3, 2, 1)

        def forward(self, images):
            return F.interpolate(self.score(self.backbone(images)), scale_factor=2.0)

    original, net = F.interpolate, Net()
    found = split_pass(net, torch.rand(1, 3, 8, 8), "fp32", Timer(CPU))
    assert found["trunk"] >= 0.02 and min(found.values()) > 0 and list(found) == list(PARTS)
    assert F.interpolate is original and not net.backbone._forward_hooks and not net.backbone._forward_pre_hooks
    with pytest.raises(RuntimeError):
        split_pass(net, torch.rand(1, 4, 8, 8), "fp32", Timer(CPU))
    assert F.interpolate is original and not net.backbone._forward_hooks


@pytest.mark.parametrize(
    ("spec", "name", "ends"),
    [
        (FcnSpec(name="fcn", backbone="small", width=2), "trunk", True),
        (FcnSpec(name="fcn", form="paper"), "fc6", False),
        (UnetSpec(name="unet", width=2, depth=2, stride=2), "encoder", True),
        (SmpSpec(name="smp", arch="unet", encoder="resnet18"), "network.encoder", True),
        (TorchvisionSpec(name="torchvision", arch="lraspp_mobilenet_v3_large"), "network.backbone", True),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_every_family_has_a_boundary(spec, name, ends):
    with torch.device("meta" if spec.name == "fcn" and spec.form == "paper" else "cpu"):
        model = build_model(spec, 3)
    assert boundary(model) == (model.get_submodule(name), ends)


def test_all_four_parts_of_real_networks_take_time_and_change_nothing():
    images = torch.rand(1, 3, 32, 32)
    for spec in (FcnSpec(name="fcn", backbone="small", width=2), UnetSpec(name="unet", width=2, depth=2)):
        model = build_model(spec, 3).eval()
        before = label_maps(model, images, "fp32")
        assert min(split_pass(model, images, "fp32", Timer(CPU), passes=2).values()) > 0
        assert torch.equal(label_maps(model, images, "fp32"), before)
    assert boundary(nn.Sequential(nn.Conv2d(3, 2, 1))) is None


def test_a_network_without_named_parts_has_no_split_and_says_why(timed):
    net = TimedNet(timed.clock)
    net.first, net.second = net.encoder, net.decoder
    net.forward = lambda images: net.up(net.second(net.first(images * net.weight)))
    del net.encoder, net.decoder
    (found,) = timed.measure(net).models
    assert found.split is None and "named trunk, encoder" in found.split_note and found.fixed is not None


def test_what_others_do_on_the_machine_moves_the_ratio_little():
    rng = np.random.default_rng(1)
    drift = 1 + 0.2 * rng.random((40, 1))  # common to model and anchor
    own, unit = (drift * (1 + 3.0 * (rng.random((40, 5)) < 0.2)) for _ in range(2))  # each interrupted on its own
    rows = [tuple(each) for each in own.tolist()], [tuple(each) for each in (0.25 * unit).tolist()]
    visits = [
        Visit(anchor_latency_s=(1,), anchor_s=other, latency_s=(1,), batches_s={4: mine}, split_s=None)
        for mine, other in zip(*rows, strict=True)
    ]
    made = speed(4, visits, unit_of([visits, visits], 8))
    assert made.of_anchor.value == pytest.approx(4 / 8 * 0.25, rel=0.03)
    assert best([4], visits) == 4
    assert made.of_anchor.low <= made.of_anchor.value <= made.of_anchor.high
    assert quick(np.array([4.0, 1.0, 2.0, 3.0, 9.0])) == 2.0
    still = estimate(quick, [2.0] * 10)
    assert (still.low, still.value, still.high) == (2, 2, 2)


def test_quantiles_of_latency_are_those_of_all_passes():
    visits = [
        Visit(
            anchor_latency_s=(0.002,) * 4,
            anchor_s=(1,),
            latency_s=tuple((n + 1) / 1e3 for n in range(first, first + 50)),
            batches_s={},
            split_s=None,
        )
        for first in (0, 50)
    ]
    made = latency(visits, unit_of([visits], 8))
    assert (made.p50_ms, made.p90_ms, made.p99_ms, made.passes) == pytest.approx((50.5, 90.1, 99.01, 100))
    assert made.of_anchor.value == pytest.approx(2 / 25.75)
    assert latency(visits[:1], unit_of([visits[:1]], 8)).p99_ms is None


def test_nvml_is_read_by_uuid_and_what_it_refuses_is_nothing(monkeypatch):
    nvml, device = FakeNvml(), torch.device("cuda:0")
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid="11111111-2222"))
    sensors, nvml.reasons = open_sensors(device), 0x1 | 0x4 | 0x40
    found = sensors.read("now")
    assert (found.sm_clock_mhz, found.memory_clock_mhz, found.temperature_c, found.power_w) == (1980, 2619, 41, 350.5)
    assert found.slowed_by == ("power cap", "hardware thermal slowdown") and sensors.energy_j() == 1000
    nvml.refused, nvml.reasons = {"power", "energy"}, 0x1
    found = sensors.read("now")
    assert found.power_w is None and sensors.energy_j() is None and found.slowed_by == ()
    # Older bindings know the reasons under another name.
    nvml.nvmlDeviceGetCurrentClocksThrottleReasons, old = (lambda handle: 0x8), FakeNvml.nvmlDeviceGetCurrentClocksEventReasons
    monkeypatch.delattr(FakeNvml, "nvmlDeviceGetCurrentClocksEventReasons")
    assert sensors.read("now").slowed_by == ("hardware slowdown",) and callable(old)
    sensors.close()
    assert nvml.open == 0


def test_without_nvml_it_is_said_why(monkeypatch):
    device = torch.device("cuda:0")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py is not installed" in open_sensors(device).source and open_sensors(device).read("now") is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid="other"))
    assert open_sensors(device).source == "not read: Not Found"
    assert open_sensors(CPU).source == "not read: NVML knows no cpu" and open_sensors(CPU).energy_j() is None


def test_threads_are_pinned_and_let_go():
    threads = torch.get_num_threads()
    allowed = os.sched_getaffinity(0)
    with pinned(1) as said:
        assert torch.get_num_threads() == 1 == said["threads"] == len(os.sched_getaffinity(0)) and said["cpus"] == [min(allowed)]
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == (threads, allowed)
    with pytest.raises(BenchError, match=rf"--threads 999: this process may use {len(allowed)} CPUs"), pinned(999):
        pass


def test_governor_and_frequency_are_the_systems(tmp_path):
    for cpu, khz in enumerate((2_000_000, 3_000_000)):
        (tmp_path / f"cpu{cpu}/cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/cpufreq/scaling_governor").write_text("performance\n")
        (tmp_path / f"cpu{cpu}/cpufreq/scaling_cur_freq").write_text(f"{khz}\n")
    assert clocks([0, 1], tmp_path) == {"governor": "performance", "frequency_mhz": 2500}
    assert clocks([7], tmp_path) == {"governor": None, "frequency_mhz": None}


def test_the_anchor_is_what_its_version_says():
    """Another number here is another anchor: raise its VERSION."""
    widths = [3, *(channels for channels, _ in anchor.LAYERS)]
    made = Subject("the anchor", anchor.anchor(), anchor.SIZE, Inputs(CPU, 0), "fp32")
    convolutions = sum(9 * one * two + two for one, two in pairwise(widths))
    assert (
        anchor.VERSION == 1 and sum(each.numel() for each in made.model.parameters()) == convolutions + 256 * 21 + 21 == 1_168_405
    )
    before = torch.get_rng_state()
    assert torch.equal(anchor.anchor().score.weight, made.model.score.weight) and torch.equal(before, torch.get_rng_state())
    assert label_maps(made.model, torch.rand(2, 3, 32, 48), "fp32").shape == (2, 32, 48)


def test_names_are_told_apart_or_refused():
    one = Configuration("net", UnetSpec(name="unet", width=2), 3, (8, 8))
    two = Configuration("net", UnetSpec(name="unet", width=2), 5, (8, 8))
    assert [each.label for each in told_apart([one, two])] == ["net · 3 classes", "net · 5 classes"]
    with pytest.raises(BenchError, match="net · 3 classes 8x8 is the name of 2 different models"):
        told_apart([one, Configuration("net", UnetSpec(name="unet", width=4), 3, (8, 8))])


def test_a_gpu_is_timed_by_events_in_its_queue(monkeypatch):
    """With events made up: each pass lies between two of them, and the device is waited for where a time is read."""
    clock, waits = Clock(), []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            assert stream == "stream of cuda:0"
            self.at_ms = 1e3 * clock.now

        def synchronize(self):
            waits.append(self)

        def elapsed_time(self, other):
            assert other in waits
            return other.at_ms - self.at_ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    timer = Timer(torch.device("cuda:0"))
    seconds = iter([1, 2, 3, 4, 5, 6])
    assert timer.seconds(lambda: clock.advance(next(seconds)), 3) == pytest.approx(2)
    assert len(waits) == 1
    assert timer.each(lambda: clock.advance(next(seconds)), 3) == pytest.approx((4, 5, 6))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_events_time_the_device_and_not_the_launch():
    device = torch.device("cuda:0")
    matrix, timer = torch.rand(4096, 4096, device=device), Timer(device)

    def work():
        for _ in range(20):
            matrix @ matrix

    work()
    torch.cuda.synchronize(device)
    begin = time.perf_counter()
    measured = timer.seconds(work)
    wall = time.perf_counter() - begin
    launched = time.perf_counter()
    work()
    launch = time.perf_counter() - launched
    assert launch < measured <= wall and measured > 0.5 * wall


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_protocol_on_a_gpu():
    asked = [Configuration("unet", UnetSpec(name="unet", width=8, depth=3), 5, (96, 128))]
    (found,) = protocol.measure(asked, LITTLE, torch.device("cuda:0")).models
    assert found.split.trunk_ms > 0 and found.peak_memory_gib > 0 and found.latency.p50_ms > 0


def test_preparing_leaves_a_batch_that_fits(timed):
    one = Subject("net", TimedNet(timed.clock), (8, 8), Inputs(CPU, 0), "fp32")
    made = prepare(one, LITTLE, Timer(CPU, timed.clock))
    assert made.fixed == 8 and made.passes == {1: 5, 4: 2, 8: 1, 16: 1, 32: 1} and made.peak_memory_gib is None

"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Before torch loads OpenMP: test processes share the cores, and threads that wait by spinning would starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(autouse=True)
def nothing_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of users' own that one test permits is not permitted in the next."""
    monkeypatch.delenv("BENCH_ALLOW_PLUGINS", raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Where the real data sets lie; tests that ask for it carry the marker `data`."""
    root = os.environ.get("BENCH_TEST_DATA")
    if not root:
        pytest.skip("BENCH_TEST_DATA names no folder with real data sets")
    return Path(root)


@pytest.fixture
def tiny_suite(tmp_path: Path) -> Path:
    """A suite of two cells that train in a second or two."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


TINY = """\
name: tiny
datasets:
  small: {name: phantom, size: [32, 32], train_images: 8, val_images: 4, test_images: 6}
models:
  fcn: {name: fcn, backbone: small, width: 4, stride: 8, dropout: 0.1}
  unet: {name: unet, width: 4, depth: 2}
augmentations:
  some: {flip: 0.5, scale: [0.8, 1.25], colour: 0.1}
matrix:
  dataset: [small]
  model: [fcn, unet]
  augmentation: [some]
train: {steps: 12, batch: 4, optimizer: adamw, lr: 0.003, schedule: cosine, warmup_steps: 2, val_every: 4}
eval: {batch: 4}
profile: {size: [32, 32], batch: 2, warmup: 1, rounds: 2}
"""


exhaustive = pytest.mark.skipif(not os.environ.get("BENCH_TEST_EXHAUSTIVE"), reason="minutes long: BENCH_TEST_EXHAUSTIVE=1 runs it")
"""For sweeps over whole libraries, of which the other tests take samples."""

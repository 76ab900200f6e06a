"""Checkpoints: the last two are kept, a damaged one is passed over, best weights are found by the step they belong to."""

from pathlib import Path

import pytest
import torch
from torch import nn

from bench import checkpoint
from bench.checkpoint import TrainState, best_name


def state() -> TrainState:
    model = nn.Linear(2, 2)
    return TrainState(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def stepped(folder: Path, steps: int) -> TrainState:
    """A training saved after each of its steps."""
    made = state()
    for step in range(1, steps + 1):
        made.model(torch.ones(1, 2)).sum().backward()
        made.optimizer.step()
        made.step = step
        checkpoint.save(folder, made)
    return made


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    before, after = stepped(tmp_path, 3), state()
    assert checkpoint.resume(tmp_path, after) == [] and after.step == 3
    for one, other in zip(before.model.parameters(), after.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(before.optimizer.state[one]["momentum_buffer"], after.optimizer.state[other]["momentum_buffer"])


@pytest.mark.parametrize("content", [b"", b"not an archive", None], ids=["empty", "other", "truncated"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(tmp_path: Path, content: bytes | None) -> None:
    stepped(tmp_path, 3)
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2] if content is None else content)
    made = state()
    (note,) = checkpoint.resume(tmp_path, made)
    assert made.step == 2 and "last.pt is damaged" in note
    (tmp_path / "previous.pt").write_bytes(b"")
    fresh = state()
    assert len(checkpoint.resume(tmp_path, fresh)) == 2 and fresh.step == 0


class Evil:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (Path.touch, (Path("evil"),))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Evil()}, tmp_path / "last.pt")
    (note,) = checkpoint.resume(tmp_path, state())
    assert "damaged" in note and not (tmp_path / "evil").exists()


def test_best_weights_are_kept_as_long_as_a_checkpoint_refers_to_them(tmp_path: Path) -> None:
    made = state()
    for step in (10, 20, 30, 40):
        checkpoint.save_weights(tmp_path / best_name(step), made.model)
        made.step, made.best = step, {"step": step, "score": step / 100}
        if step != 20:  # two validations between two checkpoints
            checkpoint.save(tmp_path, made)
    assert sorted(each.name for each in tmp_path.glob("best-*")) == [best_name(30), best_name(40)]
    (tmp_path / best_name(40)).unlink()
    again = state()
    (note,) = checkpoint.resume(tmp_path, again)
    assert again.step == 30 and again.best == {"step": 30, "score": 0.3} and "FileNotFoundError" in note

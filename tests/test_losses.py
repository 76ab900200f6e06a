"""The loss against torch's own, and where torch's own will not do."""

import pytest
import torch
import torch.nn.functional as F

from bench.losses import mean_divisor, segmentation_loss

WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 7.0, 0.1])


def sample(void: float = 0.2):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 9, 13, generator=generator) * 4
    labels = torch.randint(0, 5, (2, 9, 13), generator=generator)
    labels[torch.rand(2, 9, 13, generator=generator) < void] = 255
    return logits.requires_grad_(), labels


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_value_and_gradient_are_those_of_cross_entropy(smoothing, weights, layout, dtype):
    logits, labels = sample()
    mine = segmentation_loss(logits.to(memory_format=layout), labels.to(dtype), class_weights=weights, label_smoothing=smoothing)
    theirs = F.cross_entropy(logits, labels, weight=weights, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (mine, theirs)))


def test_by_hand():
    # Two classes, equal scores: every annotated pixel costs log 2, whatever else is void.
    labels = torch.tensor([[[0, 1, 255, 255]]])
    assert segmentation_loss(torch.zeros(1, 2, 1, 4), labels).item() == pytest.approx(0.6931472)


@pytest.mark.parametrize("options", [{}, {"class_weights": WEIGHTS}, {"label_smoothing": 0.1}])
def test_nothing_but_void_is_zero_with_zero_gradient(options):
    logits, labels = sample(void=2.0)
    loss = segmentation_loss(logits, labels, **options)
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_a_void_pixel_has_no_gradient_and_other_void_values_are_possible():
    logits, labels = sample()
    segmentation_loss(logits, labels).backward()
    assert not logits.grad.movedim(1, -1)[labels == 255].any()
    other = torch.where(labels == 255, 4, labels)
    theirs = F.cross_entropy(logits, other, ignore_index=4)
    torch.testing.assert_close(segmentation_loss(logits, other, ignore_index=4), theirs)


def test_half_precision_logits_are_summed_in_full():
    logits, labels = sample()
    loss = segmentation_loss(logits.bfloat16(), labels)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, segmentation_loss(logits.bfloat16().float(), labels))


def test_the_losses_of_parts_add_up_to_that_of_the_whole() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3, 5, 4, dtype=torch.float64), torch.randint(0, 3, (6, 5, 4))
    labels[0], labels[1, :, :2] = 255, 255  # void pixels spread unevenly
    weights, extra = torch.tensor([1.0, 3.0, 0.5]), torch.rand(6, 5, 4)
    for smoothing in (0.0, 0.1):
        options = {"class_weights": weights, "label_smoothing": smoothing}
        whole = segmentation_loss(logits, labels, pixel_weights=extra, **options)
        divisor = mean_divisor(labels, class_weights=weights, pixel_weights=extra)
        parts = [slice(0, 1), slice(1, 4), slice(4, 6)]
        losses = [
            segmentation_loss(logits[each], labels[each], pixel_weights=extra[each], divisor=divisor, **options) for each in parts
        ]
        assert sum(losses).item() == pytest.approx(whole.item(), rel=1e-6)

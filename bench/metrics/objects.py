"""Scores by the size of the true objects: connected components of the label map, sorted into strata by their area.

An object is an 8-connected component of one class; void belongs to none and parts what it separates. Sizes are sides: the square
root of the area, in px, so that they stand beside an output stride. A pixel wrongly predicted as a class counts against the
object that its own predicted component overlaps most, or, where it overlaps none, in the stratum of the component's own area.

Everything is done on segments, the stretches of a row in which truth and prediction stay the same: there are a tenth as many
of them as pixels or fewer.
"""

import torch
from torch import Tensor

from bench.metrics.scores import SIDES_PX

STRATA = len(SIDES_PX) + 1


def object_sums(preds: Tensor, labels: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """Pixels and objects by the side of the true object: (N, H, W) uint8 twice -> (N, 9, 4, C) int64.

    The third axis is: hits, true pixels, wrongly predicted pixels, number of true objects. Over all strata the first three sum to
    what the confusion counts hold. Sum over images before dividing.
    """
    counted = labels != ignore_index
    truth = torch.where(counted, labels, 255)
    guess = torch.where(counted, preds, 255)  # so that predictions under void join nothing
    segment, first = _segments(truth, guess)
    ends = torch.cat([first[1:], first.new_tensor([labels.numel()])])
    true_class, guessed_class = truth.flatten()[first], guess.flatten()[first]
    known = true_class < 255
    lengths = (ends - first) * known
    hits = lengths * (true_class == guessed_class)
    true_object = _components(segment, first, true_class)
    guessed_object = _components(segment, first, guessed_class)
    true_stratum, guessed_stratum = (
        _stratum(torch.zeros_like(lengths).scatter_add_(0, object_, lengths)) for object_ in (true_object, guessed_object)
    )
    credited = _most_overlapped(guessed_object, true_object, hits)
    blamed = torch.where(credited < 0, guessed_stratum, true_stratum[credited.clamp(min=0)])[guessed_object]
    stratum = true_stratum[true_object]
    begins_object = (true_object == torch.arange(len(first), device=first.device)) & known
    image = first // truth[0].numel()
    slots = [(image * STRATA + where) * (num_classes + 1) for where in (stratum, stratum, blamed, stratum)]
    classes = [each.clamp(max=num_classes).long() for each in (true_class, true_class, guessed_class, true_class)]
    amounts = (hits, lengths, lengths - hits, begins_object.long())
    table = torch.zeros(4, len(labels) * STRATA * (num_classes + 1), dtype=torch.int64, device=labels.device)
    for row, slot, class_, amount in zip(table, slots, classes, amounts, strict=True):
        row.scatter_add_(0, slot + class_, amount)
    return table.view(4, len(labels), STRATA, num_classes + 1)[..., :-1].permute(1, 2, 0, 3).contiguous()


def components(maps: Tensor) -> Tensor:
    """Number the 8-connected components of equal values: (N, H, W) uint8 -> (N, H, W) int64, each named by its first segment."""
    segment, first = _segments(maps, maps)
    return _components(segment, first, maps.flatten()[first])[segment]


def _segments(truth: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the segment at every pixel, in raster order through the batch, and the flat position each segment begins at."""
    begins = torch.ones_like(truth, dtype=torch.bool)
    begins[..., 1:] = (truth[..., 1:] != truth[..., :-1]) | (guess[..., 1:] != guess[..., :-1])
    flat = begins.flatten()
    return (flat.cumsum(0) - 1).view(truth.shape), flat.nonzero().squeeze(1)


def _components(segment: Tensor, first: Tensor, values: Tensor) -> Tensor:
    """The smallest segment of the component each segment belongs to.

    Components grow by hooking: of two that touch, the one with the higher number joins the lower. Only pairs that still part two
    components are carried on, so that every round has fewer.
    """
    here, there = _neighbours(segment, first)
    same = (values[here] == values[there]).nonzero().squeeze(1)
    here, there = here[same], there[same]
    parent = torch.arange(len(first), device=first.device)
    while len(here):
        parent = parent.scatter_reduce_(0, torch.maximum(here, there), torch.minimum(here, there), "amin")
        while not torch.equal(parent, jumped := parent.index_select(0, parent)):
            parent = jumped
        here, there = parent.index_select(0, here), parent.index_select(0, there)
        apart = (here != there).nonzero().squeeze(1)
        here, there = here[apart], there[apart]
    return parent


def _neighbours(segment: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of segments that touch, side by side, above one another or across a corner.

    Of two that touch, one begins where it has the other above, below, or there one pixel to the left; so it is enough to look from
    where segments begin.
    """
    height, width = segment.shape[-2:]
    row, column = first // width % height, first % width
    numbers, flat = torch.arange(len(first), device=first.device), segment.flatten()
    pairs = []
    for dy, dx in ((0, -1), (-1, 0), (1, 0), (-1, -1), (1, -1)):
        inside = (row + dy >= 0) & (row + dy < height) & (column + dx >= 0)
        pairs.append(torch.where(inside, flat[(first + dy * width + dx).clamp(0, len(flat) - 1)], numbers))
    return numbers.repeat(len(pairs)), torch.cat(pairs)


def _stratum(areas: Tensor) -> Tensor:
    """The stratum of an area in pixels."""
    edges = torch.tensor([side * side for side in SIDES_PX], device=areas.device)
    return torch.bucketize(areas, edges, right=True)


def _most_overlapped(guessed: Tensor, true: Tensor, hits: Tensor) -> Tensor:
    """For every predicted component the true one of its class that it shares most pixels with, the first of several, or -1."""
    count = len(guessed)
    hit = hits.nonzero().squeeze(1)
    pairs, place = torch.unique(guessed[hit] * count + true[hit], return_inverse=True)
    shared = torch.zeros_like(pairs).scatter_add_(0, place, hits[hit])
    component, rival = pairs // count, pairs % count
    most = torch.zeros(count, dtype=shared.dtype, device=shared.device).scatter_reduce_(0, component, shared, "amax")
    winner = shared == most[component]
    best = torch.full((count,), count, dtype=rival.dtype, device=rival.device)
    best.scatter_reduce_(0, component[winner], rival[winner], "amin")
    return torch.where(best == count, -1, best)

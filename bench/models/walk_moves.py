"""Operations that move units about, and what becomes of their windows: one small function an operation."""

from dataclasses import replace

from bench.models.reach_rules import aten
from bench.models.walk_grid import Call, Followed, Noted, meet, mix


def shuffle(call: Call) -> Followed:
    """Channels laid out as units."""
    return call.grid.each(lambda trail, _: trail.divided(int(call.args[1]))), Noted("pixel shuffle")


def pad(call: Call) -> Followed:
    """Units added around the image, or cut off."""
    amounts = [*call.args[1], 0, 0, 0, 0]
    # Given from the last dimension on.
    ends = [amounts[2 * (call.image.dim() - 1 - dim) :][:2] for dim in call.grid.dims]
    return call.grid.each(lambda trail, n: trail.cut(-int(ends[n][0]), -int(ends[n][1]))), None


def cut(call: Call) -> Followed:
    """A slice."""
    dim = call.arg(1, 0) % call.image.dim()
    if dim not in call.grid.dims:
        return call.grid, None
    side = int(call.image.shape[dim])
    begin, end, every, *_ = slice(call.arg(2), call.arg(3), call.arg(4, 1)).indices(side)
    axis = call.grid.dims.index(dim)
    return call.grid.each(lambda trail, n: trail.cut(begin, side - max(begin, end), every) if n == axis else trail), None


def concatenate(call: Call) -> Followed:
    """Channels of several paths beside each other, or pieces of an axis, as where an edge is continued."""
    dim = call.arg(1, 0) % call.out.dim()
    if dim not in call.grid.dims:
        return meet(call, "concat")
    # The largest piece says where the grid lies.
    largest = max(range(len(call.given)), key=lambda place: call.given[place][1].shape[dim])
    sides = [int(value.shape[dim]) for _, value in call.given]
    before, after = sum(sides[:largest]), sum(sides[largest + 1 :])
    axis = call.grid.dims.index(dim)
    return call.given[largest][0].each(lambda trail, n: trail.cut(-before, -after) if n == axis else trail), None


def permute(call: Call) -> Followed:
    """Dimensions in another order."""
    count = call.image.dim()
    if call.func.overloadpacket is aten.permute:
        order = [dim % count for dim in call.args[1]]
    else:
        order = list(range(count))
        one, two = (dim % count for dim in call.args[1:3])
        order[one], order[two] = two, one
    rows, columns = map(order.index, call.grid.dims)
    return replace(call.grid, dims=(rows, columns)), None


def select(call: Call) -> Followed:
    """One place of a dimension, which goes."""
    dim = call.args[1] % call.image.dim()
    if dim in call.grid.dims:
        return mix(call)
    rows, columns = (each - (each > dim) for each in call.grid.dims)
    return replace(call.grid, dims=(rows, columns)), None


def flip(call: Call) -> Followed:
    """Another order of channels or images; an axis read backwards has no window that moves forwards."""
    turned = {int(dim) % call.image.dim() for dim in call.args[1]}
    return (call.grid, None) if turned.isdisjoint(call.grid.dims) else mix(call)


def repeat(call: Call) -> Followed:
    """Copies beside each other."""
    ahead = call.out.dim() - call.image.dim()
    rows, columns = (dim + ahead for dim in call.grid.dims)
    return (replace(call.grid, dims=(rows, columns)), None) if call.args[1][rows] == call.args[1][columns] == 1 else mix(call)


def divide(call: Call) -> Followed:
    """Pieces of a dimension."""
    return (call.grid, None) if call.arg(2, 0) % call.image.dim() not in call.grid.dims else mix(call)


def view(call: Call) -> Followed:
    """The same numbers in another shape: an axis stays one where as much lies before it and it is as long."""
    before, after = call.image.shape, call.out.shape
    if not call.grid.placed(call.image):
        return call.grid.mixed(call.out), None
    found = []
    for dim in call.grid.dims:
        ahead = before[:dim].numel()
        places = [n for n, side in enumerate(after) if side == before[dim] and after[:n].numel() == ahead]
        # A place of length 1 can stand anywhere among others like it: the nearest to where it was.
        found.append(min(places, key=lambda n: abs(n - dim)) if places else -1)
    if -1 in found or found[0] == found[1]:
        return call.grid.mixed(call.out), None if call.grid.rows.everything else Noted("flatten")
    return replace(call.grid, dims=(found[0], found[1])), None

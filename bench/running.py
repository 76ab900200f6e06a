"""Which cells of a store are being run at this moment, and by whom."""

from bench.claims import Watch
from bench.store import Store


def running(store: Store) -> dict[str, str]:
    """Cell id -> its owner in words, of all cells that a living process holds, as far as one look can tell."""
    return {cell_id: claim.owner for cell_id, claim in Watch(store.claims).look().items() if not claim.dead}

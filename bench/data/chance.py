"""Random numbers that are functions of what they are for, so that nothing random has to be saved or replayed.

A counter-based generator is keyed by (seed, purpose, step): resuming at a step, splitting a batch or changing the number of
workers changes no number.
"""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A generator that depends on its arguments alone. Row i of a drawn (n, k) array does not depend on n."""
    key = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def torch_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A 63-bit seed for torch with the same property."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()[:8], "little") >> 1

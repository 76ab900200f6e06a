"""Gaussian noise made on the device from a hash of (sample, pixel), so that it repeats to the bit wherever and however it is cut.

A generator's state would tie a sample's noise to the size of its batch, and to the device that draws it.
"""

from functools import cache
from statistics import NormalDist

import torch
from torch import Tensor

_LEVELS = 1 << 16


def noise_like(images: Tensor, keys: Tensor) -> Tensor:
    """Standard normal numbers of the shape of (B, h, w, 3) images, a function of each sample's two 32-bit keys (B, 2) alone.

    A 32-bit hash of the counter gives two numbers, each by the inverse distribution function at the middle of one of 65,536
    equal steps: the largest is 4.3. The hash is the multiply-and-xorshift finaliser "lowbias32" of C. Wellons' hash-prospector,
    with the second key added after its first round.
    """
    count = images[0].numel()
    half = (count + 1) // 2
    words = torch.arange(half, dtype=torch.int32, device=images.device) ^ _as_int32(keys[:, :1])
    words ^= (words >> 16) & 0xFFFF  # int32 shifts drag the sign along; the mask drops it
    words *= 0x7FEB352D
    words += _as_int32(keys[:, 1:])
    words ^= (words >> 15) & 0x1FFFF
    words *= _signed(0x846CA68B)
    words ^= (words >> 16) & 0xFFFF
    table = _quantiles(images.device)
    pairs = torch.stack([words & 0xFFFF, (words >> 16) & 0xFFFF], 1)
    return table[pairs].flatten(1)[:, :count].reshape(images.shape)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >= 1 << 31 else word


def _as_int32(words: Tensor) -> Tensor:
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


@cache
def _quantiles(device: torch.device) -> Tensor:
    """(65536,) float32 quantiles of the standard normal distribution; they are made on the host, so devices agree."""
    below = [NormalDist().inv_cdf((level + 0.5) / _LEVELS) for level in range(_LEVELS // 2)]
    half = torch.tensor(below, dtype=torch.float64)
    return torch.cat([half, -half.flip(0)]).float().to(device)

"""Values of any kind to int8, with the scale that leads back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.data import Int8Array

Float32Array = NDArray[np.float32]
_OUTSIDE = 0.001
"""Share of the values of a channel that int8 may clip: few outliers cost no resolution."""


@dataclass(frozen=True)
class Scaled:
    """int8 samples; physical value = (x - zero) * scale."""

    x: Int8Array
    scale: Float32Array
    zero: Float32Array


def not_made(count: int) -> Scaled:
    """Of samples that a front end has yet to make: (count, 0)."""
    return Scaled(np.zeros((count, 0), np.int8), np.ones(1, np.float32), np.zeros(1, np.float32))


def to_int8(
    x: NDArray[Any], kind: str, triples: bool, unit: Float32Array, where: Callable[[int], str]
) -> Scaled:
    """int8 as it is, uint8 less 128, and others scaled; `unit` is the physical size of 1 in x.

    Motion is scaled symmetrically, each channel (each triple of channels) by its 99.9th percentile,
    so that a mirrored or turned motion stays one; sounds and pictures from their 0.05th to their
    99.95th percentile, with one scale. `where` names the place of a sample.
    """
    one = np.ones(1, np.float32)
    if x.dtype == np.int8:
        return Scaled(x, one * unit, 0 * one)
    if x.dtype == np.uint8:
        return Scaled((x.astype(np.int16) - 128).astype(np.int8), one * unit, -128 * one)
    refuse_not_finite(x, where)
    scale, zero = (motion_scale(x, triples), np.zeros(1)) if kind == "motion" else _range_scale(x)
    values = np.empty(x.shape, np.int8)
    for i in range(0, len(x), 4096):
        part = np.round(x[i : i + 4096] / scale + zero)
        values[i : i + 4096] = np.clip(part, -128, 127).astype(np.int8)
    return Scaled(values, (scale * unit).astype(np.float32), zero.astype(np.float32))


def refuse_not_finite(x: NDArray[Any], where: Callable[[int], str]) -> None:
    """Infinities and values that are not numbers: the first sample that has one is named."""
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{where(first)}: a value that is not a finite number (NaN or infinity); "
            f"{int(bad.sum())} of {len(x)} samples have one; mend or remove them"
        )


def motion_scale(x: NDArray[Any], triples: bool) -> NDArray[Any]:
    """(C,): the physical size of an int8 step of motion (n, T, C)."""
    size = np.abs(x.reshape(-1, x.shape[-1]).astype(np.float32))
    high = np.percentile(size, 100 * (1 - _OUTSIDE), axis=0)
    if triples and len(high) % 3 == 0:
        high = np.repeat(high.reshape(-1, 3).max(axis=1), 3)
    return np.where(high > 0, high, 1) / 127


def _range_scale(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    low, high = np.percentile(x, [50 * _OUTSIDE, 100 - 50 * _OUTSIDE])
    scale = (high - low) / 255 if high > low else 1.0
    return np.full(1, scale), np.full(1, round(-128 - low / scale))

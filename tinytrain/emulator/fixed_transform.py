"""The real Fourier transform in integers, of many frames at once: the twin of
firmware/src/frontend/transform.c. Rules: firmware/FRONTEND.md, section 2.

Letters: N points, M = N/2 complex numbers, F frames. Frames lie along the last axis, so that every
operation runs over numbers that lie side by side.

All numbers are integers below 2^31 and all products below 2^47; they are held in float64, where
they are exact and numpy's multiplying and rounding down are several times faster than in int64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.frontend.constants import Transform

Exact = npt.NDArray[np.float64]
"""Integers."""


def power(transform: Transform, v: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """(M + 1, F): |X|^2 of samples v (N, F) of [-2^30, 2^30], X their transform divided by N."""
    re, im = spectrum(transform, v)
    real, imaginary = re.astype(np.int64), im.astype(np.int64)
    return np.asarray(real * real + imaginary * imaginary)


def spectrum(transform: Transform, v: npt.NDArray[np.integer[Any]]) -> tuple[Exact, Exact]:
    """X, (M + 1, F): real and imaginary parts, the latter's sign of no meaning above M/2."""
    count = transform.points // 2
    order = _reversed_order(count)
    re, im = v[0::2][order].astype(np.float64), v[1::2][order].astype(np.float64)
    unit = transform.twiddles.astype(np.float64) / 2**16
    width = 1
    while width < count:
        _stage(re, im, width, unit[:: count // width])
        width *= 2
    return _real_parts(re, im, unit)


def _stage(re: Exact, im: Exact, width: int, unit: Exact) -> None:
    """Butterflies over blocks of 2 width, in place."""
    shape = (-1, 2, width, re.shape[1])
    a_re, b_re = np.moveaxis(re.reshape(shape), 1, 0)
    a_im, b_im = np.moveaxis(im.reshape(shape), 1, 0)
    c, s = unit[:, 0, None], unit[:, 1, None]
    t_re, t_im = half(b_re, c), half(b_im, c)
    t_re += half(b_im, s)
    t_im -= half(b_re, s)
    t_re[:, 0], t_im[:, 0] = np.floor(b_re[:, 0] / 2), np.floor(b_im[:, 0] / 2)
    for a, b, t in ((a_re, b_re, t_re), (a_im, b_im, t_im)):
        halved = half(a, 0.5)
        np.subtract(halved, t, out=b)
        np.add(halved, t, out=a)


def _real_parts(re: Exact, im: Exact, unit: Exact) -> tuple[Exact, Exact]:
    """The transform of N real samples from that of M complex ones."""
    count, frames = re.shape
    middle = count // 2
    x_re, x_im = np.zeros((2, count + 1, frames))
    re, im = half(re, 0.5), half(im, 0.5)
    x_re[0], x_re[count] = re[0] + im[0], re[0] - im[0]
    x_re[middle], x_im[middle] = re[middle], im[middle]
    a_re, a_im = re[1:middle], im[1:middle]
    b_re, b_im = re[:middle:-1], im[:middle:-1]
    e_re, e_im, o_re, o_im = a_re + b_re, a_im - b_im, a_im + b_im, b_re - a_re
    c, s = unit[1:middle, 0, None], unit[1:middle, 1, None]
    t_re = half(o_re, c) + half(o_im, s)
    t_im = half(o_im, c) - half(o_re, s)
    e_re, e_im = half(e_re, 0.5), half(e_im, 0.5)
    x_re[1:middle], x_im[1:middle] = e_re + t_re, e_im + t_im
    x_re[count - 1 : middle : -1], x_im[count - 1 : middle : -1] = e_re - t_re, e_im - t_im
    return x_re, x_im


def half(x: Exact, w: Exact | float) -> Exact:
    """x w rounded down; w = Q15 / 2^16, so that it is half of what Q15 says."""
    product = x * w
    return np.floor(product, out=product)


@lru_cache
def _reversed_order(count: int) -> npt.NDArray[np.intp]:
    """(count,): each place with its bits in the opposite order."""
    order = np.zeros(1, np.intp)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order

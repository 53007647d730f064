"""The real Fourier transform in integers, of many frames at once: the twin of
firmware/src/frontend/transform.c. Rules: firmware/FRONTEND.md, section 2.

Letters: N points, M = N/2 complex numbers, F frames. Frames lie along the last axis, so that every
operation runs over numbers that lie side by side.

Numbers stay below 2^31 and products below 2^47.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import Int
from tinytrain.frontend.constants import Transform


def power(transform: Transform, v: npt.NDArray[np.integer[Any]]) -> Int:
    """(M + 1, F): |X|^2 of samples v (N, F) of [-2^30, 2^30], X their transform divided by N."""
    re, im = spectrum(transform, v)
    return np.asarray(re * re + im * im)


def spectrum(transform: Transform, v: npt.NDArray[np.integer[Any]]) -> tuple[Int, Int]:
    """X, (M + 1, F): real and imaginary parts, the latter's sign of no meaning above M/2."""
    count = transform.points // 2
    order = _reversed_order(count)
    re, im = v[0::2][order].astype(np.int64), v[1::2][order].astype(np.int64)
    twiddles = transform.twiddles.astype(np.int64)
    width = 1
    while width < count:
        _stage(re, im, width, twiddles[:: count // width])
        width *= 2
    return _real_parts(re, im, twiddles)


def _stage(re: Int, im: Int, width: int, twiddles: Int) -> None:
    """Butterflies over blocks of 2 width, in place."""
    shape = (-1, 2, width, re.shape[1])
    a_re, b_re = np.moveaxis(re.reshape(shape), 1, 0)
    a_im, b_im = np.moveaxis(im.reshape(shape), 1, 0)
    c, s = twiddles[:, 0, None], twiddles[:, 1, None]
    t_re, t_im = half(b_re, c), half(b_im, c)
    t_re += half(b_im, s)
    t_im -= half(b_re, s)
    t_re[:, 0], t_im[:, 0] = b_re[:, 0] >> 1, b_im[:, 0] >> 1
    for a, b, t in ((a_re, b_re, t_re), (a_im, b_im, t_im)):
        halved = a >> 1
        np.subtract(halved, t, out=b)
        np.add(halved, t, out=a)


def _real_parts(re: Int, im: Int, twiddles: Int) -> tuple[Int, Int]:
    """The transform of N real samples from that of M complex ones."""
    count, frames = re.shape
    middle = count // 2
    x_re, x_im = np.zeros((2, count + 1, frames), np.int64)
    re, im = re >> 1, im >> 1
    x_re[0], x_re[count] = re[0] + im[0], re[0] - im[0]
    x_re[middle], x_im[middle] = re[middle], im[middle]
    a_re, a_im = re[1:middle], im[1:middle]
    b_re, b_im = re[:middle:-1], im[:middle:-1]
    e_re, e_im, o_re, o_im = a_re + b_re, a_im - b_im, a_im + b_im, b_re - a_re
    c, s = twiddles[1:middle, 0, None], twiddles[1:middle, 1, None]
    t_re = half(o_re, c) + half(o_im, s)
    t_im = half(o_im, c) - half(o_re, s)
    e_re, e_im = e_re >> 1, e_im >> 1
    x_re[1:middle], x_im[1:middle] = e_re + t_re, e_im + t_im
    x_re[count - 1 : middle : -1], x_im[count - 1 : middle : -1] = e_re - t_re, e_im - t_im
    return x_re, x_im


def half(x: Int, w: Int) -> Int:
    """x w / 2, rounded down; w in Q15."""
    product = x * w
    return np.right_shift(product, 16, out=product)


@lru_cache
def _reversed_order(count: int) -> npt.NDArray[np.intp]:
    """(count,): each place with its bits in the opposite order."""
    order = np.zeros(1, np.intp)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order

"""Rows of some devices: taken out, put back, begun. Letters as in head.py; `devices` is (k,)
ascending indices, each once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.head import LOW_HALF, Rows
from tinytrain.head import BIAS_LIMIT

Int = npt.NDArray[np.int64]


def take(rows: Rows, devices: Int) -> Rows:
    """The rows of k devices: a copy, but of all devices the rows themselves."""
    if len(devices) == len(rows.classes):
        return rows
    return gather(rows, devices)


def copy(rows: Rows) -> Rows:
    """Rows of their own."""
    return gather(rows, np.arange(len(rows.classes)))


def gather(rows: Rows, devices: Int) -> Rows:
    """Copies of the rows of devices in any order, as often as they are named."""
    low = None if rows.low is None else rows.low[devices]
    return Rows(
        rows.weights[devices], rows.bias[devices], rows.classes[devices], rows.units[devices], low
    )


def assign(rows: Rows, devices: Int, given: Rows) -> None:
    """The rows of k devices become the given ones (k, ...), which may be the rows themselves."""
    if given is rows:
        return
    rows.weights[devices], rows.bias[devices] = given.weights, given.bias
    rows.classes[devices], rows.units[devices] = given.classes, given.units
    if rows.low is not None and given.low is not None:
        rows.low[devices] = given.low


def begin_low(rows: Rows, devices: Int) -> None:
    """The low bits of wide masters as they begin."""
    if rows.low is not None:
        rows.low[devices] = LOW_HALF


def add_inert_class(rows: Rows, devices: Int) -> None:
    """A class more on each device, whose row answers nothing until its first sample."""
    new = rows.classes[devices]
    rows.weights[devices, new] = 0
    rows.bias[devices, new] = -BIAS_LIMIT
    rows.classes[devices] = new + 1

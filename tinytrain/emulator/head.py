"""The learning head in numpy, for any number of devices at once: the reference of
firmware/src/learn/head.c.

Letters: n devices, R rows of memory for classes, C classes in use, D features. Every device has its
own rows; one call learns one sample on each of them, and gives the same bits as n calls with one
device each. `devices`, a mask (n,), says which take part in a call; None: all of them.

What rows are worth stands in `units`, which devices share: rows.units[i] is the index of device
i's, 0 for those of the factory head.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.errors import InputError
from tinytrain.head import (
    BIAS_LIMIT,
    EXP2_INDEX_BITS,
    EXP2_TABLE,
    GRADIENT_LIMIT,
    LOGIT_FRACTION_BITS,
    PROBABILITY_BITS,
    WEIGHT_FRACTION_BITS,
    HeadConstants,
    HeadUnits,
)

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Units = tuple[HeadUnits, ...]

UNUSED = -(1 << 40)
"""The logit of a row that is not in use: below all others, of probability 0, and 0 in 32 bits."""
LOW_HALF = 1 << 15
"""What the low bits of a new row are."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What n devices recognize classes by. `step` and `add_class` write into the
    arrays."""

    weights: npt.NDArray[np.int16]
    """(n, R, D); of the factory head Q8.7."""
    bias: npt.NDArray[np.int32]
    """(n, R) units of the weights' sums, -2^30 to 2^30."""
    classes: Int
    """(n,) C, rows in use."""
    units: Int
    """(n,) what the rows are worth: an index into `units`."""
    low: npt.NDArray[np.uint16] | None = None
    """(n, R, D) 16 bits below each weight; None where masters have 16 bits."""

    def used(self, rows: int) -> Mask:
        """(n, rows) which of the first rows are in use."""
        return np.arange(rows) < self.classes[:, None]


@dataclass(frozen=True, eq=False)
class Step:
    """What one learning step computed, for each device. Of arrays over R, the first C count."""

    predicted: Int
    """(n,) the class before learning."""
    logits: Int
    """(n, R) log2 units, Q10."""
    probabilities: Int
    """(n, R) Q15."""
    error: Int
    """(n, R) Q15; sums to 0 over R."""
    written: Int
    """(n, rows) the rows written in order of writing, filled up with -1."""

    @property
    def rows_written(self) -> Int:
        return np.count_nonzero(self.written >= 0, axis=1)


def factory_rows(constants: HeadConstants, devices: int = 1) -> Rows:
    """The head as it was converted, for `devices` devices; rows not in use are 0."""
    shape = (devices, constants.capacity, constants.features)
    weights, bias = np.zeros(shape, np.int16), np.zeros(shape[:2], np.int32)
    one = 1 << WEIGHT_FRACTION_BITS
    weights[:, : constants.classes] = constants.weights * np.int16(one)
    bias[:, : constants.classes] = constants.bias * np.int32(one)
    classes = np.full(devices, constants.classes, np.int64)
    low = np.full(shape, LOW_HALF, np.uint16) if constants.wide else None
    return Rows(weights, bias, classes, np.zeros(devices, np.int64), low)


def centered(constants: HeadConstants, features: Int8) -> Int:
    """(n, D) x, -255 to 255, of features (n, D)."""
    return features.astype(np.int64) - constants.feature_zero_point


def logits(units: Units, rows: Rows, x: Int) -> Int:
    """(n, R) logits in log2 units, Q10, of x (n, D); UNUSED for rows that are not in use.

    With one device's rows, x may be any number of samples.
    """
    # Exact: sums of less than 2^53 in magnitude.
    products = np.matmul(rows.weights.astype(np.float64), x.astype(np.float64)[:, :, None])
    acc = fixed.round_half_up(products[:, :, 0].astype(np.int64) + rows.bias, WEIGHT_FRACTION_BITS)
    used = rows.used(rows.bias.shape[1])
    # What lies in a row that is not in use is no sum, and need not fit.
    multiplier, shift = _factors(units, rows, "logit_multiplier", "logit_shift")
    z = fixed.multiply_by_quantized_multiplier(np.where(used, acc, 0), multiplier, shift)
    return np.where(used, z, UNUSED)


def classify(units: Units, rows: Rows, x: Int) -> Int:
    """(n,) classes; ties go to the lowest."""
    return np.argmax(logits(units, rows, x), axis=1)


def softmax(z: Int) -> tuple[Int, Int]:
    """(n, R) probabilities in Q15 of logits in log2 units, Q10, and (n,) E, the sum of powers."""
    difference = z.max(axis=1, keepdims=True) - z
    fraction = (difference & ((1 << LOGIT_FRACTION_BITS) - 1)) >> (
        LOGIT_FRACTION_BITS - EXP2_INDEX_BITS
    )
    whole = np.minimum(difference >> LOGIT_FRACTION_BITS, 31)
    power = np.array(EXP2_TABLE, np.int64)[fraction] >> whole
    total = power.sum(axis=1)
    return (power << PROBABILITY_BITS) // total[:, None], total


def loss(z: Int, total: Int, labels: Int, classes: Int) -> Int:
    """(n,) bits, Q10, lost on samples of class `labels`; 31 bits for a class that has no row.

    z: logits (n, R); total: E of their softmax.
    """
    known = labels < classes
    own = np.take_along_axis(z, np.where(known, labels, 0)[:, None], axis=1)[:, 0]
    bits = z.max(axis=1) - own + fixed.log2_q10(total) - (PROBABILITY_BITS << LOGIT_FRACTION_BITS)
    return np.where(known, bits, 31 << LOGIT_FRACTION_BITS)


def learn(
    constants: HeadConstants,
    rows: Rows,
    features: Int8,
    labels: Int,
    devices: Mask | None = None,
    units: Units = (),
) -> Step:
    """One step on each of the devices; writes into `rows`. Raises InputError for a bad label.

    units: the factory's, where none are given.
    """
    taking_part = np.ones(len(features), np.bool_) if devices is None else devices
    bad = taking_part & ((labels < 0) | (labels >= rows.classes))
    if bad.any():
        raise InputError(f"a label is not in 0 to {int(rows.classes[bad][0]) - 1}")
    x, units = centered(constants, features), units or (constants.units,)
    z = logits(units, rows, x)
    p, _ = softmax(z)
    error, written = step(constants, units, rows, x, p, labels, taking_part)
    return Step(np.argmax(z, axis=1), z, p, error, written)


def step(
    constants: HeadConstants,
    units: Units,
    rows: Rows,
    x: Int,
    p: Int,
    labels: Int,
    devices: Mask | None = None,
) -> tuple[Int, Int]:
    """Gradient descent on samples x (n, D) whose probabilities by `rows` are p (n, R).

    Gives the errors (n, R) and the rows written (n, rows). Labels are in use where a device takes
    part.
    """
    error = p.copy()
    everyone = np.arange(len(p))
    labels = labels if devices is None else np.where(devices, labels, 0)
    error[everyone, labels] -= p.sum(axis=1)
    written = _choose_rows(constants, error, labels)
    if devices is not None:
        written[~devices] = -1
    _write_rows(units, rows, x, error, written)
    return error, written


def _factors(units: Units, rows: Rows, multiplier: str, shift: str) -> tuple[Int, Int]:
    """Multipliers and shifts (n, R) of every device's rows."""
    both = (np.stack([getattr(u, name) for u in units]) for name in (multiplier, shift))
    first, second = (table.astype(np.int64)[rows.units] for table in both)
    return first, second


def _choose_rows(constants: HeadConstants, error: Int, labels: Int) -> Int:
    """(n, rows): the true row, then the rows of largest error, ties to the lowest index.

    None (-1) where the step is skipped, and in place of rows without an error.
    """
    # The true row has no positive error, so it does not come among the largest.
    order = np.argsort(-error, axis=1, kind="stable")[:, : constants.rows - 1]
    largest = np.where(np.take_along_axis(error, order, axis=1) > 0, order, -1)
    written = np.concatenate([labels[:, None], largest], axis=1)
    written[-error[np.arange(len(error)), labels] <= constants.tau] = -1
    return written


def _write_rows(units: Units, rows: Rows, x: Int, error: Int, written: Int) -> None:
    """The steps of weights and bias, for the rows to be written."""
    mbqm = fixed.multiply_by_quantized_multiplier
    device, place = np.nonzero(written >= 0)
    row = written[device, place]
    e = error[device, row]
    multiplier, shift = _factors(units, rows, "gradient_multiplier", "gradient_multiplier_shift")
    g = mbqm(e, multiplier[device, row], shift[device, row])
    g = np.clip(g, -GRADIENT_LIMIT, GRADIENT_LIMIT)
    raising = 16 - np.array([u.gradient_shift for u in units])[rows.units]
    # Both factors have 16 bits, so products and their rounding have 32.
    raised = (x << raising[:, None]).astype(np.int32)[device]
    _descend(rows, device, row, g.astype(np.int32)[:, None] * raised)
    multiplier, shift = _factors(units, rows, "bias_multiplier", "bias_multiplier_shift")
    bias = rows.bias[device, row] - mbqm(e, multiplier[device, row], shift[device, row])
    rows.bias[device, row] = np.clip(bias, -BIAS_LIMIT, BIAS_LIMIT)


def _descend(rows: Rows, device: Int, row: Int, step: npt.NDArray[np.int32]) -> None:
    """Takes steps (k, D), with 16 fraction bits of a weight, from k rows."""
    weights = rows.weights[device, row].astype(np.int32)
    if rows.low is None:
        change = (step + np.int32(1 << 15)) >> np.int32(16)
        rows.weights[device, row] = np.clip(weights - change, -(1 << 15), (1 << 15) - 1)
        return
    master = (weights.astype(np.int64) << 16) + rows.low[device, row] - step
    master = np.clip(master, fixed.INT32_MIN, fixed.INT32_MAX)
    rows.weights[device, row] = master >> 16
    rows.low[device, row] = master & 0xFFFF


def add_class(rows: Rows, devices: Mask | None = None) -> Int:
    """A new class, whose row is the mean of the rows in use; writes into `rows`.

    Gives its index (n,); -1 on devices without a free row, and those that take no part.
    """
    capacity = rows.bias.shape[1]
    left = rows.classes < capacity
    (grown,) = np.nonzero(left if devices is None else left & devices)
    new, used = rows.classes[grown], rows.used(capacity)[grown]
    total = np.where(used[:, :, None], rows.weights[grown], 0).sum(axis=1, dtype=np.int64)
    rows.weights[grown, new] = fixed.divide_rounded(total, new[:, None])
    total = np.where(used, rows.bias[grown], 0).sum(axis=1, dtype=np.int64)
    rows.bias[grown, new] = fixed.divide_rounded(total, new)
    if rows.low is not None:
        rows.low[grown, new] = LOW_HALF
    rows.classes[grown] += 1
    added = np.full(len(rows.classes), -1, np.int64)
    added[grown] = new
    return added


def trace(rows: Rows, step: Step, crc: int, device: int = 0) -> int:
    """The running CRC-32 of one device after the step: tt_head_trace in head.h says over what."""
    used = int(rows.classes[device])
    crc = zlib.crc32(step.logits[device, :used].astype("<i4").tobytes(), crc)
    crc = zlib.crc32(step.probabilities[device, :used].astype("<u2").tobytes(), crc)
    written = [int(row) for row in step.written[device] if row >= 0]
    crc = zlib.crc32(len(written).to_bytes(2, "little"), crc)
    for row in written:
        crc = zlib.crc32(row.to_bytes(2, "little"), crc)
        crc = zlib.crc32(rows.weights[device, row].astype("<i2").tobytes(), crc)
        if rows.low is not None:
            crc = zlib.crc32(rows.low[device, row].astype("<u2").tobytes(), crc)
        crc = zlib.crc32(rows.bias[device, row].astype("<i4").tobytes(), crc)
    return crc

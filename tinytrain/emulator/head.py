"""The learning head in numpy, for any number of devices at once: the reference of
firmware/src/learn/head.c.

Letters: n devices, C classes, D features. Every device has its own head; one call learns one
sample on each of them, and gives the same bits as n calls with one device each.
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
    MASTER_FRACTION_BITS,
    MASTER_LIMIT,
    PROBABILITY_BITS,
    HeadConstants,
)

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class HeadState:
    """What n devices have learned. The arrays are written in place by `learn`."""

    master_weights: npt.NDArray[np.int16]
    """(n, C, D) Q7.8, -MASTER_LIMIT to MASTER_LIMIT."""
    master_bias: npt.NDArray[np.int32]
    """(n, C) accumulator units with 8 more fraction bits."""


@dataclass(frozen=True, eq=False)
class Step:
    """What one learning step computed, for each device."""

    predicted: Int
    """(n,) the class before learning."""
    logits: Int
    """(n, C) log2 units, Q10."""
    probabilities: Int
    """(n, C) Q15."""
    error: Int
    """(n, C) Q15; sums to 0 over C."""
    written: Int
    """(n, rows) the rows written in order of writing, filled up with -1."""

    @property
    def rows_written(self) -> Int:
        return np.count_nonzero(self.written >= 0, axis=1)


def factory_state(constants: HeadConstants, devices: int = 1) -> HeadState:
    """The head as it was converted, for `devices` devices."""
    weights = np.clip(constants.weights.astype(np.int64), -127, 127) << MASTER_FRACTION_BITS
    bias = constants.bias.astype(np.int64) << MASTER_FRACTION_BITS
    return HeadState(
        np.repeat(weights[None].astype(np.int16), devices, axis=0),
        np.repeat(bias[None].astype(np.int32), devices, axis=0),
    )


def _centred(constants: HeadConstants, features: Int8) -> Int:
    return features.astype(np.int64) - constants.feature_zero_point


def _round(x: Int, bits: int) -> Int:
    """x / 2^bits to nearest, ties up: the rounding of everything that learning writes."""
    return (x + (1 << (bits - 1))) >> bits


def logits(constants: HeadConstants, state: HeadState, features: Int8) -> Int:
    """(n, C) logits in log2 units, Q10, of features (n, D)."""
    weights = _round(state.master_weights.astype(np.int64), MASTER_FRACTION_BITS)
    bias = _round(state.master_bias.astype(np.int64), MASTER_FRACTION_BITS)
    acc = np.einsum("ncd,nd->nc", weights, _centred(constants, features)) + bias
    return fixed.multiply_by_quantized_multiplier(
        acc, constants.logit_multiplier, constants.logit_shift
    )


def classify(constants: HeadConstants, state: HeadState, features: Int8) -> Int:
    """(n,) classes; ties go to the lowest."""
    return np.argmax(logits(constants, state, features), axis=1)


def softmax(z: Int) -> Int:
    """(n, C) probabilities in Q15 of logits in log2 units, Q10: 2^-f by table and shift."""
    difference = z.max(axis=1, keepdims=True) - z
    fraction = (difference & ((1 << LOGIT_FRACTION_BITS) - 1)) >> (
        LOGIT_FRACTION_BITS - EXP2_INDEX_BITS
    )
    whole = np.minimum(difference >> LOGIT_FRACTION_BITS, 31)
    power = np.array(EXP2_TABLE, np.int64)[fraction] >> whole
    return (power << PROBABILITY_BITS) // power.sum(axis=1, keepdims=True)


def learn(constants: HeadConstants, state: HeadState, features: Int8, labels: Int) -> Step:
    """One step on each of n devices; writes into `state`. Raises InputError for a bad label."""
    n = len(features)
    devices = np.arange(n)
    if bool(np.any((labels < 0) | (labels >= constants.classes))):
        raise InputError(f"a label is not in 0 to {constants.classes - 1}")
    z = logits(constants, state, features)
    p = softmax(z)
    error = p.copy()
    error[devices, labels] = 0
    error[devices, labels] = -error.sum(axis=1)
    written = _choose_rows(constants, error, labels)
    _write_rows(constants, state, _centred(constants, features), error, written)
    return Step(np.argmax(z, axis=1), z, p, error, written)


def _choose_rows(constants: HeadConstants, error: Int, labels: Int) -> Int:
    """(n, rows): the true row, then the rows of largest error, ties to the lowest index.

    None (-1) where the step is skipped, and in place of rows without an error.
    """
    devices = np.arange(len(error))
    others = error.copy()
    others[devices, labels] = 0
    order = np.argsort(-others, axis=1, kind="stable")[:, : constants.rows - 1]
    largest = np.where(np.take_along_axis(others, order, axis=1) > 0, order, -1)
    written = np.concatenate([labels[:, None], largest], axis=1)
    skipped = -error[devices, labels] <= constants.tau
    return np.where(skipped[:, None], -1, written)


def _write_rows(
    constants: HeadConstants, state: HeadState, x: Int, error: Int, written: Int
) -> None:
    """M[c] -= (g[c] * x + half) >> gradient_shift, and the bias, for the rows to be written."""
    mbqm = fixed.multiply_by_quantized_multiplier
    device, place = np.nonzero(written >= 0)
    row = written[device, place]
    e = error[device, row]
    g = np.clip(
        mbqm(e, constants.gradient_multiplier[row], constants.gradient_multiplier_shift[row]),
        -GRADIENT_LIMIT,
        GRADIENT_LIMIT,
    )
    change = _round(g[:, None] * x[device], constants.gradient_shift)
    master = state.master_weights[device, row].astype(np.int64) - change
    state.master_weights[device, row] = np.clip(master, -MASTER_LIMIT, MASTER_LIMIT)
    step = mbqm(e, constants.bias_multiplier[row], constants.bias_multiplier_shift[row])
    bias = state.master_bias[device, row].astype(np.int64) - step
    state.master_bias[device, row] = np.clip(bias, -BIAS_LIMIT, BIAS_LIMIT)


def trace(state: HeadState, step: Step, crc: int, device: int = 0) -> int:
    """The running CRC-32 of one device after the step.

    Folds, little-endian: logits as int32, probabilities as uint16, the number of rows written as
    uint16, then each row's index as uint16, master weights as int16 and master bias as int32.
    """
    crc = zlib.crc32(step.logits[device].astype("<i4").tobytes(), crc)
    crc = zlib.crc32(step.probabilities[device].astype("<u2").tobytes(), crc)
    rows = [int(row) for row in step.written[device] if row >= 0]
    crc = zlib.crc32(len(rows).to_bytes(2, "little"), crc)
    for row in rows:
        crc = zlib.crc32(row.to_bytes(2, "little"), crc)
        crc = zlib.crc32(state.master_weights[device, row].astype("<i2").tobytes(), crc)
        crc = zlib.crc32(state.master_bias[device, row].astype("<i4").tobytes(), crc)
    return crc

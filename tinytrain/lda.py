"""Building the analytic head: linear discriminant analysis of the training people's features.

Letters: N samples, C0 classes, D features. x is a feature less the zero point. The covariance is
the one within classes, and what regularizes it is a ridge on its correlations (Friedman,
"Regularized Discriminant Analysis", JASA 84, 1989). The class means are what the device moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, log2

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import lda as emulator
from tinytrain.errors import InputError
from tinytrain.head import WEIGHT_FRACTION_BITS, HeadUnits, units
from tinytrain.lda_constants import (
    CORRELATION_BITS,
    FACTOR_BITS,
    MAX_FEATURES,
    MAX_PRIOR,
    MEAN_BITS,
    MIN_RIDGE,
    MIN_WHITENING_SHIFT,
    SOLUTION_BITS,
    WHITENING_BITS,
    LdaConstants,
)
from tinytrain.operators.kernel import multipliers

Float = npt.NDArray[np.float64]

INT16_MAX = (1 << 15) - 1
WEIGHT_LIMIT = 1 << 13
"""Of the prior's rows: a quarter of int16, so that the rows of a device have room."""
BIAS_LIMIT = 1 << 28
"""The same for biases, of 2^30."""
LEAST_WEIGHT_SHIFT = 3
"""ws - rs: a weight is worth at least 2^-16 nats. Rows of classes that hardly differ would get
weights so fine that a step of gradient descent is too many of them."""
DEVIATION_FLOOR = 0.1
"""Of a feature, relative to the root mean square of all: one that is hardly alive in training
would count for ten times as much on a device where it wakes up."""
LEAST_DEVIATION = 1 / 4
"""In steps of a feature: keeps the whitening within its range where all are constant."""
UNKNOWN = HeadUnits(0, *multipliers([]), *multipliers([]), *multipliers([]))
"""The units until the weights' shift is known."""


@dataclass(frozen=True)
class LdaOptions:
    """How the analytic head weighs what it knows against what it sees; chosen per task."""

    prior: float = 3.0
    """Weight of the training people's class means, in samples. 1/16 to 1024."""
    ridge: float = 0.2
    """lambda: what is added to the unit diagonal of the correlation matrix. 1/32 to 16."""
    blend: int = 0
    """Weight of the training people's covariance against the device's, in samples, up to 65535;
    0: the covariance is frozen, and the device solves nothing."""
    temperature: float = 0.2
    """Factor of the logits: features that depend on each other make the posterior too sure. More
    than 0, at most 16. Of the capped losses that the guard compares, 0.2 to 0.3 left least."""


def build_lda(
    features: npt.NDArray[np.int8],
    labels: npt.NDArray[np.int64],
    feature_zero_point: int,
    classes: int,
    capacity: int,
    options: LdaOptions,
    feature_scale: float,
    eta: float = 1.0,
) -> LdaConstants:
    """The constants from features (N, D) and labels (N,), 0 to classes - 1.

    A class without samples has the mean of the others. `eta`: the step size of gradient descent on
    these rows, as in HeadOptions. Raises InputError where something is out of range.
    """
    _check(features, labels, classes, capacity, options)
    x = features.astype(np.float64) - feature_zero_point
    means = _class_means(x, labels, classes)
    origin = _mean_of_present(means, labels)
    covariance = _covariance(x - means[labels])
    whitening, shift = _whitening(covariance)
    per_deviation = whitening / 2.0 ** (WHITENING_BITS + shift)
    correlation = covariance * np.outer(per_deviation, per_deviation)
    inverse, inverse_shift = _inverse(correlation, options.ridge)
    blended, none = options.blend > 0, np.zeros(0, np.int16)
    constants = LdaConstants(
        classes=classes,
        capacity=capacity,
        features=features.shape[1],
        prior=round(16 * options.prior),
        blend=options.blend,
        whitening_shift=shift,
        inverse_shift=inverse_shift,
        weight_shift=1,
        ridge=round(options.ridge * (1 << FACTOR_BITS)),
        units=UNKNOWN,
        means=_fixed(means, MEAN_BITS),
        origin=_fixed(origin, MEAN_BITS),
        whitening=whitening,
        inverse=none if blended else inverse,
        correlation=_triangle(_fixed(correlation, CORRELATION_BITS)) if blended else none,
        weights=np.zeros(means.shape, np.int16),
        bias=np.zeros(classes, np.int32),
    )
    constants = _with_rows(constants)
    energy = float((x**2).sum(axis=1).mean())
    return replace(constants, units=_units(constants, options, feature_scale, eta, energy))


def _check(
    features: npt.NDArray[np.int8],
    labels: npt.NDArray[np.int64],
    classes: int,
    capacity: int,
    options: LdaOptions,
) -> None:
    for wrong, message in (
        (
            not 1 <= features.shape[1] <= MAX_FEATURES,
            f"the analytic head: {features.shape[1]} features; at most {MAX_FEATURES} are "
            "supported; learn by sgd, or make the network's last layer but one narrower",
        ),
        (len(features) == 0, "the analytic head: no training samples; give some"),
        (
            not 1 <= classes <= capacity <= 0xFFFF,
            f"the analytic head: {classes} classes in {capacity} rows; at least as many rows",
        ),
        (
            bool(np.any((labels < 0) | (labels >= classes))),
            f"the analytic head: a label is not in 0 to {classes - 1}",
        ),
        (
            not 1 / 16 <= options.prior <= MAX_PRIOR / 16,
            f"prior {options.prior}: 1/16 to {MAX_PRIOR // 16} samples",
        ),
        (
            not MIN_RIDGE / (1 << FACTOR_BITS) <= options.ridge <= 16,
            f"ridge {options.ridge}: 1/32 to 16",
        ),
        (not 0 < options.temperature <= 16, f"temperature {options.temperature}: 0 to 16"),
        (not 0 <= options.blend <= 0xFFFF, f"blend {options.blend}: 0 to 65535 samples"),
    ):
        if wrong:
            raise InputError(message)


def _class_means(x: Float, labels: npt.NDArray[np.int64], classes: int) -> Float:
    """(C0, D); for a class without samples the mean of the others."""
    sums = np.zeros((classes, x.shape[1]))
    np.add.at(sums, labels, x)
    counts = np.bincount(labels, minlength=classes)
    means = sums / np.maximum(counts, 1)[:, None]
    means[counts == 0] = _mean_of_present(means, labels)
    return means


def _mean_of_present(means: Float, labels: npt.NDArray[np.int64]) -> Float:
    """(D,) the mean of the means of the classes that have samples."""
    mean: Float = means[np.unique(labels)].mean(axis=0)
    return mean


def _covariance(deviations: Float) -> Float:
    """(D, D) of deviations (N, D) from the class means, exactly symmetric."""
    covariance = deviations.T @ deviations / len(deviations)
    return (covariance + covariance.T) / 2


def _whitening(covariance: Float) -> tuple[npt.NDArray[np.int16], int]:
    """r (D,) and rs with r = 2^(3 + rs) / sd, the largest that fit int16."""
    variance = np.diag(covariance)
    lowest = max(DEVIATION_FLOOR * float(np.sqrt(variance.mean())), LEAST_DEVIATION)
    deviation = np.maximum(np.sqrt(variance), lowest)
    shift = floor(log2(INT16_MAX * float(deviation.min()))) - WHITENING_BITS
    assert shift >= MIN_WHITENING_SHIFT
    return np.rint(2.0 ** (WHITENING_BITS + shift) / deviation).astype(np.int16), shift


def _inverse(correlation: Float, ridge: float) -> tuple[npt.NDArray[np.int16], int]:
    """K (D, D) and ks: the inverse of the regularized correlation, as large as fits int16."""
    inverse = np.linalg.inv(correlation + ridge * np.eye(len(correlation)))
    shift = floor(log2(INT16_MAX / float(np.abs(inverse).max())))
    return _fixed((inverse + inverse.T) / 2, shift), shift


def _fixed(real: Float, bits: int) -> npt.NDArray[np.int16]:
    """With `bits` fraction bits, saturated to int16."""
    return np.clip(np.rint(real * 2.0**bits), -INT16_MAX - 1, INT16_MAX).astype(np.int16)


def _triangle(matrix: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """(D (D + 1) / 2,) the lower triangle of (D, D), by rows."""
    return matrix[np.tril_indices(len(matrix))]


def _with_rows(constants: LdaConstants) -> LdaConstants:
    """The weights' shift, and the prior's rows: those of a device that has seen nothing."""
    state = emulator.empty_state(constants)
    every = np.arange(constants.classes)[None]
    factored = emulator.factor(constants, state)
    solution = emulator.solutions(constants, state, every, factored)
    widest = float(np.abs(solution * constants.whitening.astype(np.int64)).max())
    least = constants.whitening_shift + LEAST_WEIGHT_SHIFT
    first = max(least, ceil(log2(max(widest, 1.0) / WEIGHT_LIMIT)))
    for shift in range(first, 63):
        shifted = replace(constants, weight_shift=shift)
        weights, bias = emulator.row(shifted, state, every, factored)
        if int(np.abs(bias).max()) <= BIAS_LIMIT:
            break
    return replace(shifted, weights=weights[0], bias=bias[0])


def _units(
    constants: LdaConstants, options: LdaOptions, sx: float, eta: float, energy: float
) -> HeadUnits:
    """A weight is worth temperature 2^(ws - 19 - rs) nats a step of its feature."""
    if not energy > 0:
        raise InputError(
            "the analytic head: the features of the training samples are all zero; give samples "
            "that the model reacts to"
        )
    bits = SOLUTION_BITS + WHITENING_BITS + constants.whitening_shift - WEIGHT_FRACTION_BITS
    worth = options.temperature * 2.0 ** (constants.weight_shift - bits)
    try:
        return units(np.full(constants.capacity, worth / sx), sx, constants.features, eta, energy)
    except InputError as error:
        raise InputError(f"the analytic head: {error}") from None

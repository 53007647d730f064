"""The constants of motion's front end, from settings that a person reads and measured ranges.

Letters: C channels, n outputs. The rules stand in firmware/FRONTEND.md (section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.frontend.constants import (
    STATISTICS,
    WINDOWS,
    MotionConstants,
    Quantizer,
)
from tinytrain.frontend.transform import hann, transform_constants

FORMS = {"windows": WINDOWS, "statistics": STATISTICS}
KINDS = ("mean", "deviation", "energy", "crossings")
"""Statistics of each channel, in the order of the outputs; bands follow."""

MAX_CHANNELS = 32
MAX_LENGTH = 4096
"""Of a window, in samples: sums of them keep to 32 bits, sums of squares to 42."""
MAX_HOP = 65535
MAX_UP = 64
"""Phases of the resampler."""
MAX_RATIO = 16
"""Of the two rates, upwards or downwards."""
RATE_TOLERANCE = 1e-4
"""By which a ratio of rates may be off: a sensor's clock is off by more."""
SMALLEST_TRANSFORM, LARGEST_TRANSFORM = 16, 512

_CROSSINGS = 7
"""Zero crossings of the resampler's sinc on each side. With 8, a sum could leave 32 bits."""
_BETA = 5.65
"""Of its Kaiser window: 60 dB (Kaiser's formula, 0.1102 (A - 8.7))."""
_ONE = 1 << 15
_OUTSIDE = 0.001
"""Share of the values of a statistic that int8 may clip, as training/scaling.py clips samples."""
_SCALE_BITS = 31
_MAX_SHIFT = 46

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class MotionSettings:
    """What the front end makes of a sensor's samples."""

    input_rate: float
    """Hz of the sensor."""
    rate: float
    """Hz of the samples of a window."""
    channels: int
    """1 to 32."""
    length: int
    """Samples of a window, 1 to 4096."""
    hop: int
    """Samples from the beginning of a window to that of the next, 1 to 65535; may be more than
    `length`: samples between windows are passed over."""
    unit: float
    """Physical size of one count of int16, such as 9.81 / 8192 m/s^2."""
    form: str = "windows"
    """windows: the samples themselves; statistics: numbers that describe them."""
    bands: int = 0
    """Of the spectrum, in statistics; they need a length that is a power of two, 16 to 512."""
    low: float = 0.0
    """Hz where the first band begins; 0: at the lowest frequency above none."""
    high: float = 0.0
    """Hz where the last band ends; 0: half of `rate`."""

    @property
    def outputs(self) -> int:
        """int8 numbers of one window."""
        if self.form == "windows":
            return self.length * self.channels
        return self.channels * (len(KINDS) + self.bands)


def motion_constants(
    settings: MotionSettings, zero: Floats | float, scale: Floats | float
) -> MotionConstants:
    """The integers of a front end.

    `zero` and `scale` lead back from int8, (q - zero) * scale, as in training/scaling.py; each is
    one number for all or (outputs,) of form statistics, where the values are those of
    `emulator.motion.statistics`; of form windows one or (C,), and the values are physical, so
    counts times `settings.unit`. Scales are positive.

    Raises InputError, naming the setting, what was found and what is allowed.
    """
    up, down = resampling(settings.input_rate, settings.rate)
    _check(settings)
    windows = settings.form == "windows"
    each = settings.channels if windows else settings.outputs
    taps = resampling_taps(up, down)
    bands = settings.bands
    return MotionConstants(
        rate=round(1000 * settings.input_rate),
        channels=settings.channels,
        up=up,
        down=down,
        taps=taps.shape[1],
        length=settings.length,
        hop=settings.hop,
        form=FORMS[settings.form],
        bands=bands,
        transform=transform_constants(settings.length if bands else 0),
        quantizer=_quantizer(zero, scale, settings.unit if windows else 1.0, each),
        taps_of_phase=taps,
        window_function=hann(settings.length if bands else 0),
        edges=_edges(settings),
    )


def statistics_ranges(statistics: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(zero, scale) of each output, for `motion_constants`: float64 (outputs,).

    `statistics`: (n, C, 4 + bands), of training windows, from `emulator.motion.statistics`. int8
    spans from the 0.05th to the 99.95th percentile of each, but a step is at least 1.
    """
    if statistics.ndim != 3 or not len(statistics):
        raise InputError(
            f"statistics of shape {statistics.shape}; those of at least one window are needed, "
            "(windows, channels, numbers)"
        )
    flat = statistics.reshape(len(statistics), -1)
    low, high = np.percentile(flat, [50 * _OUTSIDE, 100 - 50 * _OUTSIDE], axis=0)
    scale = np.maximum((high - low) / 255, 1.0)
    return -0.5 - (low + high) / 2 / scale, scale


def memory_bytes(constants: MotionConstants) -> int:
    """The front end's working memory, ring apart: `tt_frontend.bytes`.

    Transform, window of samples, resampler's history, window of int8, in this order.
    """
    k = constants
    windows = k.form == WINDOWS
    window = k.length * k.channels * (1 if windows else 2)
    return 4 * k.transform.points + window + 2 * k.taps * k.channels


def resampling(input_rate: float, rate: float) -> tuple[int, int]:
    """(up, down), coprime, with rate = input_rate up / down within 1 in 10,000.

    Raises InputError where up would be above 64, with the nearest rates that will do, or where the
    rates are further apart than 16 times.
    """
    for name, value in (("input_rate", input_rate), ("rate", rate)):
        if not (isfinite(value) and 0.001 <= value <= 1e6):
            raise InputError(f"{name} = {value:g} Hz; 0.001 to 1,000,000 is allowed")
    ratio = Fraction(str(input_rate)) / Fraction(str(rate))
    if not Fraction(1, MAX_RATIO) <= ratio <= MAX_RATIO:
        raise InputError(
            f"input_rate = {input_rate:g} Hz and rate = {rate:g} Hz are more than {MAX_RATIO} "
            f"times apart; let the sensor give {rate:g} to {MAX_RATIO * rate:g} Hz"
        )
    near = ratio.limit_denominator(MAX_UP)
    if abs(near / ratio - 1) > RATE_TOLERANCE:
        raise InputError(
            f"from input_rate = {input_rate:g} Hz to rate = {rate:g} Hz is not a ratio of whole "
            f"numbers that the resampler holds, up to {MAX_UP} for input_rate; nearest are "
            f"input_rate = {float(near) * rate:.7g} Hz, or rate = {input_rate / float(near):.7g} Hz"
        )
    return near.denominator, near.numerator


def resampling_taps(up: int, down: int) -> NDArray[np.int16]:
    """(up, taps) Q15: a sinc under a Kaiser window, 6 dB down at the lower of both Nyquists.

    Each phase sums to 2^15, so that a constant stays one, and its magnitudes to less than 2^16, so
    that 32 bits hold a sum. The delay is taps / 2 input samples. Up to 0.7 of the lower Nyquist the
    gain is 1 within 0.1 dB, and what is folded there is 55 dB down. up = down = 1: no taps.
    """
    if up == down:
        return np.zeros((1, 0), np.int16)
    side = _CROSSINGS * max(1.0, down / up)
    taps = 2 * ceil(side)
    distance = np.arange(taps) - taps // 2 + np.arange(up)[:, None] / up
    bell = np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (distance / side) ** 2)))
    bell[np.abs(distance) > side] = 0
    ideal = bell * np.sinc(min(1.0, up / down) * distance)
    rows = np.round(ideal / ideal.sum(axis=1, keepdims=True) * _ONE).astype(np.int64)
    for row in rows:
        centre = int(np.argmax(row))
        row[centre] += _ONE - row.sum()
        # A sample that is passed on as it is would need a tap of 2^15.
        above = max(int(row[centre]) - (_ONE - 1), 0)
        row[centre] -= above
        row[centre + 1] += above
    assert (np.abs(rows).sum(axis=1) < 2 * _ONE).all()
    return rows.astype(np.int16)


def _check(settings: MotionSettings) -> None:
    for name, value, high in (
        ("channels", settings.channels, MAX_CHANNELS),
        ("length", settings.length, MAX_LENGTH),
        ("hop", settings.hop, MAX_HOP),
    ):
        if not 1 <= value <= high:
            raise InputError(f"{name} = {value}; 1 to {high} is allowed")
    if settings.form not in FORMS:
        raise InputError(f"form = {settings.form!r}; allowed are {', '.join(FORMS)}")
    if settings.bands < 0 or (settings.bands and settings.form != "statistics"):
        raise InputError(
            f"bands = {settings.bands} with form = {settings.form!r}; 0, or with form = "
            "'statistics' more"
        )
    if not settings.bands:
        return
    length = settings.length
    if not SMALLEST_TRANSFORM <= length <= LARGEST_TRANSFORM or length & (length - 1):
        raise InputError(
            f"length = {length} with bands = {settings.bands}; a power of two from "
            f"{SMALLEST_TRANSFORM} to {LARGEST_TRANSFORM} is needed, or bands = 0"
        )


def _edges(settings: MotionSettings) -> NDArray[np.uint16]:
    """(bands + 1,): bins, evenly apart by their ratio, and each band at least one bin wide."""
    bands, length = settings.bands, settings.length
    if not bands:
        return np.zeros(0, np.uint16)
    step = settings.rate / length
    low = max(round(settings.low / step), 1)
    high = min(round((settings.high or settings.rate / 2) / step), length // 2) + 1
    if high - low < bands:
        raise InputError(
            f"bands = {bands} between low = {settings.low:g} and high = {settings.high:g} Hz, "
            f"which hold {max(high - low, 0)} frequencies of a window of {length} samples at "
            f"{settings.rate:g} Hz; take fewer bands or a longer window"
        )
    edges = np.round(np.geomspace(low, high, bands + 1)).astype(np.int64)
    for j in range(1, bands + 1):
        edges[j] = max(edges[j], edges[j - 1] + 1)
    edges[bands] = high
    for j in range(bands - 1, 0, -1):
        edges[j] = min(edges[j], edges[j + 1] - 1)
    return edges.astype(np.uint16)


def _quantizer(zero: Floats | float, scale: Floats | float, unit: float, each: int) -> Quantizer:
    """q = (v - offset) factor, of v in counts, that agrees with v unit = (q - zero) scale."""
    many = max(np.size(zero), np.size(scale))
    if not {np.size(zero), np.size(scale)} <= {1, each} or not (isfinite(unit) and unit > 0):
        raise InputError(
            f"zero and scale have {np.size(zero)} and {np.size(scale)} numbers and the unit is "
            f"{unit:g}; 1 or {each} numbers, and a positive unit are needed"
        )
    zeros = np.broadcast_to(np.asarray(zero, np.float64).reshape(-1), (many,))
    scales = np.broadcast_to(np.asarray(scale, np.float64).reshape(-1), (many,))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        factor, offset = unit / scales, np.round(-zeros * scales / unit)
    # All values of the front end are below 2^30, and so their distance from it below 2^31.
    inside = (factor > 0) & (factor < 2.0 ** (_SCALE_BITS - 1)) & (np.abs(offset) < 2.0**30)
    if not inside.all():
        raise InputError(
            f"unit = {unit:g} with scale = {scales[~inside][0]:g} and zero = "
            f"{zeros[~inside][0]:g}: no integers hold them; check the unit of the samples"
        )
    shift = min(_SCALE_BITS - int(np.frexp(factor.max())[1]), _MAX_SHIFT)
    # Rounding may make the largest 2^31.
    whole = np.minimum(np.round(np.ldexp(factor, shift)), (1 << _SCALE_BITS) - 1)
    return Quantizer(int(many > 1), shift, offset.astype(np.int32), whole.astype(np.int32))

"""The constants of front ends and of the stream around them: twins of the C structs in
firmware/include/tinytrain/frontend.h and stream.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Parameters

WINDOWS, STATISTICS = 0, 1
"""Forms of motion."""


@dataclass(frozen=True, eq=False)
class Quantizer(Parameters):
    """v to int8: sat8(round((v - offset) scale, shift))."""

    structure: ClassVar[str] = "tt_quantizer"
    each: int
    """0: one offset and scale for all outputs, 1: one each."""
    shift: int
    """1 to 46."""
    offset: npt.NDArray[np.int32]
    scale: npt.NDArray[np.int32]
    """Not negative."""


@dataclass(frozen=True, eq=False)
class Transform(Parameters):
    """A real Fourier transform of `points` samples."""

    structure: ClassVar[str] = "tt_transform"
    points: int
    """A power of two, 16 to 1024; 0: none."""
    twiddles: npt.NDArray[np.int16]
    """(points / 2, 2): cosine and sine, Q15."""


@dataclass(frozen=True, eq=False)
class AudioConstants(Parameters):
    """Sounds to log-mel or cepstral frames."""

    structure: ClassVar[str] = "tt_audio_constants"
    rate: int
    window: int
    hop: int
    pre_emphasis: int
    bands: int
    first_bin: int
    coefficients: int
    noise: int
    gain: int
    smooth_even: int
    smooth_odd: int
    least: int
    strength: int
    gain_offset: int
    lift: int
    floor: int
    transform: Transform
    quantizer: Quantizer
    window_function: npt.NDArray[np.int16]
    """(window,) Q15."""
    segment_bins: npt.NDArray[np.uint16]
    """(bands + 1,)"""
    rising: npt.NDArray[np.uint16]
    """(sum of segment_bins,) Q15."""
    cosines: npt.NDArray[np.int16]
    """(coefficients, bands) Q15."""

    @property
    def outputs(self) -> int:
        return self.coefficients or self.bands


@dataclass(frozen=True, eq=False)
class MotionConstants(Parameters):
    """Motion to windows, or to statistics of windows."""

    structure: ClassVar[str] = "tt_motion_constants"
    rate: int
    """mHz of the samples."""
    channels: int
    up: int
    down: int
    taps: int
    length: int
    hop: int
    form: int
    """WINDOWS or STATISTICS."""
    bands: int
    transform: Transform
    quantizer: Quantizer
    """WINDOWS: `each` counts channels."""
    taps_of_phase: npt.NDArray[np.int16]
    """(up, taps) Q15."""
    window_function: npt.NDArray[np.int16]
    """(length,) Q15 where there are bands, else empty."""
    edges: npt.NDArray[np.uint16]
    """(bands + 1,) bins, or empty."""

    @property
    def outputs(self) -> int:
        if self.form == WINDOWS:
            return self.length * self.channels
        return self.channels * (4 + self.bands)


@dataclass(frozen=True, eq=False)
class SmootherConstants(Parameters):
    """From probabilities to detections."""

    structure: ClassVar[str] = "tt_smoother_constants"
    average: int
    threshold: int
    """Q15."""
    refractory: int
    ignored: int
    ignore: npt.NDArray[np.uint16]
    """(ignored,) classes."""


FrontendConstants = AudioConstants | MotionConstants


@dataclass(frozen=True, eq=False)
class StreamPlan:
    """What lies around a front end on a device."""

    frontend: FrontendConstants
    frames: int
    """Of the model's input."""
    stride: int
    """Frames from inference to inference."""
    classes: int
    """Room for so many: the head's with its reserved rows, or the output's."""
    ring_capacity: int
    smoother: SmootherConstants

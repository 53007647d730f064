"""A ring and the front end behind it, in numpy: which samples are kept, and when frames are made.
The reference of firmware/src/frontend/ring.c and frontend.c; rules in firmware/FRONTEND.md.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.audio import AudioStream, mixed
from tinytrain.emulator.motion import MotionStream
from tinytrain.frontend.constants import AudioConstants, FrontendConstants, MotionConstants
from tinytrain.frontend.limits import channels_of

Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]

MOST_LOST = (1 << 32) - 1
"""Where a device stops counting."""


class FrameStream:
    """Samples in, frames out, as a device makes them: what a full ring drops is dropped here."""

    def __init__(self, constants: FrontendConstants, capacity: int) -> None:
        self._channels = channels_of(constants)
        self._outputs = constants.outputs
        self._room = capacity - 1
        self._waiting = 0
        """Samples in the ring."""
        self.received = 0
        """Samples taken."""
        self.lost = 0
        # Frames depend on the samples taken alone, not on when they are asked for: they are
        # computed at once, and a clock tells when a device would make each.
        self._ready: deque[Int8] = deque()
        self._clock: _Clock
        self._audio = self._motion = None
        if isinstance(constants, AudioConstants):
            self._audio, self._clock = AudioStream(constants), _AudioClock(constants)
        else:
            self._motion, self._clock = MotionStream(constants), _MotionClock(constants)

    def push(self, values: Int16, inputs: int) -> int:
        """Values (whole samples of `inputs` channels, interleaved): the number of samples taken."""
        given = len(values) // inputs
        taken = min(given, self._room - self._waiting)
        self.lost = min(self.lost + given - taken, MOST_LOST)
        self.received += taken
        self._waiting += taken
        kept = values[: taken * inputs]
        if self._audio is not None:
            self._ready.extend(self._audio.push(mixed(kept, inputs)))
        if self._motion is not None:
            made = self._motion.push(kept.reshape(-1, self._channels))
            self._ready.extend(made.reshape(len(made), self._outputs))
        return taken

    def next(self) -> Int8 | None:
        """The next frame (outputs,), where there are samples for it."""
        taken, made = self._clock.next(self._waiting)
        self._waiting -= taken
        return self._ready.popleft() if made else None


class _Clock(Protocol):
    """When a front end makes frames, and how many samples it takes from the ring."""

    def next(self, waiting: int) -> tuple[int, bool]:
        """Samples that one call takes where `waiting` are there, and whether it makes a frame."""


class _AudioClock:
    def __init__(self, constants: AudioConstants) -> None:
        self._constants = constants
        self._waits = 0

    def next(self, waiting: int) -> tuple[int, bool]:
        before = self._pass_over(waiting)
        waiting -= before
        if self._waits or waiting < self._constants.window:
            return before, False
        self._waits = self._constants.hop
        return before + self._pass_over(waiting), True

    def _pass_over(self, waiting: int) -> int:
        passed = min(self._waits, waiting)
        self._waits -= passed
        return passed


class _MotionClock:
    def __init__(self, constants: MotionConstants) -> None:
        self._constants = constants
        self._phase = constants.up
        self._needed = constants.length
        """Resampled samples to the next frame."""

    def next(self, waiting: int) -> tuple[int, bool]:
        k, left = self._constants, waiting
        while True:
            # Without resampling each sample is one of the windows'.
            while self._phase >= k.up:
                if not left:
                    return waiting, False
                left -= 1
                self._phase -= k.up
            self._phase += k.down if k.taps else k.up
            self._needed -= 1
            if not self._needed:
                self._needed = k.hop
                return waiting - left, True


def frames_of_stream(constants: FrontendConstants, samples: npt.NDArray[Any]) -> Int8:
    """All frames (F, outputs) of samples (T, channels) int16, of which none is lost."""
    if isinstance(constants, AudioConstants):
        return AudioStream(constants).push(mixed(samples.reshape(-1), samples.shape[1]))
    made = MotionStream(constants).push(samples)
    return made.reshape(len(made), constants.outputs)

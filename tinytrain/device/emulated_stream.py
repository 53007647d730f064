"""The stream of an emulated device: samples in, decisions out, as firmware/src/frontend/stream.c
gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinytrain.device.interface import NOTHING, Array, Pushed, StreamCounters, StreamStep
from tinytrain.emulator.smoother import Smoother
from tinytrain.emulator.stream import FrameStream
from tinytrain.errors import DeviceError
from tinytrain.frontend.constants import AudioConstants, StreamPlan
from tinytrain.frontend.limits import MOST_MIXED, channels_of
from tinytrain.protocol import STATUS_TEXTS, Status, StreamEvent

Int16 = npt.NDArray[np.int16]
Infer = Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int64]]
"""Features (frames, outputs) int8, oldest first, to probabilities (C,) Q15."""


class EmulatedStream:
    """One stream after the other; the first, of the front end's rate, has begun."""

    def __init__(self, plan: StreamPlan, infer: Infer) -> None:
        self._plan = plan
        self._infer = infer
        self._begin(channels_of(plan.frontend))

    def begin(self, rate: int, channels: int) -> None:
        frontend = self._plan.frontend
        if rate != frontend.rate:
            raise failure("STREAM_BEGIN", Status.RATE)
        if isinstance(frontend, AudioConstants):
            fits = 1 <= channels <= MOST_MIXED
        else:
            fits = channels == frontend.channels
        if not fits:
            raise failure("STREAM_BEGIN", Status.CHANNELS)
        self._begin(channels)

    def _begin(self, channels: int) -> None:
        plan = self._plan
        self._inputs = channels
        self._source = FrameStream(plan.frontend, plan.ring_capacity)
        self._smoother = Smoother(plan.smoother, plan.classes)
        self._frames = np.zeros((0, plan.frontend.outputs), np.int8)
        self._due = plan.frames
        self._detected = NOTHING
        self._counters = StreamCounters(0, 0, 0, 0, 0, 0, 0)

    def push(self, values: Int16) -> Pushed:
        counters = self._counters
        if len(values) % self._inputs:
            self._counters = replace(counters, refused=counters.refused + 1)
            raise failure("STREAM_PUSH", Status.LENGTH)
        clipped = int(np.isin(values, (-(1 << 15), (1 << 15) - 1)).sum())
        self._counters = replace(counters, clipped=counters.clipped + clipped)
        return Pushed(self._source.push(values, self._inputs), self._source.lost)

    def step(self) -> StreamStep:
        plan, counters = self._plan, self._counters
        frame = self._source.next()
        if frame is None:
            return StreamStep(StreamEvent.IDLE)
        self._counters = counters = replace(counters, frames=counters.frames + 1)
        self._frames = np.concatenate([self._frames, frame[None]])[-plan.frames :]
        self._due -= 1
        if self._due:
            return StreamStep(StreamEvent.FRAME, frame)
        self._due = plan.stride
        probabilities = self._infer(self._frames)
        mean, found = self._smoother.push(probabilities)
        event = StreamEvent.INFERENCE
        if found is not None:
            event, self._detected = StreamEvent.DETECTION, found
        self._counters = replace(
            counters,
            inferences=counters.inferences + 1,
            detections=counters.detections + (found is not None),
        )
        return StreamStep(
            event, frame, probabilities.astype(np.uint16), mean.astype(np.uint16), self._detected
        )

    def counters(self) -> StreamCounters:
        source = self._source
        return replace(self._counters, received=source.received & 0xFFFFFFFF, lost=source.lost)


def failure(message: str, status: Status) -> DeviceError:
    """What a device's answer with this status becomes."""
    return DeviceError(f"emulator: {message}: {STATUS_TEXTS[status]} (status {int(status)})")


def whole_numbers(values: Array) -> Int16:
    """Samples as one row of int16 values."""
    return np.ascontiguousarray(values, np.int16).reshape(-1)

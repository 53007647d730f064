"""Small front ends, a model behind them, and sounds: what the tests of streams share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.models import Operator, Tensor, build
from tinytrain.device.interface import Array, Device, StreamStep
from tinytrain.errors import DeviceError
from tinytrain.frontend.audio import AudioSettings, audio_constants
from tinytrain.frontend.constants import FrontendConstants, SmootherConstants, StreamPlan
from tinytrain.frontend.limits import channels_of
from tinytrain.frontend.motion import MotionSettings, motion_constants
from tinytrain.head import HeadOptions
from tinytrain.learner import LearnerParts
from tinytrain.model import Model
from tinytrain.pipeline.convert import convert
from tinytrain.project import Project, load_project
from tinytrain.protocol import StreamEvent

CLASSES = 4


def small_audio(**settings: Any) -> FrontendConstants:
    """Eight bands of 16 ms of sound at 8 kHz, every 10 ms."""
    chosen = {"rate": 8000, "frame_ms": 16, "hop_ms": 10, "fft": 128, "bands": 8,
              "low_hz": 100, "high_hz": 3800, **settings}  # fmt: skip
    return audio_constants(AudioSettings(**chosen))


def small_motion(**settings: Any) -> FrontendConstants:
    """Windows of 8 samples of 3 channels at 50 Hz, every 4."""
    chosen = {
        "channels": 3,
        "rate": 50.0,
        "input_rate": 50.0,
        "length": 8,
        "hop": 4,
        "unit": 1.0,
        **settings,
    }
    return motion_constants(MotionSettings(**chosen), 0.0, 16384.0 if "form" in settings else 128.0)


def small_plan(frontend: FrontendConstants, **changes: Any) -> StreamPlan:
    """Six frames, an inference every second one, room for 50 ms of sound."""
    smoother = {"average": 3, "threshold": 9000, "refractory": 4, "ignored": 1,
                "ignore": np.array([0], np.uint16)}  # fmt: skip
    smoother |= {name: changes.pop(name) for name in tuple(changes) if name in smoother}
    plan = {"frames": 6, "stride": 2, "classes": CLASSES + 1, "ring_capacity": 400, **changes}
    return StreamPlan(frontend, smoother=SmootherConstants(**smoother), **plan)


def make_project(
    plan: StreamPlan,
    directory: Path,
    head: str = "auto",
    make_learner: Callable[[Model], LearnerParts] | None = None,
) -> Project:
    """A model of one dense layer behind the plan's frames, converted."""
    rng = np.random.default_rng(5)
    features = plan.frames * plan.frontend.outputs
    weights = rng.integers(-128, 128, (CLASSES, features))
    tensors = [
        Tensor((1, features), scale=0.05, zero_point=-3),
        Tensor(weights.shape, scale=0.01, data=weights),
        Tensor((CLASSES,), "int32", data=rng.integers(-900, 900, CLASSES)),
        Tensor((1, CLASSES), scale=0.6),
        Tensor((1, CLASSES), scale=1 / 256, zero_point=-128),
    ]
    layers = [
        Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions"),
        Operator("SOFTMAX", (3,), (4,), "SoftmaxOptions", {"beta": 1.0}),
    ]
    source = directory / "dense.tflite"
    source.write_bytes(build(tensors, layers, [0], [4]))
    convert(
        source,
        directory / "project",
        head=head,
        options=HeadOptions(energy=40_000.0, reserved=1),
        make_learner=make_learner,
        make_stream=lambda model: plan,
    )
    return load_project(directory / "project")


def sounds(values: int, seed: int) -> Array:
    """int16 [values]: noise of many levels, tones, silence and clipping."""
    rng = np.random.default_rng(seed)
    parts = []
    while sum(map(len, parts)) < values:
        length = int(rng.integers(100, 1500))
        level = float(rng.choice([0, 3, 300, 5000, 60000]))
        tone = np.sin(np.arange(length) * rng.uniform(0.05, 3)) * level
        parts.append(rng.normal(0, level / 4 + 0.1, length) + tone)
    whole = np.rint(np.concatenate(parts)[:values])
    return np.clip(whole, -32768, 32767).astype(np.int16)


def told(step: StreamStep) -> tuple[Any, ...]:
    """All that a step says, comparable."""
    arrays = (step.frame, step.probabilities, step.mean)
    return (int(step.event), *(None if a is None else a.tolist() for a in arrays), step.detected)


def play(plan: StreamPlan, devices: list[Device], inputs: int, values: int, seed: int) -> list[int]:
    """The same random pushes and steps with all devices; gives the events. Raises AssertionError
    where they part."""
    rng = np.random.default_rng(seed)
    x = sounds(values // inputs * inputs, seed)
    events: list[int] = []
    for device in devices:
        device.stream_begin(plan.frontend.rate, inputs)
    position = 0
    while position < len(x):
        count = int(rng.integers(0, 260)) * inputs
        if rng.random() < 0.05:
            count = 2 * plan.ring_capacity * inputs
        chunk = x[position : position + count]
        position += count
        pushed = [device.stream_push(chunk) for device in devices]
        assert all(one == pushed[0] for one in pushed), (position, pushed)
        if inputs > 1 and rng.random() < 0.1:
            for device in devices:
                refuse(device, chunk[: inputs - 1])
        # Not always all frames, so that the ring runs full.
        for _ in range(int(rng.integers(0, 30))):
            steps = [told(device.stream_step()) for device in devices]
            assert all(one == steps[0] for one in steps), (position, steps)
            events.append(steps[0][0])
            if steps[0][0] == StreamEvent.IDLE:
                break
        counters = [device.stream_counters() for device in devices]
        assert all(one == counters[0] for one in counters), (position, counters)
    return events


def refuse(device: Device, part: Array) -> None:
    """A part of a sample, which no device takes."""
    if not len(part):
        return
    try:
        device.stream_push(part)
    except DeviceError as error:
        assert "(status -4)" in str(error)
    else:
        raise AssertionError("a part of a sample was taken")


def inputs_of(plan: StreamPlan) -> tuple[int, ...]:
    """Numbers of channels to try."""
    channels = channels_of(plan.frontend)
    return (1, 2, 3, 8) if channels == 1 else (channels,)

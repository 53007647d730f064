"""Small front ends and streams for tests, by nobody's settings."""

from __future__ import annotations

import numpy as np

from tinytrain.frontend.audio import AudioSettings, audio_constants
from tinytrain.frontend.constants import (
    FrontendConstants,
    SmootherConstants,
    StreamPlan,
)


def small_audio(**settings: object) -> FrontendConstants:
    """Eight bands of 16 ms of sound at 8 kHz, every 10 ms."""
    chosen = {"rate": 8000, "frame_ms": 16, "hop_ms": 10, "fft": 128, "bands": 8,
              "low_hz": 100, "high_hz": 3800, **settings}  # fmt: skip
    return audio_constants(AudioSettings(**chosen))  # type: ignore[arg-type]


def small_plan(frontend: FrontendConstants, classes: int, **changes: object) -> StreamPlan:
    """Six frames, an inference every second one, room for 50 ms of sound."""
    smoother = {"average": 3, "threshold": 12000, "refractory": 4, "ignored": 1,
                "ignore": np.array([0], np.uint16)}  # fmt: skip
    smoother |= {name: changes.pop(name) for name in tuple(changes) if name in smoother}
    plan = {"frames": 6, "stride": 2, "ring_capacity": 400, **changes}
    return StreamPlan(
        frontend,
        classes=classes,
        smoother=SmootherConstants(**smoother),  # type: ignore[arg-type]
        **plan,  # type: ignore[arg-type]
    )

"""When frames and inferences of a stream are there, in seconds of its samples."""

from __future__ import annotations

from tinytrain.frontend.constants import AudioConstants, FrontendConstants, StreamPlan


def samples_a_second(frontend: FrontendConstants) -> float:
    """Of what is pushed."""
    return frontend.rate if isinstance(frontend, AudioConstants) else frontend.rate / 1000


def frame_end(frontend: FrontendConstants, frame: int) -> float:
    """The end of frame 0, 1, ... of a stream, from its beginning."""
    if isinstance(frontend, AudioConstants):
        return (frame * frontend.hop + frontend.window) / frontend.rate
    last = frame * frontend.hop + frontend.length - 1
    return (last * frontend.down // frontend.up + 1) / samples_a_second(frontend)


def inference_end(plan: StreamPlan, inference: int) -> float:
    """The same of inference 0, 1, ..."""
    return frame_end(plan.frontend, plan.frames - 1 + inference * plan.stride)

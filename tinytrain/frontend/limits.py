"""What a plan may hold: the limits of stream.h and frontend.h, and lengths of arrays."""

from __future__ import annotations

from collections.abc import Iterator

from tinytrain.errors import InputError
from tinytrain.frontend.constants import (
    WINDOWS,
    AudioConstants,
    FrontendConstants,
    MotionConstants,
    StreamPlan,
    Transform,
)
from tinytrain.frontend.motion import memory_bytes

MOST = (1 << 16) - 1
"""Of what a device counts in 16 bits."""

MOST_MIXED = 8
"""Channels of sound that are mixed to one: TT_STREAM_MOST_MIXED."""


def check_plan(plan: StreamPlan, where: str) -> None:
    """Raises InputError, one line that begins with `where`, for numbers that no device takes."""
    for name, value, least, most in _bounds(plan):
        if not least <= value <= most:
            raise InputError(f"{where}: {name} is {value}; {least} to {most} is supported")
    for name, found, expected in _lengths(plan):
        if found != expected:
            raise InputError(f"{where}: {name} has {found} elements; {expected} are expected")


def needed_samples(frontend: FrontendConstants) -> int:
    """Samples that the ring has to hold at once: a window of sounds, one of motion."""
    return frontend.window if isinstance(frontend, AudioConstants) else 1


def _bounds(plan: StreamPlan) -> Iterator[tuple[str, int, int, int]]:
    """Name, value, least and most of every number that has limits."""
    frontend, smoother = plan.frontend, plan.smoother
    yield from _frontend_bounds(frontend)
    yield "quantizer.each", frontend.quantizer.each, 0, 1
    yield "quantizer.shift", frontend.quantizer.shift, 1, 46
    yield "quantizer.scale", int(min(frontend.quantizer.scale, default=0)), 0, (1 << 31) - 1
    yield "frames", plan.frames, 1, MOST
    yield "stride", plan.stride, 1, MOST
    yield "classes", plan.classes, 1, MOST
    yield "ring_capacity", plan.ring_capacity, needed_samples(frontend) + 1, MOST
    yield "smoother.average", smoother.average, 1, 64
    yield "smoother.threshold", smoother.threshold, 0, 1 << 15
    yield "smoother.refractory", smoother.refractory, 0, MOST


def _frontend_bounds(frontend: FrontendConstants) -> Iterator[tuple[str, int, int, int]]:
    if isinstance(frontend, AudioConstants):
        yield "rate", frontend.rate, 1, (1 << 31) - 1
        yield "points", frontend.transform.points, 64, 1024
        yield "window", frontend.window, 1, frontend.transform.points
        yield "hop", frontend.hop, 1, MOST
        yield "bands", frontend.bands, 1, 128
        yield "coefficients", frontend.coefficients, 0, 128
        for name in ("noise", "gain"):
            yield name, getattr(frontend, name), 0, 1
        # Bins from 0 to N / 2.
        last = frontend.transform.points // 2 + 1 - frontend.rising.size
        yield "first_bin", frontend.first_bin, 0, last
        return
    yield "rate", frontend.rate, 1, (1 << 31) - 1
    yield "channels", frontend.channels, 1, 32
    yield "up", frontend.up, 1, 64
    yield "down", frontend.down, 1, 16 * frontend.up
    yield "taps", frontend.taps, 0 if frontend.up == frontend.down == 1 else 14, 224
    yield "length", frontend.length, 1, 4096
    yield "hop", frontend.hop, 1, MOST
    yield "form", frontend.form, 0, 1
    yield "bands", frontend.bands, 0, 256
    if frontend.bands:
        yield "points", frontend.transform.points, frontend.length, frontend.length
        yield "edges", int(max(frontend.edges, default=0)), 0, frontend.length // 2 + 1


def _lengths(plan: StreamPlan) -> Iterator[tuple[str, int, int]]:
    """Name, found and expected number of elements of every array."""
    frontend, smoother = plan.frontend, plan.smoother
    each = 1
    if isinstance(frontend, AudioConstants):
        yield from _audio_lengths(frontend)
        each = frontend.outputs
    else:
        yield from _motion_lengths(frontend)
        each = frontend.channels if frontend.form == WINDOWS else frontend.outputs
    outputs = each if frontend.quantizer.each else 1
    yield "quantizer.offset", frontend.quantizer.offset.size, outputs
    yield "quantizer.scale", frontend.quantizer.scale.size, outputs
    yield "smoother.ignore", smoother.ignore.size, smoother.ignored


def _audio_lengths(frontend: AudioConstants) -> Iterator[tuple[str, int, int]]:
    yield from _transform_lengths(frontend.transform)
    yield "window_function", frontend.window_function.size, frontend.window
    yield "segment_bins", frontend.segment_bins.size, frontend.bands + 1
    yield "rising", frontend.rising.size, int(frontend.segment_bins.sum())
    yield "cosines", frontend.cosines.size, frontend.coefficients * frontend.bands


def _motion_lengths(frontend: MotionConstants) -> Iterator[tuple[str, int, int]]:
    yield "taps_of_phase", frontend.taps_of_phase.size, frontend.up * frontend.taps
    if frontend.bands:
        yield from _transform_lengths(frontend.transform)
        yield "window_function", frontend.window_function.size, frontend.length
    yield "edges", frontend.edges.size, frontend.bands + 1 if frontend.bands else 0


def _transform_lengths(transform: Transform) -> Iterator[tuple[str, int, int]]:
    yield "points (a power of two)", transform.points & (transform.points - 1), 0
    yield "twiddles", transform.twiddles.size, transform.points


def channels_of(frontend: FrontendConstants) -> int:
    """Of a sample in the ring: sounds are mixed to one before."""
    return 1 if isinstance(frontend, AudioConstants) else frontend.channels


def working_bytes(frontend: FrontendConstants) -> int:
    """Of the front end's memory on a device: tt_frontend.bytes."""
    if isinstance(frontend, MotionConstants):
        return memory_bytes(frontend)
    estimate = 4 * frontend.bands * frontend.noise
    return 8 * frontend.bands + 4 * frontend.transform.points + estimate


def stream_bytes(plan: StreamPlan) -> int:
    """All of a stream's memory on a device: TT_STREAM_BYTES of stream.h."""
    frontend = plan.frontend
    return (
        -(-working_bytes(frontend) // 8) * 8
        + 2 * plan.ring_capacity * channels_of(frontend)
        + 2 * (plan.smoother.average + 1) * plan.classes
        + plan.frames * frontend.outputs
    )

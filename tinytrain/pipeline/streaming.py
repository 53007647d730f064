"""Recordings through front end and model on a device, as they would come from a microphone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device, StreamCounters, StreamStep
from tinytrain.device.opening import check_target, open_device
from tinytrain.errors import CheckError, InputError
from tinytrain.frontend.constants import FrontendConstants, StreamPlan
from tinytrain.frontend.timing import frame_end, samples_a_second
from tinytrain.pipeline.recordings import Recording, read_recording
from tinytrain.progress import Progress, silent
from tinytrain.project import Project
from tinytrain.protocol import StreamEvent

Q15 = 1 << 15
SIGN_EVERY = 50
"""Pushes between two signs of progress."""


@dataclass(frozen=True)
class Detection:
    seconds: float
    """From the recording's beginning to the end of the frame that came to it."""
    label: int
    probability: float
    """Smoothed, 0 to 1."""


@dataclass(frozen=True, eq=False)
class StreamResult:
    """What one recording came to. F frames, K outputs of each, n inferences, C classes."""

    file: str
    seconds: float
    detections: tuple[Detection, ...]
    counters: StreamCounters
    features: npt.NDArray[np.int8]
    """(F, K)"""
    frame_seconds: npt.NDArray[np.float64]
    """(F,) the end of each."""
    inference_seconds: npt.NDArray[np.float64]
    """(n,)"""
    probabilities: npt.NDArray[np.float64]
    """(n, C) 0 to 1, before smoothing."""
    means: npt.NDArray[np.float64]
    """(n, C) after."""
    threshold: float

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "seconds": self.seconds,
            "detections": [vars(found) for found in self.detections],
            "counters": vars(self.counters),
        }


@dataclass(frozen=True, eq=False)
class StreamRun:
    target: str
    results: tuple[StreamResult, ...]
    compared: int | None
    """Steps that were compared with the emulator; None where none were."""
    warnings: tuple[str, ...] = ()
    """What a reader of the results has to know, a line each."""

    def as_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "compared_steps": self.compared,
            "files": [result.as_json() for result in self.results],
        }


def stream(
    project: Project,
    target: str,
    files: Sequence[Path],
    chunk: int | None = None,
    check: bool = False,
    progress: Progress = silent,
) -> StreamRun:
    """All files, one stream each, in pushes of `chunk` samples; without it a hop at a time.

    A chunk that the ring has no room for loses samples, as on a device. With `check` every frame,
    probability, mean, detection and counter is compared with the emulator: raises CheckError at the
    first difference. Raises InputError for files that are no recordings of the front end's rate and
    channels, before any device is started.
    """
    plan = project.model.stream
    if plan is None:
        raise InputError(
            f"{project.directory}: the model has no front end, so it takes features, not samples; "
            "`tinytrain infer` runs it"
        )
    check_target(target)
    if check and target == "emulator":
        raise InputError("--verify compares a device with the emulator: choose another --target")
    size = min(plan.frontend.hop, plan.ring_capacity - 1) if chunk is None else chunk
    if size < 1:
        raise InputError(f"--chunk {size}: at least one sample is needed")
    columns = project.model.columns
    recordings = [read_recording(path, plan.frontend, columns) for path in files]
    with ExitStack() as opened:
        device = opened.enter_context(open_device(project, target))
        device.reset()
        devices: list[Device] = [device]
        if check:
            devices.append(EmulatedDevice(project.model))
        results = tuple(_play(plan, devices, found, size, progress) for found in recordings)
    steps = sum(result.counters.frames for result in results)
    warnings = [note for found in recordings for note in found.notes]
    room = plan.ring_capacity - 1
    warnings += [_losses(result, size, room) for result in results if result.counters.lost]
    return StreamRun(target, results, steps if check else None, tuple(warnings))


def _losses(result: StreamResult, size: int, room: int) -> str:
    why = f"are larger than the ring ({room})"
    if size <= room:
        why = f"do not fit beside what waits in the ring ({room})"
    return (
        f"{result.file}: {result.counters.lost} samples lost: pushes of {size} {why}; times are of "
        "the samples taken; a smaller --chunk, or none, loses less"
    )


def _play(
    plan: StreamPlan, devices: list[Device], recording: Recording, size: int, progress: Progress
) -> StreamResult:
    """One recording through the first device; the second, where there is one, is compared."""
    samples, name = recording.samples, str(recording.path)
    for device in devices:
        device.stream_begin(plan.frontend.rate, samples.shape[1])
    steps: list[StreamStep] = []
    starts = range(0, len(samples), size)
    for number, start in enumerate(starts):
        part = samples[start : start + size]
        pushed = [device.stream_push(part) for device in devices]
        if pushed[0] != pushed[-1]:
            raise _difference(name, f"the push of sample {start}", pushed[0], pushed[-1])
        for step in _steps(plan.frontend, devices, len(steps), name):
            steps.append(step)
        if number % SIGN_EVERY == 0:
            progress(recording.path.name, start, len(samples))
    progress(recording.path.name, len(samples), len(samples))
    counters = [device.stream_counters() for device in devices]
    if counters[0] != counters[-1]:
        raise _difference(name, "the counters at the end", counters[0], counters[-1])
    return _result(plan, recording, steps, counters[0])


def _steps(
    frontend: FrontendConstants, devices: list[Device], made: int, name: str
) -> Iterator[StreamStep]:
    """Steps until samples are missing; `made` frames there are already."""
    while True:
        steps = [device.stream_step() for device in devices]
        place = f"frame {made} ({frame_end(frontend, made):.3f} s)"
        _compare(name, place, steps[0], steps[-1])
        if steps[0].event == StreamEvent.IDLE:
            return
        yield steps[0]
        made += 1


def _compare(name: str, place: str, found: StreamStep, expected: StreamStep) -> None:
    if found.event != expected.event:
        raise _difference(name, f"the event of {place}", found.event, expected.event)
    for what, one, other in (
        ("feature", found.frame, expected.frame),
        ("probability", found.probabilities, expected.probabilities),
        ("mean", found.mean, expected.mean),
    ):
        if one is None or other is None:
            continue
        if one.shape != other.shape:
            raise _difference(name, f"the number of {what} of {place}", one.size, other.size)
        if wrong := np.flatnonzero(one != other).tolist():
            at = wrong[0]
            raise _difference(name, f"{what} {at} of {place}", int(one[at]), int(other[at]))
    if found.detected != expected.detected:
        raise _difference(name, f"the detection of {place}", found.detected, expected.detected)


def _difference(name: str, what: str, found: object, expected: object) -> CheckError:
    return CheckError(f"{name}: {what} is {found} on the device, {expected} in the emulator")


def _result(
    plan: StreamPlan, recording: Recording, steps: list[StreamStep], counters: StreamCounters
) -> StreamResult:
    ends = np.array([frame_end(plan.frontend, i) for i in range(len(steps))])
    inferred = [i for i, step in enumerate(steps) if step.probabilities is not None]
    classes = max((len(_numbers(steps[i].mean)) for i in inferred), default=0)
    detections = tuple(
        Detection(float(ends[i]), step.detected, int(_numbers(step.mean)[step.detected]) / Q15)
        for i, step in enumerate(steps)
        if step.event == StreamEvent.DETECTION
    )
    return StreamResult(
        str(recording.path),
        len(recording.samples) / samples_a_second(plan.frontend),
        detections,
        counters,
        np.array([step.frame for step in steps], np.int8).reshape(-1, plan.frontend.outputs),
        ends,
        ends[inferred],
        _rows(classes, [steps[i].probabilities for i in inferred]),
        _rows(classes, [steps[i].mean for i in inferred]),
        plan.smoother.threshold / Q15,
    )


def _rows(classes: int, rows: Sequence[npt.NDArray[np.uint16] | None]) -> npt.NDArray[np.float64]:
    return np.array([_numbers(row) for row in rows], np.float64).reshape(len(rows), classes) / Q15


def _numbers(row: npt.NDArray[np.uint16] | None) -> npt.NDArray[np.uint16]:
    assert row is not None
    return row

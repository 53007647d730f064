"""The front end of a task, and the stream around it, as a project takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinytrain.errors import InputError
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import (
    AudioConstants,
    FrontendConstants,
    SmootherConstants,
    StreamPlan,
)
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import MOST, needed_samples
from tinytrain.frontend.timing import samples_a_second
from tinytrain.model import Model
from tinytrain.pipeline import runs
from tinytrain.training.frontend import plain_constants, samples_of_clip
from tinytrain.training.sources import load
from tinytrain.training.sources.background import BACKGROUND
from tinytrain.training.task_file import find_task
from tinytrain.training.tasks import Frontend, Task

_SOUND_STRIDE = 0.2
"""Seconds between inferences on sounds, where a task does not say."""


@dataclass(frozen=True)
class Origin:
    """A front end, with what a task says of the stream around it."""

    constants: FrontendConstants
    settings: Frontend
    label_names: Sequence[str]
    columns: Columns | None = None
    """Of motion from CSV files: what their columns are called."""

    def plan(self, model: Model) -> StreamPlan:
        """What lies around the front end for this model, whose whole input its frames fill."""
        per_frame = self.constants.outputs
        frames, rest = divmod(model.input_bytes, per_frame)
        if rest or not frames:
            raise InputError(
                f"the front end's frames have {per_frame} features, and the model takes "
                f"{model.input_bytes}: no whole frames; was it trained on this front end?"
            )
        _refuse_other_seconds(self, frames)
        settings, hop = self.settings, hop_seconds(self.constants)
        sounds = isinstance(self.constants, AudioConstants)
        usual = max(1, round(_SOUND_STRIDE / hop)) if sounds else 1
        stride = settings.stride or usual
        ignore = [self.label_names.index(name) for name in settings.ignore]
        smoother = SmootherConstants(
            average=settings.average,
            threshold=round(settings.threshold * 2**15),
            refractory=min(math.ceil(settings.refractory_ms / 1000 / (stride * hop)), MOST),
            ignored=len(ignore),
            ignore=np.array(ignore, np.uint16),
        )
        return StreamPlan(
            frontend=self.constants,
            frames=frames,
            stride=stride,
            classes=model.capacity,
            ring_capacity=_ring(self.constants, settings.ring_ms),
            smoother=smoother,
        )


def of_run(found: runs.Run) -> Origin | None:
    """The front end that made a run's features; None where samples are features already.

    Raises InputError where they were made in floating point, which no device does.
    """
    task = found.task
    refuse_float(task, str(found.directory))
    constants = found.dataset.frontend
    if constants is None:
        return None
    return Origin(constants, _settings(task), found.dataset.label_names, _columns(task))


def of_task(name_or_path: str) -> Origin:
    """The front end of a task, or of a run's folder. Where its ranges come from data, they are
    read: of a task that of seed 0, of a run its own.
    """
    folder = Path(name_or_path)
    if (folder / runs.MARKER).is_file():
        found = of_run(runs.open_run(folder))
        if found is None:
            raise InputError(f"--frontend {name_or_path}: {_no_frontend()}")
        return found
    task = find_task(name_or_path)
    if task.frontend.kind == "none":
        raise InputError(f"--frontend {name_or_path}: {_no_frontend()}")
    refuse_float(task, f"--frontend {name_or_path}")
    labels = task.data.labels
    settings = _settings(task)
    listed = (labels and not task.data.background) or not settings.ignore
    if task.frontend.kind == "log_mel" and listed:
        return Origin(plain_constants(task.frontend), settings, labels)
    dataset = load(task)
    assert dataset.frontend is not None
    return Origin(dataset.frontend, settings, dataset.label_names, _columns(task))


def _settings(task: Task) -> Frontend:
    """With the background that a task asks for among the classes that are never detected."""
    settings = task.frontend
    if task.data.background and BACKGROUND not in settings.ignore:
        return replace(settings, ignore=(*settings.ignore, BACKGROUND))
    return settings


def doubt(model: Path, origin: Origin, given: str) -> str | None:
    """What to warn of, where nothing shows that the model file was trained on this front end, which
    `--frontend` took from `given`; None where it was.

    The proof is the data of the run that the file lies in, or that it is the model of the run that
    is given. Raises InputError where the run's data were made by another front end.
    """
    ours, folder = f"{frontend_hash(origin.constants):08x}", model.parent
    if (folder / runs.MARKER).is_file() and (folder / runs.DATA).is_file():
        made = runs.read_data(folder / runs.DATA).frontend
        theirs = "no integer front end" if made is None else f"front end {frontend_hash(made):08x}"
        if theirs != f"front end {ours}":
            out = "it was trained without one: leave out --frontend"
            out = out if made is None else f"give its own: --frontend {folder}"
            raise InputError(
                f"--frontend {given}: front end {ours}, but {model} was trained on {theirs} "
                f"({folder / runs.DATA}); {out}"
            )
        return None
    trained = Path(given) / f"{runs.INT8}.tflite"
    if trained.is_file() and model.is_file() and trained.read_bytes() == model.read_bytes():
        return None
    return (
        f"{model}: nothing beside it shows that it was trained on front end {ours} of {given}; "
        "convert it in the folder of its run, with --frontend RUN, to be sure"
    )


def refuse_float(task: Task, where: str) -> None:
    """Features made in floating point are for comparing; a device would make others."""
    if task.frontend.kind != "none" and task.frontend.arithmetic == "float":
        raise InputError(
            f"{where}: frontend.arithmetic is 'float', and a device computes features in integers: "
            "set it to 'integer' and train again"
        )


def hop_seconds(constants: FrontendConstants) -> float:
    """From one frame to the next."""
    if isinstance(constants, AudioConstants):
        return constants.hop / constants.rate
    return constants.hop * constants.down / constants.up / samples_a_second(constants)


def _columns(task: Task) -> Columns | None:
    data, settings = task.data, task.frontend
    if settings.kind != "motion" or data.source != "csv":
        return None
    return Columns(data.time, data.channels, settings.unit)


def _refuse_other_seconds(origin: Origin, frames: int) -> None:
    """Of sounds: a model sees as many frames as a clip of its task has."""
    constants, settings = origin.constants, origin.settings
    if not isinstance(constants, AudioConstants):
        return
    samples = samples_of_clip(settings)
    found = 1 + (samples - constants.window) // constants.hop if samples >= constants.window else 0
    if found != frames:
        least = (constants.window + (frames - 1) * constants.hop) / constants.rate
        raise InputError(
            f"frontend.seconds is {settings.seconds:g}, which is {found} frames; the model takes "
            f"{frames} ({least:g} s or a little more): give the front end that it was trained on, "
            "--frontend RUN"
        )


def _ring(constants: FrontendConstants, milliseconds: float) -> int:
    """Samples of the ring: a window, a hop, and what waits; one is never used."""
    step = constants.hop if isinstance(constants, AudioConstants) else 1
    waiting = math.ceil(milliseconds / 1000 * samples_a_second(constants))
    return min(needed_samples(constants) + step + waiting + 1, MOST)


def _no_frontend() -> str:
    return "frontend.kind is 'none'; one of log_mel, mfcc and motion is needed"

"""Inference and learning on a device, from files to files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.device.interface import NOT_ASKED, Device, LearnStep
from tinytrain.device.opening import open_device
from tinytrain.emulator.learner_bytes import SOURCE_COUNTER
from tinytrain.errors import InputError
from tinytrain.learner import Outcome, Source
from tinytrain.pipeline import states
from tinytrain.pipeline.output import new_file
from tinytrain.progress import Progress
from tinytrain.project import (
    Project,
    check_inputs,
    check_labels,
    load_samples,
    read_arrays,
)
from tinytrain.protocol import Region, Space

BATCH = 50
"""Samples between two signs of progress."""


def infer(project: Project, target: str, source: Path, out: Path, progress: Progress) -> int:
    """Writes the model's outputs (n, *output shape) of the inputs in `source`; gives n.

    Several outputs are written side by side as (n, output bytes).
    """
    arrays = read_arrays(source)
    if len(arrays) != 1 and "x" not in arrays:
        raise InputError(
            f"{source}: holds {', '.join(arrays)}; one array, or one named x, expected"
        )
    found = arrays["x"] if "x" in arrays else next(iter(arrays.values()))
    x = check_inputs(found, project.model.graph, str(source))
    parts = []
    with new_file(out) as aside, open_device(project, target) as device:
        for start in range(0, len(x), BATCH):
            parts.append(device.infer_many(x[start : start + BATCH]))
            progress("inference", min(start + BATCH, len(x)), len(x))
        empty = np.zeros((0, project.model.output_bytes), np.int8)
        outputs = np.concatenate([empty, *parts])
        if len(project.model.outputs) == 1:
            output = project.model.outputs[0]
            outputs = outputs.view(output.dtype).reshape(-1, *_inner(output.shape))
        with aside.open("wb") as file:
            np.save(file, outputs)
    return len(x)


def _inner(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if shape[:1] == (1,) else shape


@dataclass(frozen=True)
class Learned:
    """What became of a stream."""

    outcomes: Mapping[str, int]
    """Samples by learner.Outcome, its name in small letters; those that happened."""
    asked: int
    """Samples whose class was predicted before they were learned."""
    right: int
    """Of these."""
    answering: str
    """A learner.Source, its name in small letters, after the last sample."""

    @property
    def steps(self) -> int:
        return sum(self.outcomes.values())


def learn(
    project: Project,
    target: str,
    stream: Path,
    out: Path,
    progress: Progress,
    before: Path | None = None,
    after: Path | None = None,
) -> Learned:
    """Learns the stream (x, y) in order and writes the head; gives what became of the samples.

    From the factory on, or from the learner's state in the file `before`; its state at the end goes
    into the file `after`.

    The file holds `weights` int16 (C, D) Q8.7, `bias` int32 (C,) in units of the weights' sums,
    `trace` uint32 (n,), `predicted` (n,) before each step, `rows_written` (n,).
    """
    head = project.model.head
    if head is None:
        raise InputError(
            f"{project.directory}: the model has no learning head; convert with --head"
        )
    x, y = load_samples(stream, project.model)
    if len(y) != len(x):
        raise InputError(f"{stream}: no array y; labels (n,) are expected beside x")
    if not len(x):
        raise InputError(f"{stream}: no samples in x; at least one is learned")
    check_labels(y, len(x), project.model, f"{stream}: y")
    if after is not None:
        states.check_learner(project)
    state = None if before is None else states.read(project, before)
    shape = (head.constants.classes, head.constants.features)
    steps = []
    with ExitStack() as opened:
        aside = opened.enter_context(new_file(out))
        kept = None if after is None else opened.enter_context(new_file(after))
        device = opened.enter_context(open_device(project, target))
        device.reset()
        if before is not None and state is not None:
            states.give(device, state, before)
        for start in range(0, len(x), BATCH):
            batch = slice(start, start + BATCH)
            steps += device.learn_many(x[batch], y[batch])
            progress("learning", min(start + BATCH, len(x)), len(x))
        items = shape[0] * shape[1]
        weights = device.read(Space.HEAD, Region.MASTER_WEIGHTS, 0, items * 2)
        bias = device.read(Space.HEAD, Region.MASTER_BIAS, 0, shape[0] * 4)
        with aside.open("wb") as file:
            np.savez(
                file,
                weights=np.frombuffer(weights, "<i2").reshape(shape),
                bias=np.frombuffer(bias, "<i4"),
                trace=np.array([step.crc for step in steps], np.uint32),
                predicted=np.array([step.predicted for step in steps], np.int64),
                rows_written=np.array([step.rows_written for step in steps], np.int64),
            )
        if kept is not None:
            kept.write_bytes(device.export_state())
        answering = _answering(project, device)
    return _learned(steps, y, answering)


def _answering(project: Project, device: Device) -> Source:
    """Which rows answer on a device now; of a plain head those that learn."""
    if project.model.learner is None:
        return Source.CANDIDATE
    counter = device.read(Space.LEARNER, 0, 4 * SOURCE_COUNTER, 4)
    return Source(int.from_bytes(counter, "little"))


def _learned(steps: Sequence[LearnStep], y: npt.NDArray[np.int64], answering: Source) -> Learned:
    counts = Counter(Outcome(step.outcome) for step in steps)
    asked = [i for i, step in enumerate(steps) if step.predicted != NOT_ASKED]
    return Learned(
        {outcome.name.lower(): counts[outcome] for outcome in Outcome if counts[outcome]},
        len(asked),
        sum(steps[i].predicted == int(y[i]) for i in asked),
        answering.name.lower(),
    )

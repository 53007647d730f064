"""Inference and learning on a device, from files to files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tinytrain.device.opening import open_device
from tinytrain.errors import InputError
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


def learn(
    project: Project,
    target: str,
    stream: Path,
    out: Path,
    progress: Progress,
    before: Path | None = None,
    after: Path | None = None,
) -> int:
    """Learns the stream (x, y) in order and writes the head; gives the number of steps.

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
    return len(steps)

"""The proof: a device against the emulator, bit by bit.

Checks in an order that names the cause before its effects: the constants in flash, every operator's
output on every sample, the learning trace step by step, and the head at the end. A model with
variables sees the samples as one stream, from a reset on, and its variables are compared as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.converters.c.constants import constant_blocks
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device, LearnStep
from tinytrain.device.opening import open_device
from tinytrain.model import Model
from tinytrain.pipeline.samples import Samples, project_samples
from tinytrain.pipeline.verify_learner import learner_difference
from tinytrain.progress import Progress, silent
from tinytrain.project import Project
from tinytrain.protocol import Region, Space
from tinytrain.statistics import Statistics

BATCH = 50
"""Samples or steps between two signs of progress."""

REGION_TYPES = {
    Region.MASTER_WEIGHTS: ("master weight", "<i2"),
    Region.MASTER_BIAS: ("master bias", "<i4"),
    Region.MASTER_LOW: ("low bits of master weight", "<u2"),
    Region.LOGITS: ("logit", "<i4"),
    Region.PROBABILITIES: ("probability", "<u2"),
    Region.ERROR: ("error", "<i4"),
}

DEVICE_FIELDS = {"largest_payload", "has_counter", "instruction_set"}
"""What belongs to the device, not to its model."""

MASTERS = (Region.MASTER_WEIGHTS, Region.MASTER_BIAS, Region.MASTER_LOW)


@dataclass(frozen=True)
class Check:
    """One kind of comparison: how many things were compared, and the first that differs."""

    name: str
    compared: int
    unit: str
    difference: str | None
    """Where it is, and both values; None where all agree."""


@dataclass(frozen=True)
class Verification:
    target: str
    origin: str
    """Where the samples come from."""
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.difference is None for check in self.checks)


def verify(
    project: Project,
    target: str,
    samples: int = 200,
    steps: int = 1000,
    seed: int = 0,
    progress: Progress = silent,
) -> Verification:
    """Compares `target` with the emulator; stops after the first check that fails."""
    stream = project_samples(project, max(samples, steps, 1), seed)
    checks: list[Check] = []
    with open_device(project, target) as device:
        for check in _checks(project.model, device, stream, samples, steps, progress):
            checks.append(check)
            if check.difference is not None:
                break
    return Verification(target, stream.origin, tuple(checks))


def _checks(
    model: Model, device: Device, stream: Samples, samples: int, steps: int, progress: Progress
) -> Iterator[Check]:
    described = _info_difference(model, device)
    if described is not None:
        # Nothing else can be compared with a device that has other sizes.
        yield Check("model", 1, "description", described)
        return
    yield _check_constants(model, device, progress)
    if samples:
        yield _check_inference(model, device, stream.inputs[:samples], progress)
    if steps and model.head is not None:
        reference = EmulatedDevice(model)
        device.reset()
        inputs, labels = stream.inputs[:steps], stream.labels[:steps]
        yield _check_learning(model, device, reference, inputs, labels, progress)
        yield _check_head(model, device, reference, "head after learning")
        if model.head.constants.capacity > model.head.constants.classes:
            yield _check_new_class(model, device, reference)
        device.reset()
        reference.reset()
        yield _check_head(model, device, reference, "head after reset")
    if steps and model.statistics is not None:
        yield _check_statistics(
            model, device, model.statistics, stream.inputs[:steps], stream.labels, progress
        )


def _info_difference(model: Model, device: Device) -> str | None:
    """The first field of what the device says of its model that differs."""
    ours, theirs = asdict(EmulatedDevice(model).info()), asdict(device.info())
    for field in ours:
        if field not in DEVICE_FIELDS and ours[field] != theirs[field]:
            return f"{field}: emulator {ours[field]}, device {theirs[field]}"
    return None


def _check_constants(model: Model, device: Device, progress: Progress) -> Check:
    instruction_set = device.info().instruction_set
    blocks = [block.on(instruction_set) for block in constant_blocks(model)]
    total = 0
    for index, block in enumerate(blocks):
        data = device.read(Space.CONSTANT, index, 0, len(block.data))
        place = _first(block.items(block.data), block.items(data))
        total += len(block.data)
        progress("constants", index + 1, len(blocks))
        if place is not None:
            at, ours, theirs = place
            difference = f"{block.describe(at)}: emulator {ours}, device {theirs}"
            return Check("constants", total, "bytes", difference)
    return Check("constants", total, "bytes", None)


def _check_inference(
    model: Model, device: Device, inputs: npt.NDArray[np.uint8], progress: Progress
) -> Check:
    reference = EmulatedDevice(model)
    difference = _trace_difference(model, device, reference, inputs, progress)
    if difference is None:
        difference = _output_difference(model, device, reference, inputs, progress)
    if difference is None and len(inputs):
        difference = _variable_difference(model, device, reference)
    return Check("inference", len(inputs), "samples", difference)


def _restart(model: Model, *bodies: Device) -> None:
    """A new stream on each of the bodies, where a model has variables."""
    for body in bodies:
        if model.graph.variables:
            body.reset()


def _trace_difference(
    model: Model,
    device: Device,
    reference: EmulatedDevice,
    inputs: npt.NDArray[np.uint8],
    progress: Progress,
) -> str | None:
    """The first operator of the first sample whose output differs."""
    _restart(model, reference, device)
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start : start + BATCH]
        ours, theirs = reference.trace_many(batch), device.trace_many(batch)
        for sample, operator in np.argwhere(ours != theirs)[:1]:
            where = _operator_difference(model, device, inputs[: start + sample + 1], int(operator))
            return f"sample {start + sample}, {where}"
        progress("operators", min(start + BATCH, len(inputs)), len(inputs))
    return None


def _output_difference(
    model: Model,
    device: Device,
    reference: EmulatedDevice,
    inputs: npt.NDArray[np.uint8],
    progress: Progress,
) -> str | None:
    """The first byte of the first sample's outputs that differs."""
    _restart(model, reference, device)
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start : start + BATCH]
        outputs = _first(reference.infer_many(batch), device.infer_many(batch))
        if outputs is not None:
            at, first, second = outputs
            sample, byte = divmod(at, model.output_bytes)
            where = f"sample {start + sample}, output byte {byte}"
            return f"{where}: emulator {first}, device {second}"
        progress("inference", min(start + BATCH, len(inputs)), len(inputs))
    return None


def _variable_difference(model: Model, device: Device, reference: EmulatedDevice) -> str | None:
    """The first element in which the variables differ after the last sample."""
    for index in model.graph.variables:
        place = model.memory.placements[index]
        dtype = model.graph.tensors[index].dtype
        ours, theirs = (
            np.frombuffer(body.read(Space.ARENA, 0, place.offset, place.bytes), dtype)
            for body in (reference, device)
        )
        first = _first(ours, theirs)
        if first is not None:
            name = f"variable {model.graph.describe(index)}"
            return f"{name}[{first[0]}]: emulator {first[1]}, device {first[2]}"
    return None


def _operator_difference(
    model: Model, device: Device, inputs: npt.NDArray[np.uint8], operator: int
) -> str:
    """The first element of an operator's output in which emulator and device differ on the last of
    `inputs`; with variables, after all samples before it.
    """
    kernel = model.kernels[operator]
    place = model.memory.placements[kernel.outputs[0]]
    name = f"operator {operator} ({kernel.kind})"
    reference = EmulatedDevice(model)
    found = []
    for body in (reference, device):
        if model.graph.variables:
            body.reset()
            body.infer_many(inputs[:-1])
        body.run(inputs[-1], operator + 1)
        data = body.read(Space.ARENA, 0, place.offset, place.bytes)
        found.append(np.frombuffer(data, model.graph.tensors[place.tensor].dtype))
    first = _first(found[0], found[1])
    if first is None:
        return f"{name}: its output differed once and then agreed; the device is not repeatable"
    return f"{name}, output[{first[0]}]: emulator {first[1]}, device {first[2]}"


def _check_learning(
    model: Model,
    device: Device,
    reference: EmulatedDevice,
    inputs: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    progress: Progress,
) -> Check:
    for start in range(0, len(inputs), BATCH):
        batch, wanted = inputs[start : start + BATCH], labels[start : start + BATCH]
        ours = reference.learn_many(batch, wanted)
        theirs = device.learn_many(batch, wanted)
        for offset, (first, second) in enumerate(zip(ours, theirs, strict=True)):
            if first != second:
                step = start + offset
                where = _step_difference(model, device, inputs, labels, step, first, second)
                return Check("learning", len(inputs), "steps", f"step {step}, {where}")
        progress("learning", min(start + BATCH, len(inputs)), len(inputs))
    return Check("learning", len(inputs), "steps", None)


def _step_difference(
    model: Model,
    device: Device,
    inputs: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    step: int,
    ours: LearnStep,
    theirs: LearnStep,
) -> str:
    """Both sides anew up to the step that differs, then a look into both heads."""
    reference = EmulatedDevice(model)
    for body in (reference, device):
        body.reset()
        body.learn_many(inputs[: step + 1], labels[: step + 1])
    if model.learner is not None:
        _, where = learner_difference(device, reference)
        return where or f"learner: emulator {ours}, device {theirs}"
    for region in (Region.LOGITS, Region.PROBABILITIES, Region.ERROR, *MASTERS):
        where = _region_difference(model, device, reference, region)
        if where is not None:
            return where
    if ours.predicted != theirs.predicted:
        both = f"emulator {ours.predicted}, device {theirs.predicted}"
        return f"learning head, class before the step: {both}"
    if ours.rows_written != theirs.rows_written:
        both = f"emulator {ours.rows_written}, device {theirs.rows_written}"
        return f"learning head, rows written: {both}"
    size = 2 * ours.rows_written
    written = [
        np.frombuffer(body.read(Space.HEAD, Region.WRITTEN, 0, size), "<u2")
        for body in (reference, device)
    ]
    row = _first(*written)
    if row is not None:
        return f"learning head, row written {row[0]}: emulator {row[1]}, device {row[2]}"
    return f"learning head, trace: emulator {ours.crc:08x}, device {theirs.crc:08x}"


def _check_head(
    model: Model, device: Device, reference: EmulatedDevice, name: str, classes: int = 0
) -> Check:
    """All that was learned; `classes` in use, 0 for the factory's."""
    if model.learner is not None:
        compared, difference = learner_difference(device, reference)
        return Check(name, compared, "bytes", difference)
    total = 0
    for region in MASTERS:
        where = _region_difference(model, device, reference, region, classes)
        total += len(_region(model, reference, region, classes))
        if where is not None:
            return Check(name, total, "values", where)
    return Check(name, total, "values", None)


def _check_new_class(model: Model, device: Device, reference: EmulatedDevice) -> Check:
    """The learned head with one class more."""
    name = "head with a new class"
    ours, theirs = reference.add_class(), device.add_class()
    if ours != theirs:
        return Check(name, 1, "values", f"new class: emulator {ours}, device {theirs}")
    return _check_head(model, device, reference, name, ours + 1)


def _check_statistics(
    model: Model,
    device: Device,
    statistics: Statistics,
    inputs: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    progress: Progress,
) -> Check:
    """Every observation until all layers are renewed, as far as the samples go, and of the trial;
    then inference by what answers, and again after a reset."""
    reference = EmulatedDevice(model)
    device.reset()
    count = min(len(inputs), (statistics.plan.layers + 1) * statistics.plan.samples)
    judges = 0 if model.head is None else min(len(inputs), BATCH)
    compared = count + judges
    for start in range(0, count, BATCH):
        batch = inputs[start : min(start + BATCH, count)]
        ours = reference.observe_statistics_many(batch)
        theirs = device.observe_statistics_many(batch)
        for offset, (first, second) in enumerate(zip(ours, theirs, strict=True)):
            if first != second:
                where = f"sample {start + offset}: emulator {first}, device {second}"
                return Check("statistics", compared, "samples", where)
        progress("statistics", start + len(batch), count)
    for i in range(judges):
        first, second = (
            body.judge_statistics(inputs[i], int(labels[i])) for body in (reference, device)
        )
        if first != second:
            where = f"labelled sample {i}: emulator {first}, device {second}"
            return Check("statistics", compared, "samples", where)
    for when in ("after renewal", "after reset"):
        crcs = _first(reference.trace_many(inputs[:BATCH]), device.trace_many(inputs[:BATCH]))
        if crcs is not None:
            sample, operator = divmod(crcs[0], len(model.kernels))
            kind = model.kernels[operator].kind
            where = f"{when}, sample {sample}, operator {operator} ({kind}): its output differs"
            return Check("statistics", compared, "samples", where)
        for body in (reference, device):
            body.reset()
    return Check("statistics", compared, "samples", None)


def _region_difference(
    model: Model, device: Device, reference: EmulatedDevice, region: Region, classes: int = 0
) -> str | None:
    first = _first(*(_region(model, body, region, classes) for body in (reference, device)))
    if first is None:
        return None
    name = REGION_TYPES[region][0]
    return f"learning head, {name} {first[0]}: emulator {first[1]}, device {first[2]}"


def _region(
    model: Model, device: Device, region: Region, classes: int = 0
) -> npt.NDArray[np.generic]:
    """A region of the head, as numbers; `classes` in use, 0 for the factory's."""
    assert model.head is not None
    head = model.head.constants
    dtype = np.dtype(REGION_TYPES[region][1])
    per_class = {
        Region.MASTER_WEIGHTS: head.features,
        Region.MASTER_LOW: head.features * head.wide,
    }.get(region, 1)
    count = (classes or head.classes) * per_class
    return np.frombuffer(device.read(Space.HEAD, region, 0, count * dtype.itemsize), dtype)


def _first(
    ours: npt.NDArray[np.generic], theirs: npt.NDArray[np.generic]
) -> tuple[int, Any, Any] | None:
    """The first index at which two arrays differ, and both values."""
    a, b = ours.reshape(-1), theirs.reshape(-1)
    places = np.flatnonzero(a != b)
    if not places.size:
        return None
    at = int(places[0])
    return at, a[at].item(), b[at].item()

"""What a project costs on a target: exact instructions, modelled cycles, flash and RAM by use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinytrain.adapt.cost import learner_bytes
from tinytrain.device.build import build
from tinytrain.device.cycles import EXTRA, MODELLED, can_model, model_inference
from tinytrain.device.interface import Array, Device, Measurement
from tinytrain.device.opening import QEMU_TARGETS, check_target, open_device
from tinytrain.errors import InputError
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.limits import channels_of, stream_bytes
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.pipeline.flash import UNKNOWN, Flash, read_map
from tinytrain.pipeline.output import new_file
from tinytrain.pipeline.samples import project_samples
from tinytrain.project import Project
from tinytrain.protocol import Measure
from tinytrain.report.cost_picture import Panel, cost_bar, draw_costs

STEPS = 8
"""Learning steps, and steps of a stream, that are averaged."""
NOISE = 1000
"""Of what a stream is measured on: int16 values below it."""


@dataclass(frozen=True)
class OperatorCost:
    index: int
    name: str
    kernel: str
    instructions: int | None
    macs: int = 0
    """Multiply-accumulates."""
    cycles: int | None = None
    """Modelled; as of a Bench."""

    @property
    def per_mac(self) -> float | None:
        """Instructions of a multiply-accumulate; None where there are none of either."""
        return self.instructions / self.macs if self.instructions and self.macs else None


@dataclass(frozen=True)
class Bench:
    """Instructions, and bytes. None where the target cannot tell."""

    target: str
    inference: int | None
    learn_step: int | None
    """Mean of steps that write all rows they may; features given."""
    operators: tuple[OperatorCost, ...]
    flash: Flash | None
    arena: int
    head: int
    data: int | None
    bss: int | None
    stack: int | None
    """Peak of inference, learning and steps of the stream."""
    stream: int = 0
    """TT_MODEL_STREAM_BYTES of the emitted header; 0 without a front end."""
    frame_step: int | None = None
    """Mean of steps of the stream that make a frame, no inference; None where each makes one."""
    inference_step: int | None = None
    """A step of the stream with its frame and inference."""
    cycles: int | None = None
    """Modelled, of one inference on the Cortex-M4; None on others and without the extra `bench`."""
    statistics: int = 0
    """TT_MODEL_STATISTICS_BYTES of the emitted header; 0 without renewed statistics."""

    @property
    def note(self) -> str | None:
        """What is missing for the cycles, where they could be modelled."""
        if self.target != MODELLED or self.inference is None or self.cycles is not None:
            return None
        return f"no modelled cycles without unicorn and capstone: {EXTRA}"

    @property
    def macs(self) -> int:
        return sum(operator.macs for operator in self.operators)

    def as_json(self) -> dict[str, object]:
        """The object that `tinytrain bench --json` prints."""
        return {
            "target": self.target,
            "macs": self.macs,
            "instructions": {
                "inference": self.inference,
                "learn_step": self.learn_step,
                "frame_step": self.frame_step,
                "inference_step": self.inference_step,
            },
            "cycles": {"inference": self.cycles},
            "flash": self.flash.as_json() if self.flash else UNKNOWN,
            "ram": {
                "arena": self.arena,
                "head": self.head,
                "statistics": self.statistics,
                "stream": self.stream,
                "data": self.data,
                "bss": self.bss,
                "stack": self.stack,
            },
            "operators": [
                {
                    "index": o.index,
                    "name": o.name,
                    "kernel": o.kernel,
                    "macs": o.macs,
                    "instructions": o.instructions,
                    "cycles": o.cycles,
                }
                for o in self.operators
            ],
        }


def head_bytes(model: Model) -> int:
    """RAM of the learning head."""
    if model.head is None:
        return 0
    return model.head.constants.bytes if model.learner is None else learner_bytes(model.learner)


def bench_all(project: Project, targets: Sequence[str], picture: Path | None) -> list[Bench]:
    """A measurement a target. Raises InputError before the first where one of them cannot be, or
    cannot be in the picture."""
    for target in targets:
        check_target(target)
        if picture is not None and not _has_counter(project, target):
            raise InputError(
                f"--picture {picture}: {target} has no instruction counter; cortex-m targets have "
                "one"
            )
    return [bench(project, target) for target in targets]


def _has_counter(project: Project, target: str) -> bool:
    """Without a build, but for a board, which is asked."""
    if not target.startswith("serial:"):
        return target in QEMU_TARGETS
    with open_device(project, target) as device:
        return device.info().has_counter


def bench(project: Project, target: str) -> Bench:
    """Measures on a device with an instruction counter; on others, only what is known without."""
    model = project.model
    with open_device(project, target) as device:
        if not device.info().has_counter:
            kernels = [
                OperatorCost(k.index, k.kind, model.kernel_name(k.index), None, _macs(model, k))
                for k in model.kernels
            ]
            return Bench(
                target,
                None,
                None,
                tuple(kernels),
                None,
                model.memory.arena_bytes,
                head_bytes(model),
                None,
                None,
                None,
                _stream_bytes(model),
                statistics=model.statistics_bytes,
            )
        return _measure(project, target, device)


def _macs(model: Model, kernel: Kernel) -> int:
    """Of an operator's turn: of a chain, all at its last operator's."""
    chain = model.memory.chain_of(kernel.index)
    if chain is None:
        return kernel.macs
    if kernel.index != chain.last:
        return 0
    return sum(model.kernels[index].macs for index in chain.operators)


def picture_costs(name: str, found: Sequence[Bench], path: Path) -> None:
    """Draws a bar a target; each has a counter."""
    bars = tuple(cost_bar(each) for each in found)
    with new_file(path) as aside:
        draw_costs([Panel(name, bars)], aside)


def _measure(project: Project, target: str, device: Device) -> Bench:
    model = project.model
    samples = project_samples(project, STEPS, seed=0)
    inference = device.measure(Measure.INFERENCE, samples.inputs[0])
    modelled = None
    if target == MODELLED and can_model():
        elf = build(project.directory, target) / "device"
        modelled = model_inference(elf, model, samples.inputs[0])
    operators = tuple(
        OperatorCost(
            kernel.index,
            kernel.kind,
            model.kernel_name(kernel.index),
            device.measure(Measure.OPERATOR + kernel.index, samples.inputs[0]).instructions,
            _macs(model, kernel),
            modelled.operators[place].cycles if modelled else None,
        )
        for place, kernel in enumerate(model.kernels)
    )
    stack, learn_step = inference.stack_bytes, None
    if model.head is not None:
        steps = []
        for x in samples.inputs:
            device.reset()
            wrong = (device.classify(x)[0] + 1) % model.head.constants.classes
            steps.append(device.measure(Measure.LEARN_STEP, x, wrong))
        learn_step = round(sum(step.instructions for step in steps) / len(steps))
        stack = max(stack, *(step.stack_bytes for step in steps))
    frames: list[Measurement] = []
    inferences: list[Measurement] = []
    if model.stream is not None:
        device.reset()
        for found, inferred in _stream_steps(device, model.stream, samples.inputs[0]):
            (inferences if inferred else frames).append(found)
        stack = max(stack, *(step.stack_bytes for step in (*frames, *inferences)))
    flash, bss = None, None
    if target in QEMU_TARGETS:
        flash, bss = read_map(build(project.directory, target) / "device.map", model)
    return Bench(
        target,
        inference.instructions,
        learn_step,
        operators,
        flash,
        model.memory.arena_bytes,
        head_bytes(model),
        flash.data if flash else None,
        bss,
        stack,
        _stream_bytes(model),
        _mean(frames),
        _mean(inferences),
        modelled.total.cycles if modelled else None,
        model.statistics_bytes,
    )


def _stream_bytes(model: Model) -> int:
    return 0 if model.stream is None else stream_bytes(model.stream)


def _mean(steps: list[Measurement]) -> int | None:
    return round(sum(step.instructions for step in steps) / len(steps)) if steps else None


def _stream_steps(
    device: Device, plan: StreamPlan, sample: Array
) -> Iterator[tuple[Measurement, bool]]:
    """Steps that make a frame, and whether they inferred: the first inference, and STEPS others
    where there are so many. Noise, pushed a hop at a time.
    """
    channels, made, frames, inferences = channels_of(plan.frontend), 0, 0, 0
    noise = np.random.default_rng(0)
    size = (min(plan.frontend.hop, plan.ring_capacity - 1), channels)
    device.stream_begin(plan.frontend.rate, channels)
    while True:
        device.stream_push(noise.integers(-NOISE, NOISE, size).astype(np.int16))
        # The first frames alike: nobody waits for their measurement.
        if made < plan.frames - 1 - STEPS:
            made += device.stream_step().frame is not None
            continue
        found = device.measure(Measure.STREAM_STEP, sample)
        counters = device.stream_counters()
        if counters.frames == made:
            continue
        inferred, made = counters.inferences > inferences, counters.frames
        inferences, frames = counters.inferences, frames + (not inferred)
        if not inferred or inferences == 1:
            yield found, inferred
        if inferences and (frames >= STEPS or plan.stride == 1):
            return

"""What a project costs on a target: exact instructions, flash by kind, RAM by use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinytrain.adapt.cost import learner_bytes
from tinytrain.device.build import build
from tinytrain.device.interface import Array, Device, Measurement
from tinytrain.device.opening import QEMU_TARGETS, open_device
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.limits import channels_of, stream_bytes
from tinytrain.model import Model
from tinytrain.pipeline.samples import project_samples
from tinytrain.project import Project
from tinytrain.protocol import Measure

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


@dataclass(frozen=True)
class Flash:
    """Bytes of a linked firmware. text + rodata + data is all of it; the rest are parts of that."""

    text: int
    rodata: int
    data: int
    weights: int
    """The model's weights and biases."""
    port: int
    """Start-up, link and measuring of the emulated board."""

    @property
    def firmware(self) -> int:
        """Code and constants but for the weights and the port."""
        return self.text + self.rodata + self.data - self.weights - self.port


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

    def as_json(self) -> dict[str, object]:
        """The object that `tinytrain bench --json` prints."""
        flash = self.flash
        return {
            "target": self.target,
            "instructions": {
                "inference": self.inference,
                "learn_step": self.learn_step,
                "frame_step": self.frame_step,
                "inference_step": self.inference_step,
            },
            "flash": {
                "text": flash.text if flash else None,
                "rodata": flash.rodata if flash else None,
                "data": flash.data if flash else None,
                "weights": flash.weights if flash else None,
                "port": flash.port if flash else None,
                "firmware": flash.firmware if flash else None,
            },
            "ram": {
                "arena": self.arena,
                "head": self.head,
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
                    "instructions": o.instructions,
                }
                for o in self.operators
            ],
        }


def head_bytes(model: Model) -> int:
    """RAM of the learning head."""
    if model.head is None:
        return 0
    return model.head.constants.bytes if model.learner is None else learner_bytes(model.learner)


def bench(project: Project, target: str) -> Bench:
    """Measures on a device with an instruction counter; on others, only what is known without."""
    model = project.model
    with open_device(project, target) as device:
        if not device.info().has_counter:
            kernels = [
                OperatorCost(k.index, k.kind, k.parameters.function, None) for k in model.kernels
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
            )
        return _measure(project, target, device)


def _measure(project: Project, target: str, device: Device) -> Bench:
    model = project.model
    samples = project_samples(project, STEPS, seed=0)
    inference = device.measure(Measure.INFERENCE, samples.inputs[0])
    operators = tuple(
        OperatorCost(
            kernel.index,
            kernel.kind,
            kernel.parameters.function,
            device.measure(Measure.OPERATOR + kernel.index, samples.inputs[0]).instructions,
        )
        for kernel in model.kernels
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


_INPUT_SECTION = re.compile(
    r"^ (?P<section>\.[\w.$-]+)\s+0x[0-9a-f]+\s+0x(?P<size>[0-9a-f]+) (?P<object>\S.*)$", re.M
)


def read_map(path: Path, model: Model) -> tuple[Flash, int]:
    """Flash by kind, and bytes of .bss, from GNU ld's map of a linked firmware."""
    linked = path.read_text(encoding="utf-8").split("Linker script and memory map", 1)[1]
    sizes: dict[str, int] = dict.fromkeys(("text", "rodata", "data", "bss", "weights", "port"), 0)
    for found in _INPUT_SECTION.finditer(linked):
        kind, size = _kind(found["section"]), int(found["size"], 16)
        if kind is None:
            continue
        sizes[kind] += size
        if kind != "bss":
            sizes["weights"] += size if _is_weights(found["section"], model) else 0
            sizes["port"] += size if "/port/" in found["object"] else 0
    flash = Flash(*(sizes[k] for k in ("text", "rodata", "data", "weights", "port")))
    return flash, sizes["bss"]


_KINDS: Mapping[str, str] = {
    ".vectors": "text",
    ".text": "text",
    ".rodata": "rodata",
    ".data": "data",
    ".bss": "bss",
}


def _kind(section: str) -> str | None:
    return next(
        (
            kind
            for start, kind in _KINDS.items()
            if section == start or section.startswith(start + ".")
        ),
        None,
    )


def _is_weights(section: str, model: Model) -> bool:
    start = f".rodata.{model.name}_"
    return section.startswith(start) and section.endswith(("_weights", "_bias"))

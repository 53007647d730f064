"""Operator by operator: where a device first parts from the emulator, and how far it carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.opening import open_device
from tinytrain.pipeline.samples import project_samples
from tinytrain.pipeline.verify import BATCH
from tinytrain.progress import Progress
from tinytrain.project import Project


@dataclass(frozen=True)
class LayerRow:
    index: int
    name: str
    kernel: str
    output: str
    samples: int
    differing: int
    """Samples on which the operator's output differs in any byte."""


def compare_layers(
    project: Project, target: str, samples: int, seed: int, progress: Progress
) -> tuple[LayerRow, ...]:
    """Every operator's output on `samples` samples, on the device and in the emulator."""
    model = project.model
    inputs = project_samples(project, samples, seed).inputs
    reference = EmulatedDevice(model)
    differing = np.zeros(len(model.kernels), np.int64)
    with open_device(project, target) as device:
        device.reset()
        for start in range(0, len(inputs), BATCH):
            batch = inputs[start : start + BATCH]
            differing += (reference.trace_many(batch) != device.trace_many(batch)).sum(axis=0)
            progress("layers", min(start + BATCH, len(inputs)), len(inputs))
    return tuple(
        LayerRow(
            kernel.index,
            kernel.kind,
            model.kernel_name(kernel.index),
            model.graph.tensors[kernel.outputs[0]].name,
            len(inputs),
            int(count),
        )
        for kernel, count in zip(model.kernels, differing, strict=True)
    )

"""The learning head on the targets gives the emulator's bits, through the protocol, in any shape.

Letters: D features, C classes. Odd D, an odd number of rows and more features than a loop takes at
once are what the loops with intrinsics have to get right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.models import Operator, Tensor, build
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.device.opening import open_device
from tinytrain.errors import DeviceError
from tinytrain.head import HeadOptions
from tinytrain.pipeline.convert import convert
from tinytrain.project import Project, load_project
from tinytrain.protocol import Region, Space

SHAPES = [
    # D, C, reserved, masters
    (1, 2, 1, 16),
    (7, 3, 2, 32),
    (16, 5, 0, 16),
    (22, 4, 1, 32),
    (65, 4, 2, 16),
    (523, 3, 1, 16),
]


def head_project(folder: Path, features: int, classes: int, reserved: int, masters: int) -> Project:
    """A model of one dense layer with random weights: its inputs are the features."""
    rng = np.random.default_rng(features)
    weights = rng.integers(-128, 128, (classes, features))
    tensors = [
        Tensor((1, features), scale=0.05, zero_point=-5),
        Tensor(weights.shape, scale=2.0 ** rng.uniform(-10, -8, classes), data=weights),
        Tensor((classes,), "int32", data=rng.integers(-9000, 9000, classes)),
        Tensor((1, classes), scale=0.1),
    ]
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
    model = folder / "head.tflite"
    model.write_bytes(build(tensors, [operator], [0], [3]))
    options = HeadOptions(
        eta=0.5, tau=0.0, energy=features * 5500.0, reserved=reserved, masters=masters
    )
    convert(model, folder / "project", options=options)
    return load_project(folder / "project")


def history(device: Device, shape: tuple[int, int, int, int]) -> list[object]:
    """Everything that a device tells of 60 steps, and of the classes added in between."""
    features, classes, reserved, masters = shape
    rng = np.random.default_rng(1)
    told: list[object] = []
    for more in range(reserved + 1):
        x = rng.integers(-128, 128, (20, features)).astype(np.int8)
        x[0], x[1] = -128, 127
        told.append(device.learn_many(x, rng.integers(0, classes + more, 20)))
        told.append([device.classify(sample)[1].tolist() for sample in x])
        told.append(device.classify_many(x).tolist())
        items = (classes + more) * features
        told.append(device.read(Space.HEAD, Region.MASTER_WEIGHTS, 0, 2 * items))
        told.append(device.read(Space.HEAD, Region.MASTER_BIAS, 0, 4 * (classes + more)))
        told.append(device.read(Space.HEAD, Region.MASTER_LOW, 0, (masters // 16 - 1) * 2 * items))
        if more < reserved:
            told.append(device.add_class())
    with pytest.raises(DeviceError, match="no row is left"):
        device.add_class()
    return told


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("machine", ["host", "cortex-m0", "cortex-m4"])
def test_a_head_of_any_shape_learns_the_emulators_bits(
    machine: str,
    shape: tuple[int, int, int, int],
    tmp_path: Path,
    require_target: Callable[[str], None],
) -> None:
    require_target(machine)
    project = head_project(tmp_path, *shape)
    with open_device(project, machine) as device:
        assert history(device, shape) == history(EmulatedDevice(project.model), shape)

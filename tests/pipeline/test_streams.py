"""A stateful model from file to device: the same stream gives the same bytes on every body."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.models import Operator, Tensor, build
from tests.operators.strategies_state import (
    HANDLE,
    Lstm,
    Svdf,
    assign,
    call_once,
    handle,
    initialization,
    read,
)
from tests.operators.test_against_tflite_micro import reference
from tinytrain.converters.tflite import parse_tflite
from tinytrain.device.build import build as build_device
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.process import open_host
from tinytrain.emulator.inference import run_in_order
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.samples import project_samples
from tinytrain.pipeline.verify import verify
from tinytrain.project import Project, load_project

FEATURES, CLASSES = 6, 3


def recurrent_model() -> bytes:
    """state = relu6(W input + state) from a first state of CALL_ONCE's; logits = V state."""
    rng = np.random.default_rng(5)
    state = Tensor((1, FEATURES), scale=6 / 255, zero_point=-128)
    mixed = rng.integers(-127, 128, (FEATURES, 4))
    classify = rng.integers(-127, 128, (CLASSES, FEATURES))
    tensors = [
        Tensor((1, 4), scale=0.05, zero_point=3, name="input"),
        Tensor((FEATURES, 4), scale=0.01, data=mixed),
        Tensor((1, FEATURES), scale=0.1, name="mixed"),
        HANDLE,
        state,
        state,
        Tensor((CLASSES, FEATURES), scale=0.01, data=classify),
        Tensor((1, CLASSES), scale=0.1, name="logits"),
    ]
    first = Tensor((1, FEATURES), data=rng.integers(-128, 128, (1, FEATURES)))
    operators = [
        call_once(),
        handle("state", 3),
        Operator("FULLY_CONNECTED", (0, 1, -1), (2,), "FullyConnectedOptions"),
        read(3, 4),
        Operator("ADD", (2, 4), (5,), "AddOptions", {"fusedActivationFunction": "RELU6"}),
        assign(3, 5),
        Operator("FULLY_CONNECTED", (5, 6, -1), (7,), "FullyConnectedOptions"),
    ]
    return build(tensors, operators, [0], [7], [initialization("state", first)])


def convolution_model() -> bytes:
    """A convolution over the last four frames: the three before the newest are a ring of state."""
    rng = np.random.default_rng(6)
    frame, ring, window = (
        Tensor((1, frames, 5, 2), scale=0.05, zero_point=3) for frames in (1, 3, 4)
    )
    tensors = [
        frame,
        HANDLE,
        ring,
        window,
        ring,
        Tensor((4,), "int32", data=[0, 1, 0, 0]),
        Tensor((4,), "int32", data=[1, 4, 5, 2]),
        Tensor((4,), "int32", data=[1, 1, 1, 1]),
        Tensor((3, 4, 3, 2), scale=0.01, data=rng.integers(-127, 128, (3, 4, 3, 2))),
        Tensor((3,), "int32", scale=0.0005, data=[100, -200, 300]),
        Tensor((1, 1, 3, 3), scale=0.2, zero_point=-7),
    ]
    convolution = {"padding": "VALID", "strideH": 1, "strideW": 1}
    operators = [
        handle("ring", 1),
        read(1, 2),
        Operator("CONCATENATION", (2, 0), (3,), "ConcatenationOptions", {"axis": 1}),
        Operator("STRIDED_SLICE", (3, 5, 6, 7), (4,), "StridedSliceOptions"),
        assign(1, 4),
        Operator("CONV_2D", (3, 8, 9), (10,), "Conv2DOptions", convolution),
    ]
    return build(tensors, operators, [0], [10])


MODELS = {
    "recurrent": recurrent_model,
    "convolution": convolution_model,
    "svdf": lambda: Svdf(
        4, 2, 5, 6, "int16", "any", (0.05, 0.05, 0.05), (3, 0, -5), 0.0, 9.0, 5, "RELU", 1
    ).build(),
    "lstm": lambda: Lstm(
        3, 4, 5, True, "any", (12.0, 11.0), 0.0078125, (2, 0), -11, 2.0, True, 1
    ).build(),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_gives_the_bytes_of_tflite_micro(name: str) -> None:
    model = MODELS[name]()
    graph = parse_tflite(model, name)
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, (100, *graph.tensors[0].shape)).astype(np.int8)
    values = run_in_order(graph, require_kernels(graph), [x])
    assert np.array_equal(values[graph.outputs[0]], reference(model, [x])[0])


@pytest.mark.parametrize("name", [name for name in MODELS if name != "recurrent"])
def test_operators_with_state_are_equal_on_the_device(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    source = tmp_path / "stream.tflite"
    source.write_bytes(MODELS[name]())
    convert(source, tmp_path / "project")
    assert differences(load_project(tmp_path / "project")) == []


def test_a_constant_can_be_assigned(tmp_path: Path, require_host_gcc: None) -> None:
    """To a variable that is read before: first values at the first sample, then the constant."""
    value = Tensor((1, 4), scale=0.5, zero_point=9)
    constant = Tensor((1, 4), scale=0.5, data=[[1, 2, 3, 4]])
    tensors = [value, HANDLE, value, constant, value]
    steps = [handle("v", 1), read(1, 2), assign(1, 3), Operator("ADD", (0, 2), (4,), "AddOptions")]
    source = tmp_path / "stream.tflite"
    source.write_bytes(build(tensors, steps, [0], [4]))
    model = convert(source, tmp_path / "project")
    assert model.graph.tensors[1].initial_value.tolist() == [0, 0, 0, 0]
    assert differences(load_project(tmp_path / "project")) == []


def plant(project: Project, statement: str) -> None:
    """Puts a mistake into the generated C, before each operator."""
    path = project.directory / "model" / "stream.c"
    loop = "    for (uint16_t i = first; i < end; i++) {\n"
    assert path.read_text().count(loop) == 1
    path.write_text(path.read_text().replace(loop, f"{loop}        {statement}\n"))


def offset(project: Project, tensor: int) -> int:
    return project.model.memory.placements[tensor].offset


@pytest.fixture
def project(tmp_path: Path, require_host_gcc: None) -> Project:
    source = tmp_path / "stream.tflite"
    source.write_bytes(recurrent_model())
    convert(source, tmp_path / "project")
    return load_project(tmp_path / "project")


def differences(project: Project, target: str = "host") -> list[str]:
    found = verify(project, target, samples=60, steps=60)
    return [check.difference for check in found.checks if check.difference is not None]


@pytest.mark.parametrize(
    "target",
    ["host", *(pytest.param(t, marks=pytest.mark.slow) for t in ("cortex-m0", "cortex-m4"))],
)
def test_inference_and_learning_on_a_stream_are_equal_bit_for_bit(
    project: Project, target: str, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    assert project.model.head is not None
    assert differences(project, target) == []


def test_a_reset_starts_the_stream_anew(project: Project) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (20, 4)).astype(np.int8)
    with open_host(build_device(project.directory, "host")) as host:
        for device in (host, EmulatedDevice(project.model)):
            first = device.infer_many(x)
            second = device.infer_many(x)
            device.reset()
            again = np.concatenate([device.infer_many(x[:7]), device.infer_many(x[7:])])
            assert not np.array_equal(first, second)
            assert np.array_equal(first, again)


def test_every_call_that_sees_a_sample_moves_the_stream_on(project: Project) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (30, 4)).astype(np.int8)
    outputs = []
    with open_host(build_device(project.directory, "host")) as host:
        for device in (host, EmulatedDevice(project.model)):
            device.trace_many(x[:5])
            device.classify_many(x[5:10])
            device.learn_many(x[10:15], [0, 1, 2, 0, 1])
            device.run(x[15], 2)
            device.run(x[16], len(project.model.kernels))
            device.classify(x[17])
            outputs.append(device.infer_many(x[18:]))
    assert np.array_equal(*outputs)


def test_verify_finds_a_wrong_first_value(project: Project) -> None:
    path = project.directory / "model" / "stream.c"
    text = path.read_text()
    start = text.index("static const int8_t stream_tensor_3[6]")
    at = text.index("{", start) + 1
    value = text[at:].split(",")[0]
    path.write_text(text[:at] + text[at:].replace(value, f" {int(value) ^ 1}", 1))
    (difference,) = differences(project)
    assert difference.startswith("stream_tensor_3[0]: emulator ")


def test_verify_finds_one_bit_that_flips_in_the_state_late(project: Project) -> None:
    """The bit flips at one sample only: the samples before it have to be replayed to see it."""
    late, place = 37, offset(project, project.model.graph.inputs[0])
    x = project_samples(project, 60, 0).inputs[late]
    condition = " && ".join(f"arena[{place + i}] == {value}" for i, value in enumerate(x))
    (variable,) = project.model.graph.variables
    plant(project, f"if (i == 0 && {condition}) arena[{offset(project, variable) + 2}] ^= 4;")
    (difference,) = differences(project)
    assert difference.startswith(f"sample {late}, operator 1 (READ_VARIABLE), output[2]: ")


def test_verify_finds_a_bit_that_flips_after_the_last_use_of_the_state(project: Project) -> None:
    """At the last operator of the last sample, which was traced before it was inferred."""
    (variable,) = project.model.graph.variables
    place = offset(project, variable) + 5
    plant(project, f"static int runs; if (i == 4 && ++runs == 2 * 60) arena[{place}] ^= 64;")
    (difference,) = differences(project)
    assert difference.startswith(f"variable {variable} 'state'[5]: ")

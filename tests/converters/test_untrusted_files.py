"""A damaged or forged .tflite ends in a plan or in one line that says what is wrong.

Never another exception, never longer than 5 seconds, never more than 512 MB.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import flatbuffers
import numpy as np
import pytest

from tests.models import Operator, Tensor, build, schema
from tests.operators.strategies_state import Delay, Lstm, Svdf
from tinytrain.converters.tflite import parse_tflite
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.plan.memory import plan_memory

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "models" / "kws_ref_model.tflite"

SECONDS = 5.0
BYTES = 512 << 20

HUGE = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x00FFFFFF, 1 << 26, 0x7F800000,
        0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF]  # fmt: skip
"""Words that index, count, scale and offset fields are not made for."""


@contextmanager
def limited() -> Iterator[None]:
    """Ends what runs too long or takes too much memory, by an exception that is no InputError."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def plan_or_refuse(data: bytes) -> str:
    """Reads, lowers and plans a file; gives the error's line, or nothing where it is a model."""
    with limited():
        start = time.monotonic()
        try:
            graph = parse_tflite(data, "file")
            memory = plan_memory(graph, require_kernels(graph))
        except InputError as error:
            message = str(error)
            assert message.startswith("file: ")
            assert message.isprintable(), message
            return message
        finally:
            assert time.monotonic() - start < SECONDS
    assert memory.arena_bytes > 0
    return ""


def classifier(
    input_scale: float = 0.5,
    weight_scale: float = 0.01,
    output_scale: float = 0.25,
    activation: str = "NONE",
    name: str = "features",
    beta: float = 1.0,
) -> bytes:
    """A convolution, a pooling, a mean, a dense layer and a softmax."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (4, 3, 3, 2))
    dense = rng.integers(-127, 128, (5, 4))
    tensors = [
        Tensor((1, 8, 8, 2), scale=input_scale, zero_point=-3, name="input"),
        Tensor((4, 3, 3, 2), scale=[weight_scale] * 4, data=weights),
        Tensor((4,), "int32", [input_scale * weight_scale] * 4, data=[1, 2, 3, 4]),
        Tensor((1, 4, 4, 4), scale=output_scale, name=name),
        Tensor((1, 2, 2, 4), scale=output_scale),
        Tensor((2,), "int32", data=[1, 2]),
        Tensor((1, 4), scale=output_scale),
        Tensor((5, 4), scale=weight_scale, data=dense),
        Tensor((1, 5), scale=output_scale),
        Tensor((1, 5), scale=1 / 256, zero_point=-128, name="output"),
    ]
    convolution = {"strideH": 2, "strideW": 2, "fusedActivationFunction": activation}
    pooling = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    operators = [
        Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", convolution),
        Operator("MAX_POOL_2D", (3,), (4,), "Pool2DOptions", pooling),
        Operator("MEAN", (4, 5), (6,), "ReducerOptions"),
        Operator("FULLY_CONNECTED", (6, 7), (8,), "FullyConnectedOptions"),
        Operator("SOFTMAX", (8,), (9,), "SoftmaxOptions", {"beta": beta}),
    ]
    return build(tensors, operators, [0], [9])


@cache
def originals() -> tuple[bytes, ...]:
    """Whole files; the published one where it is at hand."""
    published = [PUBLISHED.read_bytes()] if PUBLISHED.is_file() else []
    random = (classifier(), classifier(activation="RELU6"), stateful(), svdf(), lstm())
    return (*published, *random)


def stateful() -> bytes:
    """Two variables with three handles, and a second subgraph for CALL_ONCE."""
    return Delay((1, 4), (0.5, 0.25, 1.0), (3, -5, 7), "twice", True, True, 1).build()


def svdf() -> bytes:
    scales, zero_points = (0.05, 0.05, 0.05), (3, 0, -5)
    return Svdf(2, 2, 3, 4, "int16", "any", scales, zero_points, 0.0, 9.0, 5, "RELU", 1).build()


def lstm() -> bytes:
    return Lstm(2, 3, 2, True, "any", (12.0, 11.0), 0.0078125, (2, 0), -11, 2.0, True, 1).build()


def flip_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    for at in rng.integers(0, len(data), rng.integers(1, 4)):
        data[at] ^= 1 << int(rng.integers(0, 8))
    return data


def cut_off(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(0, len(data)))]


def splice(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A stretch of a file over another place, at times of another length."""
    other = originals()[rng.integers(0, len(originals()))]
    length, longer = int(rng.integers(1, 200)), int(rng.choice([0, 0, 4, -4]))
    source, target = int(rng.integers(0, len(other))), int(rng.integers(0, len(data)))
    data[target : target + max(length + longer, 0)] = other[source : source + length]
    return data


def write_words(data: bytearray, rng: np.random.Generator) -> bytearray:
    for at in rng.integers(0, len(data) // 4, rng.integers(1, 4)):
        data[4 * at : 4 * at + 4] = int(rng.choice(HUGE)).to_bytes(4, "little")
    return data


def swap_words(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Offsets and indices that are plausible, but another's."""
    a, b = (4 * int(at) for at in rng.integers(0, len(data) // 4, 2))
    data[a : a + 4], data[b : b + 4] = data[b : b + 4], data[a : a + 4]
    return data


MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    flip_bits,
    cut_off,
    splice,
    write_words,
    swap_words,
)


def mutated(seed: int) -> bytes:
    """One mutation, within 2 KB of a file, so that what belongs together is hit together."""
    rng = np.random.default_rng(seed)
    data = bytearray(originals()[seed % len(originals())])
    mutation = MUTATIONS[rng.integers(0, len(MUTATIONS))]
    if mutation is cut_off:
        return bytes(cut_off(data, rng))
    start = int(rng.integers(0, max(len(data) - 1024, 1))) // 4 * 4
    end = start + 2048
    return bytes(data[:start] + mutation(data[start:end], rng) + data[end:])


def test_the_originals_are_models() -> None:
    for data in originals():
        assert plan_or_refuse(data) == ""


@pytest.mark.parametrize(
    ("first", "count"),
    [(0, 2_000), pytest.param(2_000, 10_000, marks=pytest.mark.slow)],
)
def test_a_mutated_file_ends_in_a_plan_or_in_one_line(first: int, count: int) -> None:
    outcomes = set()
    for seed in range(first, first + count):
        try:
            outcomes.add(plan_or_refuse(mutated(seed)) == "")
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    "original",
    [
        lambda: classifier(activation="RELU6"),
        stateful,
        pytest.param(svdf, marks=pytest.mark.slow),
        pytest.param(lstm, marks=pytest.mark.slow),
    ],
)
def test_every_word_of_a_file_can_be_any_number(original: Callable[[], bytes]) -> None:
    data = original()
    for at in range(0, len(data) // 4 * 4, 4):
        for word in HUGE:
            forged = data[:at] + word.to_bytes(4, "little") + data[at + 4 :]
            try:
                plan_or_refuse(forged)
            except Exception as error:
                where = f"{word:#x} at {at}: {type(error).__name__}: {error}"
                raise AssertionError(where) from error


def chain(count: int) -> bytes:
    """Poolings of one pixel, which nothing can run in place."""
    options = {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
    tensors = [Tensor((1, 1, 1, 1), scale=1.0) for _ in range(count + 1)]
    operators = [
        Operator("MAX_POOL_2D", (i,), (i + 1,), "Pool2DOptions", options) for i in range(count)
    ]
    return build(tensors, operators, [0], [count])


def shared_parts(tensors: int, buffer_bytes: int, name_bytes: int) -> bytes:
    """Many tensors that all point to one long name and one large constant."""
    fb = schema()
    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("n" * name_bytes)
    data = builder.CreateByteVector(bytes(buffer_bytes))
    shape = builder.CreateNumpyVector(np.array([buffer_bytes], np.int32))
    edge = builder.CreateNumpyVector(np.array([0], np.int32))
    places = []
    for is_constant in [False, *[True] * tensors]:
        fb.TensorStart(builder)
        fb.TensorAddType(builder, fb.TensorType.INT8)
        fb.TensorAddName(builder, name)
        fb.TensorAddShape(builder, shape)
        fb.TensorAddBuffer(builder, int(is_constant))
        places.append(fb.TensorEnd(builder))
    buffers = []
    for filled in (False, True):
        fb.BufferStart(builder)
        if filled:
            fb.BufferAddData(builder, data)
        buffers.append(fb.BufferEnd(builder))
    return finish(builder, places, [], edge, [], buffers)


def shared_operator(count: int, inputs: int) -> bytes:
    """Many operators that are all the same table, with a long list of inputs."""
    fb = schema()
    builder = flatbuffers.Builder(1024)
    many = builder.CreateNumpyVector(np.zeros(inputs, np.int32))
    edge = builder.CreateNumpyVector(np.array([0], np.int32))
    fb.OperatorStart(builder)
    fb.OperatorAddInputs(builder, many)
    fb.OperatorAddOutputs(builder, many)
    operator = fb.OperatorEnd(builder)
    fb.OperatorCodeStart(builder)
    code = fb.OperatorCodeEnd(builder)
    fb.BufferStart(builder)
    buffer = fb.BufferEnd(builder)
    fb.TensorStart(builder)
    fb.TensorAddType(builder, fb.TensorType.INT8)
    tensor = fb.TensorEnd(builder)
    return finish(builder, [tensor], [operator] * count, edge, [code], [buffer])


def finish(
    builder: flatbuffers.Builder,
    tensors: list[int],
    operators: list[int],
    edge: int,
    codes: list[int],
    buffers: list[int],
) -> bytes:
    """A model of one subgraph around tables that are already written."""
    fb = schema()

    def vector(places: list[int]) -> int:
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())

    parts = [vector(places) for places in (tensors, operators, codes, buffers)]
    fb.SubGraphStart(builder)
    fb.SubGraphAddTensors(builder, parts[0])
    fb.SubGraphAddInputs(builder, edge)
    fb.SubGraphAddOutputs(builder, edge)
    fb.SubGraphAddOperators(builder, parts[1])
    subgraphs = vector([fb.SubGraphEnd(builder)])
    fb.ModelStart(builder)
    fb.ModelAddVersion(builder, 3)
    fb.ModelAddOperatorCodes(builder, parts[2])
    fb.ModelAddSubgraphs(builder, subgraphs)
    fb.ModelAddBuffers(builder, parts[3])
    builder.Finish(fb.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


X = Tensor((1, 4), scale=0.5)
CONSTANT = Tensor((1, 4), scale=0.5, data=[[1, 2, 3, 4]])
ADD = Operator("ADD", (0, 0), (1,), "AddOptions")

FORGED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "only the identifier": lambda: b"\0\0\0\0TFL3",
    "zeros": lambda: b"\0\0\0\0TFL3" + bytes(1000),
    "ones": lambda: b"\xff\xff\xff\xffTFL3" + b"\xff" * 1000,
    "no operators": lambda: build([X], [], [0], [0]),
    "a constant output": lambda: build([X, X, CONSTANT], [ADD], [0], [1, 2]),
    "the same input twice": lambda: build([X, X], [ADD], [0, 0], [1]),
    "the same output twice": lambda: build([X, X], [ADD], [0], [1, 1]),
    "an input that is an output": lambda: build([X, X], [ADD], [0], [0, 1]),
    "an unused float input": lambda: build([X, X, Tensor((3,), "float32")], [ADD], [0, 2], [1]),
    "a cycle": lambda: build([X, X], [Operator("ADD", (0, 1), (1,), "AddOptions")], [0], [1]),
    "a line break in a name": lambda: classifier(name="a\nb", output_scale=float("nan")),
    "a line separator in a name": lambda: classifier(name="a\u2028b", output_scale=0.0),
    "a scale that is the smallest float": lambda: classifier(
        output_scale=1e-45, activation="RELU6"
    ),
    "an input scale that is the largest float": lambda: classifier(input_scale=3e38),
    "a weight scale that is the largest float": lambda: classifier(weight_scale=3e38),
    "scales whose product leaves float32": lambda: classifier(output_scale=3e38, weight_scale=3e38),
    "scales whose ratio is 2^250": lambda: classifier(
        input_scale=3e38, weight_scale=1.0, output_scale=1e-45
    ),
    "scales whose ratio is 2^-250": lambda: classifier(
        input_scale=1e-45, weight_scale=1e-45, output_scale=3e38
    ),
    "a negative beta": lambda: classifier(beta=-1.0),
    "a beta that is the largest float": lambda: classifier(beta=3e38),
    "an infinite beta": lambda: classifier(beta=float("inf")),
    "a long chain": lambda: chain(8191),
    "one constant for many tensors": lambda: shared_parts(8000, 1 << 20, 1),
    "one name for many tensors": lambda: shared_parts(8000, 1, 8 << 20),
    "one operator many times": lambda: shared_operator(8192, 8192),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_file_ends_in_a_plan_or_in_one_line(forgery: str) -> None:
    plan_or_refuse(FORGED[forgery]())

"""Operators with state: what is refused, and roundings that random cases hardly ever meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case
from tests.operators.strategies_state import Lstm, Svdf, one_operator
from tests.operators.test_against_tflite_micro import reference
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import initial_state, run, run_in_order
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels

SVDF = Svdf(
    units=2,
    rank=2,
    memory=3,
    depth=4,
    state_type="int16",
    weight_style="any",
    scales=(0.05, 0.05, 0.05),
    zero_points=(3, 0, -5),
    state_gain=0.0,
    output_gain=9.0,
    bias_bits=5,
    activation="NONE",
    seed=1,
)
LSTM = Lstm(
    steps=2,
    depth=3,
    units=2,
    time_major=False,
    weight_style="any",
    reach=(12.0, 11.0),
    output_scale=2.0**-7,
    zero_points=(2, -4),
    cell_exponent=-11,
    cell_clip=0.0,
    bias=True,
    seed=1,
)


def refusal(model: bytes) -> str:
    with pytest.raises(InputError) as caught:
        require_kernels(parse_tflite(model, "model"))
    return str(caught.value)


TENSOR_PROBLEMS = {
    "svdf, state no variable": (
        SVDF,
        4,
        {"is_variable": False, "data": np.zeros((1, 12))},
        "is no variable",
    ),
    "svdf, state of another type": (SVDF, 4, {"dtype": "int8"}, "a constant int8 is supported"),
    "svdf, state of another shape": (SVDF, 4, {"shape": (1, 11)}, "has shape (1, 11)"),
    "svdf, state with a zero point": (SVDF, 4, {"zero_point": 2}, "zero point 2; 0 is supported"),
    "svdf, weights by channel": (
        SVDF,
        1,
        {"scale": [0.05] * 4},
        "feature weights need one scale",
    ),
    "svdf, time weights with a zero point": (SVDF, 2, {"zero_point": 1}, "need one scale and zero"),
    "lstm, hidden state no variable": (
        LSTM,
        13,
        {"is_variable": False, "data": np.zeros((1, 2))},
        "no variable",
    ),
    "lstm, cell state int8": (LSTM, 14, {"dtype": "int8"}, "supported here: int16"),
    "lstm, scale no power of two": (LSTM, 14, {"scale": 0.0005}, "a power of two"),
    "lstm, scale too small": (LSTM, 14, {"scale": 2.0**-25}, "a power of two"),
    "lstm, cell zero point": (LSTM, 14, {"zero_point": 1}, "needs zero point 0"),
    "lstm, two samples": (LSTM, 0, {"shape": (2, 2, 3)}, "(1, steps, elements) is supported"),
    "lstm, gates of two shapes": (
        LSTM,
        2,
        {"shape": (3, 2), "data": np.ones((3, 2))},
        "weights of the forget gate",
    ),
    "lstm, int16 activations": (LSTM, 0, {"dtype": "int16"}, "is int16"),
    "lstm, hidden scale too small": (LSTM, 13, {"scale": 2.0**-32}, "below 2^-30"),
}


@pytest.mark.parametrize("name", TENSOR_PROBLEMS)
def test_a_tensor_that_does_not_fit_is_refused(name: str) -> None:
    case, index, changes, message = TENSOR_PROBLEMS[name]
    tensors, operator = case.parts()
    tensors[index] = replace(tensors[index], **changes)
    assert message in refusal(one_operator(tensors, operator))


OPERATOR_PROBLEMS = {
    "svdf, rank": (SVDF, {"rank": 3}, None, "4 filters are no multiple of rank 3"),
    "svdf, no rank": (SVDF, {"rank": 0}, None, "rank is 0"),
    "svdf, relu6": (SVDF, {"fusedActivationFunction": "RELU6"}, None, "supported are NONE, RELU"),
    "lstm, relu": (LSTM, {"fusedActivationFunction": "RELU"}, None, "supported are TANH"),
    "lstm, clip": (LSTM, {"cellClip": -1.0}, None, "cell_clip is -1.0"),
    "lstm, diagonal": (LSTM, {"diagonalRecurrentTensors": True}, None, "diagonal"),
    "lstm, peephole": (LSTM, {}, (9, 14), "peephole, which is not supported"),
    "lstm, projection": (LSTM, {}, (16, 1), "projection, which is not supported"),
    "lstm, normalisation": (LSTM, {}, (20, 9), "layer normalisation, which is not supported"),
}


@pytest.mark.parametrize("name", OPERATOR_PROBLEMS)
def test_an_attribute_or_variant_is_refused_by_name(name: str) -> None:
    case, options, extra, message = OPERATOR_PROBLEMS[name]
    tensors, operator = case.parts()
    inputs = list(operator.inputs)
    if extra is not None:
        inputs[extra[0]] = extra[1]
    merged = {**operator.options, **options}
    assert message in refusal(
        one_operator(tensors, replace(operator, inputs=tuple(inputs), options=merged))
    )


@pytest.mark.parametrize("case", [SVDF, LSTM], ids=["svdf", "lstm"])
def test_devices_of_a_batch_are_independent(case: Case) -> None:
    """`run` on n rows of state gives what n single devices give."""
    graph = parse_tflite(case.build(), "model")
    kernels = require_kernels(graph)
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (5, 3, *graph.tensors[0].shape)).astype(np.int8)
    state = initial_state(graph, 3)
    together = []
    for sample in x:
        values = run(graph, kernels, [sample], state=state)
        state = {tensor: values[tensor] for tensor in graph.variables}
        together.append(values[graph.outputs[0]])
    for device in range(3):
        alone = run_in_order(graph, kernels, [x[:, device]])[graph.outputs[0]]
        assert np.array_equal(np.stack(together)[:, device], alone)


def test_svdf_takes_the_ratio_of_scales_in_double() -> None:
    """Projections of up to 30000, offset so that their last unit shows: float32 misses one."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        units, depth = 64, 8
        weights = rng.integers(-127, 128, (units, depth))
        x = rng.integers(-128, 128, (1, 1, depth)).astype(np.int8)
        input_scale, weight_scale = (float(np.float32(s)) for s in rng.uniform(0.01, 0.1, 2))
        sums = weights @ x[0, 0].astype(np.int64)
        state_scale = float(np.float32(input_scale * weight_scale * np.abs(sums).max() / 30000))
        bias = -np.round(sums * input_scale * weight_scale / state_scale)
        tensors = [
            Tensor((1, depth), scale=input_scale),
            Tensor((units, depth), scale=weight_scale, data=weights),
            Tensor((units, 1), "int16", 1.0, data=np.ones((units, 1))),
            Tensor((units,), "int32", state_scale, data=bias),
            Tensor((1, units), "int16", state_scale, is_variable=True),
            Tensor((1, units), scale=state_scale),
        ]
        operator = Operator("SVDF", (0, 1, 2, 3, 4), (5,), "SVDFOptions", {"rank": 1})
        model = build(tensors, [operator], [0], [5])
        graph = parse_tflite(model, "model")
        values = run_in_order(graph, require_kernels(graph), [x])
        wrong += int((values[5] != reference(model, [x])[0]).sum())
    assert wrong == 0


@pytest.mark.parametrize("seed", [240, 258, 330, 351])
def test_lstm_takes_the_products_of_scales_in_double(seed: int) -> None:
    """Streams in which float32 products would give other bytes."""
    rng = np.random.default_rng(seed)
    reach = (rng.uniform(13, 16), rng.uniform(13, 16))
    case = Lstm(4, 6, 24, False, "any", reach, 2.0**-14, (3, 0), -15, 0.0, True, seed)
    model = case.build()
    x = rng.integers(-128, 128, (60, 1, 4, 6)).astype(np.int8)
    graph = parse_tflite(model, "model")
    values = run_in_order(graph, require_kernels(graph), [x])
    assert np.array_equal(values[graph.outputs[0]], reference(model, [x])[0])

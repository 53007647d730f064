"""Moving tensors: what tflite-micro does not take is compared with numpy; what a forged file asks
for is refused, or stays inside the tensors.
"""

from __future__ import annotations

import os
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, numbers, shapes
from tests.operators.strategies_layout import STRATEGIES, Concatenation, Moved, Split
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.gather import Gather, nearest
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.layout import Copy
from tinytrain.operators.parts import Parts
from tinytrain.operators.rearrange import Axis, StridedCopy, merge_axes
from tinytrain.operators.reduction import ArgMax, Reduction, Sum
from tinytrain.operators.table import require_kernels

DRAWS = int(os.environ.get("DRAWS", "40"))

ranks_5_and_6 = st.lists(st.integers(1, 4), min_size=5, max_size=6).map(tuple)


def outputs_of(model: bytes, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """The emulator's outputs (elements,) for one inference."""
    graph = parse_tflite(model, "model")
    values = run(graph, require_kernels(graph), [x[None] for x in inputs])
    return [values[tensor][0] for tensor in graph.outputs]


def moved(kind: str, x: Any, expected: Any, operands: Any, table: str, **options: Any) -> None:
    case = Moved(kind, x.shape, expected.shape, operands, table, options, 0.5, -3, 0)
    np.testing.assert_array_equal(outputs_of(case.build(), x)[0], expected.reshape(-1))


@settings(max_examples=DRAWS, deadline=None)
@given(st.data(), ranks_5_and_6)
def test_tensors_of_rank_5_and_6_move_as_in_numpy(data: st.DataObject, shape: Any) -> None:
    x = numbers(np.random.default_rng(prod(shape)), shape, "any")
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    moved("TRANSPOSE", x, x.transpose(order), (order,), "TransposeOptions")
    pairs = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in shape)
    padded = np.pad(x, pairs, constant_values=-3)
    moved("PAD", x, padded, (pairs,), "PadOptions")
    mode = data.draw(st.sampled_from(["reflect", "symmetric"]))
    less = int(mode == "reflect")
    fits = tuple(
        tuple(min(p, n - less) for p in pair) for pair, n in zip(pairs, shape, strict=True)
    )
    mirrored = np.pad(x, fits, mode)  # type: ignore[call-overload]
    moved("MIRROR_PAD", x, mirrored, (fits,), "MirrorPadOptions", mode=mode.upper())
    steps = tuple(data.draw(st.sampled_from([-2, -1, 1, 2])) for _ in shape)
    part = x[tuple(slice(None, None, step) for step in steps)]
    zeros, masks = (0,) * len(shape), (1 << len(shape)) - 1
    operands = (zeros, zeros, steps)
    options = {"beginMask": masks, "endMask": masks}
    moved("STRIDED_SLICE", x, part, operands, "StridedSliceOptions", **options)


@settings(max_examples=DRAWS, deadline=None)
@given(ranks_5_and_6, st.integers(0, 4), st.integers(11, 14))
def test_many_parts_of_high_rank_join_and_split_as_in_numpy(
    shape: tuple[int, ...], axis: int, count: int
) -> None:
    rng = np.random.default_rng(count)
    parts = [numbers(rng, shape, "any") for _ in range(count)]
    sizes = (shape[axis],) * count
    whole = np.concatenate(parts, axis=axis)
    join = Concatenation(shape, axis, sizes, ("input",) * count, False, 0.5, 0, 0)
    np.testing.assert_array_equal(outputs_of(join.build(), *parts)[0], whole.reshape(-1))
    split = Split(shape, axis, count, False, (), 0.5, 0, 0)
    for found, part in zip(outputs_of(split.build(), whole), parts, strict=True):
        np.testing.assert_array_equal(found, part.reshape(-1))


@given(shapes(rank=6), st.integers(1, 4))
def test_a_copy_of_neighbours_becomes_one_run(shape: tuple[int, ...], item: int) -> None:
    strides = [item * prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axes = [Axis(size, stride, stride) for size, stride in zip(shape, strides, strict=True)]
    assert merge_axes(axes, item) == ([], item * prod(shape))


@given(st.integers(1, 500), st.integers(1, 500), st.booleans(), st.booleans())
def test_every_nearest_neighbour_lies_in_the_input(
    size: int, outputs: int, align_corners: bool, half_pixel_centers: bool
) -> None:
    found = nearest(size, outputs, align_corners, half_pixel_centers)
    assert found.min() >= 0
    assert found.max() < size
    assert (np.diff(found) >= 0).all()


odd_numbers = st.integers(-9, 9) | st.sampled_from(
    [-(1 << 31), -(1 << 31) + 1, -(1 << 16), 1 << 16, 1 << 26, 1 << 30, (1 << 31) - 1]
)


def forged(draw: Any, graph: Graph) -> Graph:
    """One number of an operand, a shape or an attribute replaced by an odd one."""
    tensors, (operator,) = list(graph.tensors), graph.operators
    integer_attributes = [k for k, v in operator.attributes.items() if isinstance(v, int)]
    constants = [i for i, t in enumerate(tensors) if t.data is not None and t.dtype == "int32"]
    what = draw(st.sampled_from(["constant", "shape", "attribute"]))
    if what == "attribute" and integer_attributes:
        name = draw(st.sampled_from(integer_attributes))
        attributes = {**operator.attributes, name: draw(odd_numbers)}
        return replace(graph, operators=(replace(operator, attributes=attributes),))
    if what == "constant" and constants:
        index = draw(st.sampled_from(constants))
        data = np.array(tensors[index].data)
        data.reshape(-1)[draw(st.integers(0, data.size - 1))] = draw(odd_numbers)
        tensors[index] = replace(tensors[index], data=data)
        return replace(graph, tensors=tuple(tensors))
    places = [i for i, t in enumerate(tensors) if t.data is None and t.shape]
    index = draw(st.sampled_from(places)) if places else None
    if index is not None:
        shape = list(tensors[index].shape)
        shape[draw(st.integers(0, len(shape) - 1))] = draw(st.integers(1, 20))
        tensors[index] = replace(tensors[index], shape=tuple(shape))
    return replace(graph, tensors=tuple(tensors))


def span_of(offset: int, extents: Any, strides: Any, run: int) -> tuple[int, int]:
    """The lowest byte that a strided view touches, and the end of the highest."""
    reaches = [(int(n) - 1) * int(s) for n, s in zip(extents, strides, strict=True)]
    low = offset + sum(min(reach, 0) for reach in reaches)
    return low, offset + sum(max(reach, 0) for reach in reaches) + run


def spans(kernel: Kernel) -> list[tuple[int, tuple[int, int]]]:
    """(tensor, bytes touched) by the parameters alone, as the C kernel reads them."""
    p = kernel.parameters
    (x, *_), (y, *_) = kernel.inputs, kernel.outputs
    found: list[tuple[int, tuple[int, int]]] = []
    if isinstance(p, StridedCopy):
        read = span_of(p.input_offset, p.extent, p.input_stride, p.run)
        written = span_of(p.output_offset, p.extent, p.output_stride, p.run)
        found = [(x, read), (y, written), (y, (0, p.fill_bytes))]
    elif isinstance(p, Gather):
        tables = np.split(p.offset.astype(np.int64), np.cumsum(p.extent)[:-1])
        low, high = sum(int(t.min()) for t in tables), sum(int(t.max()) for t in tables)
        found = [(x, (low, high + p.run)), (y, (0, prod(p.extent.tolist()) * p.run))]
    elif isinstance(p, Parts):
        several, whole = (kernel.inputs, y) if p.input_array else (kernel.outputs, x)
        found = [(t, (0, p.outer * int(n))) for t, n in zip(several, p.bytes, strict=True)]
        found += [(whole, (0, p.outer * int(p.bytes.sum())))]
    elif isinstance(p, Copy):
        found = [(x, (0, p.bytes)), (y, (0, p.bytes))]
    elif isinstance(p, ArgMax):
        outputs = p.outer * p.inner
        found = [(x, (0, outputs * p.depth)), (y, (0, 4 * outputs))]
    elif isinstance(p, Sum | Reduction):
        e = p.extents if isinstance(p, Sum) else p
        outputs = e.outer * e.middle * e.inner
        found = [(x, (0, outputs * e.reduced1 * e.reduced2)), (y, (0, outputs))]
    return found


@pytest.mark.parametrize("kind", STRATEGIES)
def test_a_forged_operand_is_refused_or_stays_inside_the_tensors(kind: str) -> None:
    @settings(max_examples=DRAWS, deadline=None)
    @given(st.data(), STRATEGIES[kind])
    def check(data: st.DataObject, case: Case) -> None:
        graph = forged(data.draw, parse_tflite(case.build(), "model"))
        try:
            (kernel,) = require_kernels(graph)
        except InputError:
            return
        for tensor, (low, end) in spans(kernel):
            assert low >= 0
            assert end <= graph.tensors[tensor].bytes
        inputs = [np.zeros((1, graph.tensors[t].elements), np.int8) for t in graph.inputs]
        values = run(graph, (kernel,), inputs)
        for tensor in graph.outputs:
            assert values[tensor].shape == (1, graph.tensors[tensor].elements)

    check()


def concatenation_of_unequal_scales() -> bytes:
    tensors = [Tensor((1, 2), scale=scale) for scale in (0.5, 0.25)] + [Tensor((1, 4), scale=0.5)]
    operator = Operator("CONCATENATION", (0, 1), (2,), "ConcatenationOptions", {"axis": 1})
    return build(tensors, [operator], [0, 1], [2])


def slice_with(**options: Any) -> bytes:
    case = Moved(
        "STRIDED_SLICE", (4,), (4,), ((0,), (4,), (1,)), "StridedSliceOptions", options, 0.5, 0, 0
    )
    return case.build()


REFUSED = {
    "scale 0.25 and zero point 0": concatenation_of_unequal_scales(),
    "new_axis_mask is 1; 0 is supported": slice_with(newAxisMask=1),
    "ellipsis_mask is 1; 0 is supported": slice_with(ellipsisMask=1),
    "(offset) are not supported": slice_with(offset=True),
    "permutation (0, 0)": Moved(
        "TRANSPOSE", (2, 2), (2, 2), ((0, 0),), "TransposeOptions", {}, 0.5, 0, 0
    ).build(),
    "paddings (-1, 0)": Moved(
        "PAD", (3,), (2,), (((-1, 0),),), "PadOptions", {}, 0.5, 0, 0
    ).build(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_supported_is_named(message: str) -> None:
    graph = parse_tflite(REFUSED[message], "model")
    with pytest.raises(InputError, match=r"operator 0 \(\w+\)") as caught:
        require_kernels(graph)
    assert message in str(caught.value)

"""A plan never lets two tensors meet that are alive at once, and is as small as it claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.models import Operator, Tensor, build
from tinytrain.converters.tflite import parse_tflite, read_tflite
from tinytrain.emulator.inference import run
from tinytrain.emulator.kernels import evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.table import require_kernels
from tinytrain.plan.memory import ALIGNMENT, MemoryPlan, Placement, plan_memory

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"

ONE_PIXEL = {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}


@st.composite
def networks(draw: st.DrawFn) -> bytes:
    """A random directed graph of images: branches, joins, several inputs, several outputs."""
    images = [draw(shapes) for _ in range(draw(st.integers(1, 3)))]
    tensors = [Tensor(shape, scale=0.5) for shape in images]
    inputs = range(len(tensors))
    is_image = {i: True for i in inputs}
    operators: list[Operator] = []
    for _ in range(draw(st.integers(1, 12))):
        source = draw(st.sampled_from(sorted(is_image)))
        operator, result = draw(operations(source, tensors))
        first = len(tensors)
        tensors += result
        operators.append(operator)
        is_image[first] = True
    written = sorted(i for i in is_image if i not in inputs)
    outputs = draw(st.lists(st.sampled_from(written), min_size=1, max_size=3, unique=True))
    kept = draw(st.booleans())
    if kept and written[-1] not in outputs:
        outputs.append(written[-1])
    return build(tensors, operators, list(inputs), outputs)


shapes = st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))


@st.composite
def operations(
    draw: st.DrawFn, source: int, tensors: Sequence[Tensor]
) -> tuple[Operator, list[Tensor]]:
    """An operator on tensor `source`, and its output followed by its constants."""
    shape = tensors[source].shape
    y = len(tensors)
    kind = draw(st.sampled_from(["ADD", "RESHAPE", "CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"]))
    if kind == "ADD":
        same = [i for i, t in enumerate(tensors) if t.shape == shape and t.data is None]
        other = draw(st.sampled_from(same))
        pair = draw(st.permutations([source, other]))
        return Operator("ADD", tuple(pair), (y,), "AddOptions"), [Tensor(shape, scale=0.75)]
    if kind == "RESHAPE":
        new = (1, shape[2], shape[1], shape[3])
        result = Tensor(new, scale=tensors[source].scale, zero_point=tensors[source].zero_point)
        return Operator("RESHAPE", (source,), (y,), "ReshapeOptions"), [result]
    if kind == "CONV_2D":
        channels = draw(st.integers(1, 8))
        weights = np.random.default_rng(y).integers(-127, 128, (channels, 1, 1, shape[3]))
        result = Tensor((*shape[:3], channels), scale=20.0)
        constant = Tensor(weights.shape, scale=0.5, data=weights)
        options = {"strideH": 1, "strideW": 1}
        return Operator("CONV_2D", (source, y + 1), (y,), "Conv2DOptions", options), [
            result,
            constant,
        ]
    stride = draw(st.integers(1, 2))
    options = {**ONE_PIXEL, "strideH": stride, "strideW": stride, "filterWidth": stride}
    size = (-(-shape[1] // stride), -(-shape[2] // stride))
    result = Tensor((1, *size, shape[3]), scale=tensors[source].scale)
    return Operator(kind, (source,), (y,), "Pool2DOptions", options), [result]


Prepared = tuple[Graph, tuple[Kernel, ...], MemoryPlan]


def prepare(model: bytes) -> Prepared:
    graph = parse_tflite(model, "network")
    kernels = require_kernels(graph)
    return graph, kernels, plan_memory(graph, kernels)


prepared = networks().map(prepare)


def alive(place: Placement, step: int) -> bool:
    return place.first <= step <= place.last


def overlap(a: Placement, b: Placement) -> bool:
    return a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes


def uses(graph: Graph, kernels: Sequence[Kernel], tensor: int) -> tuple[int, int]:
    """When a tensor is written and when it is read last, counted from the graph alone."""
    steps = [k.index for k in kernels if tensor in k.inputs or tensor in k.outputs]
    first = -1 if tensor in graph.inputs else steps[0]
    last = len(kernels) if tensor in graph.outputs else max([0, *steps])
    return first, last


@given(prepared)
@settings(deadline=None)
def test_every_activation_has_a_place_inside_the_arena_for_its_whole_life(
    model: Prepared,
) -> None:
    graph, kernels, plan = model
    used = {t for k in kernels for t in (*k.inputs, *k.outputs)} | set(graph.inputs)
    assert set(plan.placements) == used
    for tensor, place in plan.placements.items():
        assert (place.tensor, place.bytes) == (tensor, graph.tensors[tensor].bytes)
        assert place.offset % ALIGNMENT == 0
        assert 0 <= place.offset <= place.offset + place.bytes <= plan.arena_bytes
        assert (place.first, place.last) == uses(graph, kernels, tensor)


@given(prepared)
@settings(deadline=None, max_examples=300)
def test_tensors_alive_at_once_meet_only_where_and_as_far_as_an_operator_lets_them(
    model: Prepared,
) -> None:
    _, kernels, plan = model
    places = list(plan.placements.values())
    for i, a in enumerate(places):
        for b in places[:i]:
            early, late = sorted((a, b), key=lambda place: place.first)
            if not overlap(a, b) or late.first > early.last:
                continue
            assert early.last == late.first >= 0, (early, late)
            writer = kernels[late.first]
            assert (early.tensor, late.tensor) in product(writer.inputs, writer.outputs)
            assert early.offset - late.offset >= writer.leads[early.tensor]


@given(prepared)
@settings(deadline=None, max_examples=300)
def test_one_arena_gives_the_bytes_of_separate_buffers(model: Prepared) -> None:
    """The emulator at the planned offsets, as the device runs: from an arena full of rubbish."""
    graph, kernels, plan = model
    rng = np.random.default_rng(0)
    inputs = [
        rng.integers(-128, 128, (1, graph.tensors[t].elements)).astype(np.int8)
        for t in graph.inputs
    ]
    expected = run(graph, kernels, inputs)
    arena = rng.integers(-128, 128, plan.arena_bytes).astype(np.int8)

    def at(tensor: int) -> NDArray[np.int8]:
        place = plan.placements[tensor]
        return arena[place.offset : place.offset + place.bytes]

    for tensor, x in zip(graph.inputs, inputs, strict=True):
        at(tensor)[:] = x[0]
    for kernel in kernels:
        arguments = [at(tensor)[None].copy() for tensor in kernel.inputs]
        at(kernel.outputs[0])[:] = evaluate(kernel.parameters, *arguments)[0]
    for tensor in graph.outputs:
        np.testing.assert_array_equal(at(tensor), expected[tensor][0])


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@given(prepared)
@settings(deadline=None)
def test_overlap_never_makes_an_arena_larger(model: Prepared) -> None:
    graph, kernels, plan = model
    in_place = [
        replace(kernel, leads={t: n for t, n in kernel.leads.items() if n == 0})
        for kernel in kernels
    ]
    assert plan.arena_bytes <= plan_memory(graph, in_place).arena_bytes


@given(prepared)
@settings(deadline=None)
def test_the_arena_is_no_larger_than_all_tensors_side_by_side(model: Prepared) -> None:
    _, kernels, plan = model
    sizes = {place.tensor: aligned(place.bytes) for place in plan.placements.values()}
    assert max(sizes.values()) <= plan.arena_bytes <= sum(sizes.values())
    together = [
        sum(aligned(place.bytes) for place in plan.placements.values() if alive(place, step))
        for step in range(len(kernels))
    ]
    assert plan.live_peak == max(together)


def chain(sizes: Sequence[int], kind: str = "MAX_POOL_2D") -> Prepared:
    """Row images of one channel, each `stride` times smaller than the one before."""
    tensors = [Tensor((1, 1, size, 1), scale=0.5) for size in sizes]
    operators = [
        Operator(
            kind,
            (i,),
            (i + 1,),
            "Pool2DOptions",
            {**ONE_PIXEL, "strideW": a // b, "filterWidth": a // b},
        )
        for i, (a, b) in enumerate(pairwise(sizes))
    ]
    return prepare(build(tensors, operators, [0], [len(sizes) - 1]))


def test_a_chain_of_shrinking_layers_needs_its_input_and_one_pixel() -> None:
    _, _, plan = chain([64, 32, 16, 8, 8, 8, 4])
    assert plan.live_peak == 96
    assert plan.arena_bytes == 64 + ALIGNMENT


@pytest.mark.parametrize("factor", [1, 2])
def test_a_convolution_at_the_peak_needs_its_larger_side_and_a_pixel_of_it(factor: int) -> None:
    image, channels = (1, 10, 10, 4), 4 * factor
    weights = Tensor((channels, 1, 1, 4), scale=1.0, data=np.ones((channels, 1, 1, 4)))
    tensors = [Tensor(image, scale=0.5), Tensor((*image[:3], channels), scale=8.0), weights]
    options = {"strideH": 1, "strideW": 1}
    operator = Operator("CONV_2D", (0, 2), (1,), "Conv2DOptions", options)
    _, _, plan = prepare(build(tensors, [operator], [0], [1]))
    assert plan.arena_bytes == 100 * channels + 4


def test_reshapes_and_additions_cost_nothing() -> None:
    shape = (1, 40)
    tensors = [Tensor(shape, scale=0.5) for _ in range(4)]
    operators = [
        Operator("RESHAPE", (0,), (1,), "ReshapeOptions"),
        Operator("ADD", (1, 1), (2,), "AddOptions"),
        Operator("RESHAPE", (2,), (3,), "ReshapeOptions"),
    ]
    _, _, plan = prepare(build(tensors, operators, [0], [3]))
    assert plan.arena_bytes == 40


def test_an_input_that_is_also_an_output_is_kept() -> None:
    tensors = [Tensor((1, 40), scale=0.5) for _ in range(2)]
    add = Operator("ADD", (0, 0), (1,), "AddOptions")
    _, _, plan = prepare(build(tensors, [add], [0], [0, 1]))
    assert plan.arena_bytes == 80


def test_a_residual_block_adds_onto_the_branch_that_dies() -> None:
    image = (1, 8, 8, 4)
    weights = Tensor((4, 1, 1, 4), scale=1.0, data=np.ones((4, 1, 1, 4)))
    one = {"strideH": 1, "strideW": 1}
    tensors = [Tensor(image, scale=0.5), Tensor(image, scale=0.5), weights]
    tensors.append(Tensor(image, scale=0.5))
    operators = [
        Operator("CONV_2D", (0, 2), (1,), "Conv2DOptions", one),
        Operator("ADD", (0, 1), (3,), "AddOptions"),
    ]
    _, _, plan = prepare(build(tensors, operators, [0], [3]))
    assert plan.arena_bytes == 2 * 256


PUBLISHED = {"ad01_int8.tflite": (768, 768), "kws_ref_model.tflite": (16_000, 10_048)}
"""The most bytes alive at once, and the arena."""


@pytest.mark.parametrize("file", PUBLISHED)
def test_the_arena_of_a_published_model(file: str) -> None:
    if not MODELS.is_dir():
        pytest.skip("the published models are not beside the repository")
    graph = read_tflite(MODELS / file)
    plan = plan_memory(graph, require_kernels(graph))
    assert (plan.live_peak, plan.arena_bytes) == PUBLISHED[file]

"""CONCATENATION and SPLIT: several tensors as the parts of one, along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.graph import ITEM_BYTES
from tinytrain.operators.kernel import Kernel, Parameters, Reading
from tinytrain.operators.layout import MOVABLE, axis_of, one_integer, same_quantization


@dataclass(frozen=True, eq=False)
class Parts(Parameters):
    """The whole is `outer` rows, each a run of bytes of every part in turn."""

    structure: ClassVar[str] = "tt_parts"
    outer: int
    parts: int
    bytes: npt.NDArray[np.int32]
    """[parts], of one run."""


class Concatenate(Parts):
    function: ClassVar[str] = "tt_concatenate"
    input_array: ClassVar[bool] = True


class Split(Parts):
    function: ClassVar[str] = "tt_split"
    output_array: ClassVar[bool] = True


def lower_concatenation(reading: Reading) -> Kernel:
    """Inputs may be constants. All have the output's scale and zero point: nothing is rescaled.

    (TensorFlow Lite Micro copies int8 with other scales as well, which gives wrong numbers.)
    """
    reading.count((1, len(reading.operator.inputs)))
    reading.choice("activation", ("NONE",))
    y = reading.operator.outputs[0]
    whole = reading.graph.tensors[y].shape
    axis = axis_of(reading, reading.integer("axis", -len(whole), len(whole) - 1), len(whole))
    inputs = [reading.input_index(i) for i in range(len(reading.operator.inputs))]
    for position in range(len(inputs)):
        same_quantization(reading, position)
    parameters = Concatenate(*_parts(reading, inputs, y, axis))
    return Kernel(reading.index, reading.operator.kind, parameters, tuple(inputs), (y,))


def lower_split(reading: Reading) -> Kernel:
    outputs = reading.operator.outputs
    reading.count((2, 2), len(outputs))
    reading.integer("num_splits", len(outputs), len(outputs))
    x, tensor, _ = reading.activation(1, MOVABLE)
    axis = axis_of(reading, one_integer(reading, 0), len(tensor.shape))
    for position in range(len(outputs)):
        same_quantization(reading, 1, position)
    sizes = {reading.graph.tensors[y].shape for y in outputs}
    if len(sizes) > 1:
        raise reading.fail(f"outputs of different shapes, {sorted(sizes)}")
    parameters = Split(*_parts(reading, outputs, x, axis))
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), outputs)


def _parts(
    reading: Reading, parts: Sequence[int], whole: int, axis: int
) -> tuple[int, int, npt.NDArray[np.int32]]:
    """Rows, number of parts and bytes of each part's run, once all shapes fit together."""
    tensors = reading.graph.tensors
    shape = tensors[whole].shape
    for part in parts:
        found = tensors[part].shape
        if found[:axis] + found[axis + 1 :] != shape[:axis] + shape[axis + 1 :]:
            raise reading.fail(
                f"{reading.name(part)} has shape {found}, {reading.name(whole)} {shape}; they may "
                f"differ along axis {axis} alone"
            )
    if len({len(tensors[part].shape) for part in (*parts, whole)}) > 1 or shape[axis] != sum(
        tensors[part].shape[axis] for part in parts
    ):
        raise reading.fail(f"its parts do not add up to {shape[axis]} along axis {axis}")
    item = ITEM_BYTES[tensors[whole].dtype]
    runs = [prod(tensors[part].shape[axis:]) * item for part in parts]
    return prod(shape[:axis]), len(parts), np.array(runs, np.int32)

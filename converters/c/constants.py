"""A model's constants in flash."""

from __future__ import annotations

from dataclasses import replace
from struct import pack

import numpy as np

from tinytrain.converters.c.calls import chain_structs, is_nothing
from tinytrain.converters.c.names import block_name, operand_name, statistics_name, struct_name
from tinytrain.converters.c.source import ConstantArray, ConstantBlock, ConstantStruct, constants_of
from tinytrain.converters.c.stream import stream_constants
from tinytrain.head import Head
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel, Parameters
from tinytrain.plan.memory import Placement
from tinytrain.statistics import LayerStatistics, Statistics
from tinytrain.variants.fast import FastConvolution

READ_BEHIND = 3
"""Bytes that fast kernels may read behind the weights."""


def constant_blocks(model: Model) -> tuple[ConstantBlock, ...]:
    """Everything in flash that a device can read back, in the order in which it numbers it."""
    arrays, structs = constants_in_flash(model)
    if model.statistics is not None:
        structs.append(statistics_plan(model, model.statistics))
    for chain in model.memory.chains:
        structs += chain_structs(model, chain)
    return (
        *(_array_block(array) for array in arrays),
        *(run for struct in structs for run in struct.runs),
        *(_slot_block(name, slots) for name, slots in slots_of(model).items()),
    )


def constants_in_flash(model: Model) -> tuple[list[ConstantArray], list[ConstantStruct]]:
    """Everything in flash. The head shares the arrays of the layer that it replaces."""
    arrays = _operand_constants(model) + _initial_values(model)
    structs: list[ConstantStruct] = []
    layers = model.statistics.layers if model.statistics else ()
    renewed = {layer.operator_index for layer in layers}
    for kernel in model.kernels:
        if not is_nothing(model, kernel):
            found, struct = _kernel_constants(model, kernel)
            arrays += found
            structs.append(replace(struct, constant=kernel.index not in renewed))
    for layer in layers:
        found, layer_structs = _layer_statistics(model, layer)
        arrays += found
        structs += layer_structs
    if model.head is not None:
        found, struct = _head_constants(model, model.head)
        arrays += found
        structs.append(struct)
    for part, parameters in learner_constants(model).items():
        found, struct = constants_of(parameters, f"{model.name}_{part}")
        arrays += found
        structs.append(struct)
    if model.stream is not None:
        found, stream_structs = stream_constants(model, model.stream)
        arrays += found
        structs += stream_structs
    return arrays, structs


def slots_of(model: Model) -> dict[str, list[Placement]]:
    """The tables of stretches of the arena, by their names in C."""
    place = model.memory.placements
    return {
        f"{model.name}_inputs": [place[tensor] for tensor in model.graph.inputs],
        f"{model.name}_outputs": [place[tensor] for tensor in model.graph.outputs],
        f"{model.name}_operator_outputs": [
            # Inside a chain there is no whole output.
            place.get(
                kernel.outputs[0], Placement(kernel.outputs[0], 0, 0, kernel.index, kernel.index)
            )
            for kernel in model.kernels
        ],
    }


def learner_constants(model: Model) -> dict[str, Parameters]:
    """The learner's parts beside the head, by the names that they have in tt_learner_parts."""
    learner = model.learner
    if learner is None:
        return {}
    parts = {"rules": learner.rules, "lda": learner.lda, "drift": learner.drift}
    return {name: part for name, part in parts.items() if part is not None}


def statistics_plan(model: Model, statistics: Statistics) -> ConstantStruct:
    name = f"{model.name}_statistics"
    return constants_of(statistics.plan, name, f"{name}.plan")[1]


def _operand_constants(model: Model) -> list[ConstantArray]:
    """Constant tensors that operators read as they read activations."""
    read = dict.fromkeys(tensor for kernel in model.kernels for tensor in kernel.inputs)
    found = ((tensor, model.graph.tensors[tensor].data) for tensor in read)
    return [
        ConstantArray(operand_name(model, tensor), data)
        for tensor, data in found
        if data is not None
    ]


def _initial_values(model: Model) -> list[ConstantArray]:
    """Values of variables at the start, where they are not one byte over and over."""
    tensors = model.graph.tensors
    found = (
        (operand_name(model, tensor), tensors[tensor].initial) for tensor in model.graph.variables
    )
    return [ConstantArray(name, initial) for name, initial in found if initial is not None]


def _kernel_constants(model: Model, kernel: Kernel) -> tuple[list[ConstantArray], ConstantStruct]:
    """What an operator's kernel reads."""
    variant = model.variants[kernel.index]
    arrays, struct = constants_of(variant.parameters, struct_name(model, kernel))
    if variant.block is None:
        return arrays, struct
    arrays = [
        replace(array, dsp=variant.dsp.get(array.name.removeprefix(f"{struct.name}_")))
        for array in arrays
    ]
    read_behind = [
        replace(array, behind=READ_BEHIND) if array.name.endswith("_weights") else array
        for array in arrays
    ]
    block = f"TT_BLOCK({block_name(model, variant.block)})"
    return read_behind, replace(struct, members=(*struct.members, ("block", block)))


def _head_constants(model: Model, head: Head) -> tuple[list[ConstantArray], ConstantStruct]:
    found, struct = constants_of(head.constants, f"{model.name}_head")
    layer = struct_name(model, model.kernels[head.operator])
    there = {array.name for array in _kernel_constants(model, model.kernels[head.operator])[0]}
    parts = [part for part in ("weights", "bias") if f"{layer}_{part}" in there]
    shared = {f"{struct.name}_{part}": f"{layer}_{part}" for part in parts}
    members = tuple((member, shared.get(value, value)) for member, value in struct.members)
    own = [array for array in found if array.name not in shared]
    return own, replace(struct, members=members)


def _layer_statistics(
    model: Model, layer: LayerStatistics
) -> tuple[list[ConstantArray], list[ConstantStruct]]:
    """A layer whose statistics are re-estimated: its constants, and those of its convolution."""
    kernel = model.kernels[layer.operator_index]
    name, used = statistics_name(model, layer), struct_name(model, kernel)
    arrays, training = constants_of(layer, name, f"{name}.training")
    structs: list[ConstantStruct] = []
    runs = [("plain", f"&{used}")]
    convolution = used
    if isinstance(model.variants[kernel.index].parameters, FastConvolution):
        runs = [("fast", f"&{used}"), ("channels", f"{used}_channels")]
        convolution = f"{name}_convolution"
        found, struct = _plain_convolution(kernel, convolution, f"{used}_weights")
        arrays += found
        structs.append(struct)
    members = (
        ("training", training.initializer),
        ("input_offset", str(model.memory.placements[kernel.inputs[0]].offset)),
        ("convolution", f"&{convolution}"),
        *((member, f"{convolution}_{member}") for member in ("bias", "multiplier", "shift")),
        *runs,
    )
    return arrays, [*structs, replace(training, type="tt_statistics_layer", members=members)]


def _plain_convolution(
    kernel: Kernel, name: str, weights: str
) -> tuple[list[ConstantArray], ConstantStruct]:
    """What a plain kernel would read; `weights`: those that the fast one has."""
    arrays, struct = constants_of(kernel.parameters, name)
    members = tuple(
        (member, weights if member == "weights" else value) for member, value in struct.members
    )
    own = [array for array in arrays if array.name != f"{name}_weights"]
    return own, replace(struct, members=members)


def _array_block(array: ConstantArray) -> ConstantBlock:
    data, name = np.ascontiguousarray(array.data), array.name
    dsp = None
    if array.dsp is not None:
        # In an order of its own, in which no field has a name.
        layout = "<i4" if array.dsp.dtype.names else array.dsp.dtype.str
        dsp = ConstantBlock(name, name, array.dsp.tobytes(), layout)
    if data.dtype.names is None:
        return ConstantBlock(
            name, name, data.tobytes(), data.dtype.str, behind=array.behind, dsp=dsp
        )
    labels = tuple(f"{part} of {i}" for i in range(data.size) for part in data.dtype.names)
    return ConstantBlock(name, name, data.tobytes(), f"<{len(labels)}i", labels, array.behind, dsp)


def _slot_block(name: str, slots: list[Placement]) -> ConstantBlock:
    layout = f"<{2 * len(slots)}I"
    data = pack(layout, *(number for slot in slots for number in (slot.offset, slot.bytes)))
    labels = tuple(
        f"{part} of {index}" for index in range(len(slots)) for part in ("offset", "bytes")
    )
    return ConstantBlock(name, name, data, layout, labels)

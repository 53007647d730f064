"""Writes a model as a self-contained C project.

The project's layout, every file of it, is described in DESIGN.md ("The C project").
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from struct import pack
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from tinytrain import __version__
from tinytrain.converters.c.source import (
    C_TYPES,
    ConstantArray,
    ConstantBlock,
    ConstantStruct,
    constants_of,
    struct_of,
    wrapped,
)
from tinytrain.converters.formats import Source
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import AudioConstants, StreamPlan
from tinytrain.frontend.file import FRONTEND_FILE, frontend_bytes
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import channels_of, working_bytes
from tinytrain.graph import Tensor
from tinytrain.head import Head
from tinytrain.learner import Kind, LearnerParts
from tinytrain.learner_file import LEARNER_FILE, learner_bytes
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel, Parameters
from tinytrain.operators.layout import Copy
from tinytrain.plan.chains import Chain, layer_of
from tinytrain.plan.memory import Placement
from tinytrain.statistics import STATISTICS_FILE, LayerStatistics, Statistics
from tinytrain.variants.choose import Block

MANIFEST_FORMAT = 2

RUNTIME_PARTS = ("include", "src", "app", "port")


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs (n, input bytes) and the outputs (n, output bytes) that belong to them."""

    inputs: npt.NDArray[np.uint8]
    outputs: npt.NDArray[np.uint8]


def write_project(model: Model, source: Source, golden: Golden, directory: Path) -> None:
    """Writes the whole project into `directory`, which exists and is empty."""
    (directory / source.kept_as).write_bytes(source.data)
    manifest = json.dumps(manifest_of(model, source), indent=2)
    if model.learner is not None:
        (directory / LEARNER_FILE).write_bytes(learner_bytes(model.learner))
    (directory / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
    if model.statistics is not None:
        (directory / STATISTICS_FILE).write_bytes(model.statistics.stored)
    if model.stream is not None:
        (directory / FRONTEND_FILE).write_bytes(frontend_bytes(model.stream))
    np.savez_compressed(directory / "golden.npz", x=golden.inputs, y=golden.outputs)
    _write_model(model, golden, directory / "model")
    _copy_runtime(directory)


def firmware_files() -> Path:
    """The runtime's sources, in the repository as in an installed package."""
    return Path(str(resources.files("tinytrain"))) / "firmware"


def _copy_runtime(directory: Path) -> None:
    source = firmware_files()
    for part in RUNTIME_PARTS:
        shutil.copytree(source / part, directory / "runtime" / part, copy_function=shutil.copyfile)
    shutil.copyfile(source / "project.mk", directory / "Makefile")
    shutil.copyfile(source / "LICENSE", directory / "runtime" / "LICENSE")


def _write_model(model: Model, golden: Golden, directory: Path) -> None:
    directory.mkdir()
    compiler = f"# What the model was converted for.\nOPTIMIZE ?= {model.optimize.compiler}\n"
    files = {**model_files(model), **_golden_files(model, golden), "model.mk": compiler}
    for file, text in files.items():
        (directory / file).write_text(text, encoding="utf-8")


def model_files(model: Model) -> dict[str, str]:
    """The model as C, NAME.c and NAME.h, by file name."""
    return _render(
        {"model.c.j2": f"{model.name}.c", "name.h.j2": f"{model.name}.h"}, _template_values(model)
    )


def _golden_files(model: Model, golden: Golden) -> dict[str, str]:
    """The files whose names are the same in every project, by file name."""
    pairs = zip(golden.inputs, golden.outputs, strict=True)
    values = {
        **_template_values(model),
        "golden": [{"input": _bytes(x), "output": _bytes(y)} for x, y in pairs],
    }
    files = ("model.h", "golden.h", "golden.c")
    return _render({f"{file}.j2": file for file in files}, values)


def _render(files: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """The text of each file; `files` maps a template's name to the file's."""
    return {
        file: _templates().get_template(template).render(values) for template, file in files.items()
    }


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tinytrain.converters.c"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=False,
        autoescape=False,
    )


def _template_values(model: Model) -> dict[str, Any]:
    arrays, structs = _constants(model)
    head = model.head
    graph, placements = model.graph, model.memory.placements
    return {
        "note": f"Generated by tinytrain {__version__} from {_comment(graph.name)} "
        f"(SHA-256 {model.source_sha256[:16]}...).",
        "name": model.name,
        "macro": model.name.upper(),
        "source_hash": model.source_sha256[:8],
        "blocks_made": _blocks(model),
        "arrays": arrays,
        "structs": structs,
        "variables": [_variable(model, tensor) for tensor in graph.variables],
        "calls": [_call(model, kernel) for kernel in model.kernels],
        "chains": [_chain_links(model, chain) for chain in model.memory.chains],
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "slots": [{"name": name, "slots": slots} for name, slots in _slots(model).items()],
        "blocks": constant_blocks(model),
        "input_lines": [_describe(tensor) for tensor in model.inputs],
        "output_lines": [_describe(tensor) for tensor in model.outputs],
        "scales": [
            (
                which,
                f"{float(tensors[0].quantization.scale[0]).hex()}f",
                int(tensors[0].quantization.zero_point[0]),
            )
            for which, tensors in (("INPUT", model.inputs), ("OUTPUT", model.outputs))
            if len(tensors) == 1 and tensors[0].quantization is not None
        ],
        "input_bytes": model.input_bytes,
        "output_bytes": model.output_bytes,
        "arena_bytes": model.memory.arena_bytes,
        "head_operator": model.head_operator,
        "head_name": f"{model.name}_head" if head else "",
        "learner": _learner_values(model),
        "features_offset": placements[head.feature_tensor].offset if head else 0,
        "classes": head.constants.classes if head else 0,
        "capacity": head.constants.capacity if head else 0,
        "feature_count": head.constants.features if head else 0,
        "wide": head.constants.wide if head else 0,
        "stream": None if model.stream is None else _stream_values(model.stream),
        "statistics": None if model.statistics is None else _statistics(model, model.statistics),
    }


def _bytes(row: npt.NDArray[np.uint8]) -> str:
    return wrapped(str(value) for value in row.tolist())


def _comment(text: str) -> str:
    """Text of the user's that is safe inside a C comment."""
    printable = "".join(c if c.isprintable() and c.isascii() else "?" for c in text)
    return printable.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")[:80]


def _describe(tensor: Tensor) -> str:
    found = tensor.quantization
    scale = (
        f", scale {float(found.scale[0]):.8g}, zero point {found.zero_point[0]}" if found else ""
    )
    shape = "x".join(str(extent) for extent in tensor.shape)
    return f"'{_comment(tensor.name)}' {shape} {tensor.dtype}{scale}"


def _constants(model: Model) -> tuple[list[ConstantArray], list[ConstantStruct]]:
    """Everything in flash. The head shares the arrays of the layer that it replaces."""
    arrays = _operand_constants(model) + _initial_values(model)
    structs: list[ConstantStruct] = []
    layers = model.statistics.layers if model.statistics else ()
    renewed = {layer.operator_index for layer in layers}
    for kernel in model.kernels:
        if not _is_nothing(model, kernel):
            found, struct = _kernel_constants(model, kernel)
            arrays += found
            structs.append(replace(struct, constant=kernel.index not in renewed))
    for layer in layers:
        found, struct = _layer_statistics(model, layer)
        arrays += found
        structs.append(struct)
    if model.head is not None:
        found, struct = _head_constants(model, model.head)
        arrays += found
        structs.append(struct)
    for part, parameters in _learner_constants(model).items():
        found, struct = constants_of(parameters, f"{model.name}_{part}")
        arrays += found
        structs.append(struct)
    if model.stream is not None:
        found, stream_structs = _stream_constants(model, model.stream)
        arrays += found
        structs += stream_structs
    return arrays, structs


def _kernel_constants(model: Model, kernel: Kernel) -> tuple[list[ConstantArray], ConstantStruct]:
    """What an operator's kernel reads."""
    variant = model.variants[kernel.index]
    arrays, struct = constants_of(variant.parameters, _struct_name(model, kernel))
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
    block = f"TT_BLOCK({_block_name(model, variant.block)})"
    return read_behind, replace(struct, members=(*struct.members, ("block", block)))


READ_BEHIND = 3
"""Bytes that fast kernels may read behind the weights."""


def _block_name(model: Model, block: Block) -> str:
    return f"{model.name}_{block.name}"


def _blocks(model: Model) -> list[str]:
    """The inner loops made for this model's shapes, each once."""
    blocks = dict.fromkeys(variant.block for variant in model.variants if variant.block)
    return [
        f"{block.macro}({', '.join([_block_name(model, block), *map(str, block.arguments)])});"
        for block in blocks
    ]


def _stream_constants(
    model: Model, plan: StreamPlan
) -> tuple[list[ConstantArray], list[ConstantStruct]]:
    """The front end's constants, and the stream's, whose struct holds the smoother's."""
    arrays, constants = constants_of(plan.frontend, f"{model.name}_{_frontend_kind(plan)}")
    name = f"{model.name}_stream"
    found, smoother = constants_of(plan.smoother, f"{model.name}_smoother", f"{name}.smoother")
    members = (
        ("frontend", f"&{model.name}_frontend"),
        ("frames", str(plan.frames)),
        ("stride", str(plan.stride)),
        ("classes", str(plan.classes)),
        ("ring_capacity", str(plan.ring_capacity)),
        ("smoother", smoother.initializer),
    )
    numbers = tuple(member for member, _ in members[1:5])
    values = pack("<4i", plan.frames, plan.stride, plan.classes, plan.ring_capacity)
    own = ConstantBlock(name, f"&{name}.frames", values, "<4i", numbers)
    stream = ConstantStruct(name, "tt_stream_constants", members, (own, *smoother.runs))
    return [*arrays, *found], [constants, _frontend_struct(model, plan), stream]


def _frontend_struct(model: Model, plan: StreamPlan) -> ConstantStruct:
    kind, name = _frontend_kind(plan), f"{model.name}_frontend"
    numbers = {
        "hash": frontend_hash(plan.frontend),
        "channels": channels_of(plan.frontend),
        "outputs": plan.frontend.outputs,
        "bytes": working_bytes(plan.frontend),
    }
    members = (
        ("functions", f"&tt_{kind}_frontend"),
        (kind, f"&{model.name}_{kind}"),
        *(
            (member, f"{value}u" if member == "hash" else str(value))
            for member, value in numbers.items()
        ),
    )
    data = pack("<I3i", *numbers.values())
    run = ConstantBlock(name, f"&{name}.hash", data, "<I3i", tuple(numbers))
    return ConstantStruct(name, "tt_frontend", members, (run,))


def _frontend_kind(plan: StreamPlan) -> str:
    return "audio" if isinstance(plan.frontend, AudioConstants) else "motion"


def _stream_values(plan: StreamPlan) -> dict[str, Any]:
    """What the templates say of the front end and the stream."""
    frontend = plan.frontend
    return {
        "hash": f"{frontend_hash(frontend):08x}",
        "outputs": frontend.outputs,
        "classes": plan.classes,
        "bytes": f"TT_STREAM_BYTES({working_bytes(frontend)}u, {plan.ring_capacity}u, "
        f"{channels_of(frontend)}u, {plan.frames}u, {frontend.outputs}u, "
        f"{plan.smoother.average}u, {plan.classes}u)",
    }


def _learner_constants(model: Model) -> dict[str, Parameters]:
    """The learner's parts beside the head, by the names that they have in tt_learner_parts."""
    learner = model.learner
    if learner is None:
        return {}
    parts = {"rules": learner.rules, "lda": learner.lda, "drift": learner.drift}
    return {name: part for name, part in parts.items() if part is not None}


def _learner_values(model: Model) -> dict[str, Any] | None:
    """What the template makes of a learner; None without one."""
    learner = model.learner
    if learner is None:
        return None
    sizes = (
        f"{learner.head.capacity}, {learner.head.features}, {learner.head.wide}, "
        f"{learner.rules.slots}, {learner.copies}, "
        f"{int(learner.analytic is not None)}, {int(learner.blended)}"
    )
    return {
        "parts": {part: f"&{model.name}_{part}" for part in _learner_constants(model)},
        "analytic": learner.analytic is not None,
        "bytes": f"TT_LEARNER_PLACED_BYTES({sizes})",
        "state_bytes": f"TT_LEARNER_STATE_BYTES({sizes})",
    }


def _operand_constants(model: Model) -> list[ConstantArray]:
    """Constant tensors that operators read as they read activations."""
    read = dict.fromkeys(tensor for kernel in model.kernels for tensor in kernel.inputs)
    found = ((tensor, model.graph.tensors[tensor].data) for tensor in read)
    return [
        ConstantArray(_operand_name(model, tensor), data)
        for tensor, data in found
        if data is not None
    ]


def _initial_values(model: Model) -> list[ConstantArray]:
    """Values of variables at the start, where they are not one byte over and over."""
    tensors = model.graph.tensors
    found = (
        (_operand_name(model, tensor), tensors[tensor].initial) for tensor in model.graph.variables
    )
    return [ConstantArray(name, initial) for name, initial in found if initial is not None]


def _variable(model: Model, index: int) -> dict[str, Any]:
    """A variable's place and its value at the start: an array, or a byte to fill it with."""
    tensor = model.graph.tensors[index]
    given = tensor.initial is not None
    return {
        "place": model.memory.placements[index],
        "initial": _operand_name(model, index) if given else None,
        "fill": 0 if given else int(tensor.initial_value.view(np.uint8)[0]),
    }


def _head_constants(model: Model, head: Head) -> tuple[list[ConstantArray], ConstantStruct]:
    found, struct = constants_of(head.constants, f"{model.name}_head")
    layer = _struct_name(model, model.kernels[head.operator])
    there = {array.name for array in _kernel_constants(model, model.kernels[head.operator])[0]}
    parts = [part for part in ("weights", "bias") if f"{layer}_{part}" in there]
    shared = {f"{struct.name}_{part}": f"{layer}_{part}" for part in parts}
    members = tuple((member, shared.get(value, value)) for member, value in struct.members)
    own = [array for array in found if array.name not in shared]
    return own, replace(struct, members=members)


def _layer_statistics(
    model: Model, layer: LayerStatistics
) -> tuple[list[ConstantArray], ConstantStruct]:
    """A layer whose statistics are re-estimated: its constants, and those of its convolution."""
    kernel = model.kernels[layer.operator_index]
    convolution = _struct_name(model, kernel)
    name = _statistics_name(model, layer)
    arrays, training = constants_of(layer, name, f"{name}.training")
    members = (
        ("training", training.initializer),
        ("input_offset", str(model.memory.placements[kernel.inputs[0]].offset)),
        ("convolution", f"&{convolution}"),
        *((member, f"{convolution}_{member}") for member in ("bias", "multiplier", "shift")),
    )
    return arrays, replace(training, type="tt_statistics_layer", members=members)


def _statistics_name(model: Model, layer: LayerStatistics) -> str:
    return f"{model.name}_statistics_{layer.operator_index}"


def _statistics(model: Model, statistics: Statistics) -> dict[str, Any]:
    """What the templates say of re-estimated statistics."""
    return {
        "layers": [_statistics_name(model, layer) for layer in statistics.layers],
        "plan": _statistics_plan(model, statistics).initializer,
        "bytes": f"TT_STATISTICS_BYTES({statistics.plan.channels}, {statistics.plan.widest})",
    }


def _statistics_plan(model: Model, statistics: Statistics) -> ConstantStruct:
    name = f"{model.name}_statistics"
    return constants_of(statistics.plan, name, f"{name}.plan")[1]


def _struct_name(model: Model, kernel: Kernel) -> str:
    return f"{model.name}_{kernel.index}_{kernel.kind.lower()}"


def _is_nothing(model: Model, kernel: Kernel) -> bool:
    """Whether a kernel only copies a tensor onto itself."""
    if not isinstance(kernel.parameters, Copy):
        return False
    source = model.memory.placements.get(kernel.inputs[0])
    target = model.memory.placements[kernel.outputs[0]]
    return source is not None and source.offset == target.offset


def _call(model: Model, kernel: Kernel) -> dict[str, Any]:
    chain = model.memory.chain_of(kernel.index)
    if chain is not None:
        return _chain_call(model, kernel, chain)
    inputs = [_pointer(model, tensor, "const ") for tensor in kernel.inputs]
    outputs = [_pointer(model, tensor, "") for tensor in (*kernel.outputs, *kernel.state)]
    if kernel.parameters.input_array:
        inputs = [f"(const void *const[]){{{', '.join(inputs)}}}"]
    if kernel.parameters.output_array:
        outputs = [f"(void *const[]){{{', '.join(outputs)}}}"]
    nothing = _is_nothing(model, kernel)
    result = model.graph.tensors[kernel.outputs[0]]
    comment = f"{kernel.kind} -> {_describe(result)}" + (", in place" if nothing else "")
    variant = model.variants[kernel.index]
    arguments = [f"&{_struct_name(model, kernel)}"]
    arguments += ["NULL"] if variant.by_rows else []
    arguments += [*inputs, *outputs]
    arguments += ["scratch"] if variant.scratch else []
    return {
        "index": kernel.index,
        "comment": comment,
        "reason": f"{variant.kernel}: {variant.reason}",
        "function": variant.kernel,
        "arguments": [] if nothing else arguments,
        "scratch": variant.scratch,
        "links": 0,
    }


def _chain_call(model: Model, kernel: Kernel, chain: Chain) -> dict[str, Any]:
    """The last operator of a chain runs it; the others do nothing at their turn."""
    last = kernel.index == chain.last
    comment = f"{kernel.kind} -> {_describe(model.graph.tensors[kernel.outputs[0]])}, "
    comment += (
        f"row by row with operators {chain.first} to {chain.last - 1}"
        if last
        else f"never whole: done in operator {chain.last}'s turn"
    )
    return {
        "index": kernel.index,
        "comment": comment,
        "reason": f"{chain.rows} rows of its output a step; at the turns before it nothing runs",
        "function": "tt_run_chain",
        "arguments": [f"&{_chain_name(model, chain)}", "rows", "arena", "&scratch"] if last else [],
        "scratch": "",
        "links": len(chain.operators),
        "scratches": [model.variants[i].scratch for i in chain.operators],
    }


def _chain_name(model: Model, chain: Chain) -> str:
    return f"{model.name}_chain_{chain.last}"


def _chain_links(model: Model, chain: Chain) -> dict[str, Any]:
    """A chain as the template has it: its links, and itself."""
    *links, struct = _chain_structs(model, chain)
    return {"name": struct.name, "links": links, "struct": struct}


def _chain_structs(model: Model, chain: Chain) -> list[ConstantStruct]:
    """The links, then the chain."""
    name, memory = _chain_name(model, chain), model.memory
    found = []
    for position, index in enumerate(chain.operators):
        kernel = model.kernels[index]
        tensor, whole = kernel.outputs[0], index == chain.last
        place = memory.placements[tensor] if whole else memory.buffers[tensor]
        rows = layer_of(kernel).output_height if whole else chain.buffers[position]
        numbers = {"offset": place.offset, "rows": rows}
        members = (
            ("layer", f"&{_struct_name(model, kernel)}"),
            ("kernel", model.variants[index].kernel),
        )
        found.append(struct_of(f"{name}_links[{position}]", "tt_link", members, numbers))
    source = memory.placements[model.kernels[chain.first].inputs[0]].offset
    numbers = {"links": len(found), "rows": chain.rows, "input_offset": source}
    return [*found, struct_of(name, "tt_chain", (("link", f"{name}_links"),), numbers)]


def _pointer(model: Model, tensor: int, qualifier: str) -> str:
    """Where a tensor lies: in the arena, or in flash for a constant."""
    if model.graph.tensors[tensor].data is not None:
        return _operand_name(model, tensor)
    c_type = C_TYPES[model.graph.tensors[tensor].dtype]
    return f"({qualifier}{c_type} *)(arena + {model.memory.placements[tensor].offset})"


def _operand_name(model: Model, tensor: int) -> str:
    return f"{model.name}_tensor_{tensor}"


def constant_blocks(model: Model) -> tuple[ConstantBlock, ...]:
    """Everything in flash that a device can read back, in the order in which it numbers it."""
    arrays, structs = _constants(model)
    if model.statistics is not None:
        structs.append(_statistics_plan(model, model.statistics))
    for chain in model.memory.chains:
        structs += _chain_structs(model, chain)
    return (
        *(_array_block(array) for array in arrays),
        *(run for struct in structs for run in struct.runs),
        *(_slot_block(name, slots) for name, slots in _slots(model).items()),
    )


def _array_block(array: ConstantArray) -> ConstantBlock:
    data, name = np.ascontiguousarray(array.data), array.name
    dsp = None if array.dsp is None else array.dsp.tobytes()
    layout = data.dtype.str
    labels: tuple[str, ...] = ()
    if data.dtype.names is not None:
        labels = tuple(f"{part} of {i}" for i in range(data.size) for part in data.dtype.names)
        layout = f"<{len(labels)}i"
    return ConstantBlock(name, name, data.tobytes(), layout, labels, dsp)


def _slot_block(name: str, slots: list[Placement]) -> ConstantBlock:
    layout = f"<{2 * len(slots)}I"
    data = pack(layout, *(number for slot in slots for number in (slot.offset, slot.bytes)))
    labels = tuple(
        f"{part} of {index}" for index in range(len(slots)) for part in ("offset", "bytes")
    )
    return ConstantBlock(name, name, data, layout, labels)


def _slots(model: Model) -> dict[str, list[Placement]]:
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


def manifest_of(model: Model, source: Source) -> dict[str, Any]:
    """What the project says of itself; DESIGN.md ("The C project") describes every key."""
    return {
        "format": MANIFEST_FORMAT,
        "tinytrain": __version__,
        "name": model.name,
        "source": {
            "file": source.file,
            "format": source.format,
            "sha256": model.source_sha256,
            "bytes": len(source.data),
        },
        "optimize": model.optimize.name,
        "macs": model.macs,
        "weights": model.weight_bytes,
        "arena": model.memory.arena_bytes,
        "ram": model.ram,
        "inputs": [_tensor_entry(tensor) for tensor in model.inputs],
        "outputs": [_tensor_entry(tensor) for tensor in model.outputs],
        "variables": [_tensor_entry(model.graph.tensors[i]) for i in model.graph.variables],
        "operators": [
            {
                "index": kernel.index,
                "name": kernel.kind,
                "kernel": model.variants[kernel.index].kernel,
                "output": model.graph.tensors[kernel.outputs[0]].name,
                "macs": kernel.macs,
            }
            for kernel in model.kernels
        ],
        "head": None if model.head is None else _head_entry(model.head),
        "learner": None if model.learner is None else _learner_entry(model.learner),
        **({} if model.statistics is None else {"statistics": _statistics_entry(model.statistics)}),
        **(
            {}
            if model.stream is None
            else {"frontend": _frontend_entry(model.stream, model.columns)}
        ),
    }


def _learner_entry(learner: LearnerParts) -> Mapping[str, Any]:
    return {
        "kind": Kind(learner.rules.kind).name.lower().replace("_", "+"),
        "blended": learner.blended,
        "guard": bool(learner.rules.guard),
        "slots": learner.rules.slots,
        "sha256": sha256(learner_bytes(learner)).hexdigest(),
    }


def _frontend_entry(plan: StreamPlan, columns: Columns | None) -> Mapping[str, Any]:
    return {
        "file": FRONTEND_FILE,
        "sha256": sha256(frontend_bytes(plan)).hexdigest(),
        "hash": f"{frontend_hash(plan.frontend):08x}",
        "kind": _frontend_kind(plan),
        "rate": plan.frontend.rate,
        "channels": channels_of(plan.frontend),
        "outputs": plan.frontend.outputs,
        "frames": plan.frames,
        "stride": plan.stride,
        **({} if columns is None else {"columns": columns.as_json()}),
    }


def _tensor_entry(tensor: Tensor) -> dict[str, Any]:
    found = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": float(found.scale[0]) if found else None,
        "zero_point": int(found.zero_point[0]) if found else None,
    }


def _statistics_entry(statistics: Statistics) -> Mapping[str, Any]:
    return {
        "operators": [layer.operator_index for layer in statistics.layers],
        "samples": statistics.options.samples,
        "share": statistics.options.share,
        "guard": statistics.options.guard,
        "bytes": statistics.memory_bytes,
        "sha256": sha256(statistics.stored).hexdigest(),
    }


def _head_entry(head: Head) -> Mapping[str, Any]:
    return {
        "operator": head.operator,
        "classes": head.constants.classes,
        "features": head.constants.features,
        "eta": head.options.eta,
        "tau": head.options.tau,
        "rows": head.options.rows,
        "reserved": head.options.reserved,
        "masters": head.options.masters,
        "energy": head.energy,
        "energy_measured": head.options.energy is not None,
    }

"""The calls of NAME_run: an operator's kernel each, or a chain of them row by row."""

from __future__ import annotations

from typing import Any

from tinytrain.converters.c.names import chain_name, described, operand_name, struct_name
from tinytrain.converters.c.source import C_TYPES, ConstantStruct, struct_of
from tinytrain.model import Model
from tinytrain.operators.elementwise import Addition
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.layout import Copy
from tinytrain.plan.chains import Chain, Link


def call_of(model: Model, kernel: Kernel) -> dict[str, Any]:
    """An operator's turn as the template has it; without arguments nothing runs."""
    chain = model.memory.chain_of(kernel.index)
    if chain is not None:
        return _chain_call(model, kernel, chain)
    inputs = [_pointer(model, tensor, "const ") for tensor in kernel.inputs]
    outputs = [_pointer(model, tensor, "") for tensor in (*kernel.outputs, *kernel.state)]
    if kernel.parameters.input_array:
        inputs = [f"(const void *const[]){{{', '.join(inputs)}}}"]
    if kernel.parameters.output_array:
        outputs = [f"(void *const[]){{{', '.join(outputs)}}}"]
    nothing = is_nothing(model, kernel)
    result = model.graph.tensors[kernel.outputs[0]]
    comment = f"{kernel.kind} -> {described(result)}" + (", in place" if nothing else "")
    variant = model.variants[kernel.index]
    arguments = [f"&{struct_name(model, kernel)}"]
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


def is_nothing(model: Model, kernel: Kernel) -> bool:
    """Whether a kernel only copies a tensor onto itself."""
    if not isinstance(kernel.parameters, Copy):
        return False
    source = model.memory.placements.get(kernel.inputs[0])
    target = model.memory.placements[kernel.outputs[0]]
    return source is not None and source.offset == target.offset


def chain_links(model: Model, chain: Chain) -> dict[str, Any]:
    """A chain as the template has it: its links, and itself."""
    *links, struct = chain_structs(model, chain)
    return {"name": struct.name, "links": links, "struct": struct}


def chain_structs(model: Model, chain: Chain) -> list[ConstantStruct]:
    """The links, then the chain."""
    name, links = chain_name(model, chain), chain.links
    found = [
        _link_struct(model, link, f"{name}_links[{place}]") for place, link in enumerate(links)
    ]
    numbers = {"links": len(found), "rows": chain.rows, "parts": chain.parts, "start": chain.start}
    return [*found, struct_of(name, "tt_chain", (("link", f"{name}_links"),), numbers)]


def _link_struct(model: Model, link: Link, name: str) -> ConstantStruct:
    members: tuple[tuple[str, str], ...] = ()
    if link.operator is not None:
        kernel = model.kernels[link.operator]
        what = "addition" if isinstance(kernel.parameters, Addition) else "convolution"
        function = model.variants[link.operator].kernel
        members = ((what, f"&{struct_name(model, kernel)}"), (f"{what}_kernel", function))
    memory = model.memory
    place = memory.buffers.get(link.tensor) or memory.placements[link.tensor]
    first, second, *_ = (*link.inputs, -1, -1)
    numbers = {"input[0]": first, "input[1]": second, "offset": place.offset}
    numbers |= {"rows": place.bytes // link.row_bytes, "row_bytes": link.row_bytes}
    return struct_of(name, "tt_link", members, numbers)


def _chain_call(model: Model, kernel: Kernel, chain: Chain) -> dict[str, Any]:
    """The last operator of a chain runs it; the others do nothing at their turn."""
    last = kernel.index == chain.last
    before = chain.operators[:-1]
    named = "operator" + ("s" if len(before) > 1 else "") + " " + ", ".join(map(str, before))
    comment = f"{kernel.kind} -> {described(model.graph.tensors[kernel.outputs[0]])}, "
    comment += (
        f"row by row with {named}" if last else f"never whole: done in operator {chain.last}'s turn"
    )
    scratches = [found for i in chain.operators if (found := model.variants[i].scratch)]
    scratch = "&scratch" if scratches else "NULL"
    return {
        "index": kernel.index,
        "comment": comment,
        "reason": "tt_run_chain: for --ram; rows at a time of the operator with the most: "
        f"{chain.rows}",
        "function": "tt_run_chain",
        "arguments": [f"&{chain_name(model, chain)}", "rows", "arena", scratch] if last else [],
        "scratch": "",
        "links": len(chain.links),
        "scratches": scratches,
    }


def _pointer(model: Model, tensor: int, qualifier: str) -> str:
    """Where a tensor lies: in the arena, or in flash for a constant."""
    if model.graph.tensors[tensor].data is not None:
        return operand_name(model, tensor)
    c_type = C_TYPES[model.graph.tensors[tensor].dtype]
    return f"({qualifier}{c_type} *)(arena + {model.memory.placements[tensor].offset})"

"""The names that a model's parts have in C, and what comments say of them."""

from __future__ import annotations

from tinytrain.graph import Tensor
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.chains import Chain
from tinytrain.statistics import LayerStatistics
from tinytrain.variants.choose import Block


def struct_name(model: Model, kernel: Kernel) -> str:
    return f"{model.name}_{kernel.index}_{kernel.kind.lower()}"


def operand_name(model: Model, tensor: int) -> str:
    return f"{model.name}_tensor_{tensor}"


def block_name(model: Model, block: Block) -> str:
    return f"{model.name}_{block.name}"


def chain_name(model: Model, chain: Chain) -> str:
    return f"{model.name}_chain_{chain.last}"


def statistics_name(model: Model, layer: LayerStatistics) -> str:
    return f"{model.name}_statistics_{layer.operator_index}"


def described(tensor: Tensor) -> str:
    """A tensor in a comment: its name, shape, type and quantization."""
    found = tensor.quantization
    scale = (
        f", scale {float(found.scale[0]):.8g}, zero point {found.zero_point[0]}" if found else ""
    )
    shape = "x".join(str(extent) for extent in tensor.shape)
    return f"'{in_comment(tensor.name)}' {shape} {tensor.dtype}{scale}"


def in_comment(text: str) -> str:
    """Text of the user's that is safe inside a C comment."""
    printable = "".join(c if c.isprintable() and c.isascii() else "?" for c in text)
    return printable.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")[:80]

"""Parameters of the kernels that make some rows of an output alone, which chains are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinytrain.operators.elementwise import Add, Addition
from tinytrain.operators.kernel import Parameters
from tinytrain.variants.fast import FastConvolution, fast_parameters


@dataclass(frozen=True, eq=False)
class AddElements(Addition):
    """Of operands of one shape."""

    function: ClassVar[str] = "tt_add_elements"


def rows_parameters(parameters: Parameters) -> FastConvolution | AddElements | None:
    """Of the same operator; None where there is no such kernel for it."""
    if isinstance(parameters, Add):
        walk = parameters.broadcast
        alike = walk.dimensions == walk.strides1[0] == walk.strides2[0] == 1
        return AddElements(**vars(parameters)) if alike else None
    fast = fast_parameters(parameters)
    return fast if isinstance(fast, FastConvolution) else None
